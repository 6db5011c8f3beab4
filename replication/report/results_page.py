"""The tables of docs/results.md: what is published, decided, controlled for and still open."""

from collections.abc import Sequence

import pandas as pd

from replication.analysis.fair_test import FAIR_TEST
from replication.config.paper_names import networks_on_data, paper_name
from replication.report.missing_claims import planned_scale
from replication.report.primary_claims import CLAIM_WORDS, claims_table, evidence_scales
from replication.report.published_results import (
    Publications,
    commits_of,
    difference_of,
    line_of,
    primary_claims_of,
    reported_of,
    seeds_of,
    verdict_of,
)
from replication.report.table_seeds import describe_progress, tables_by_seeds
from replication.wording import escaped, markdown_table, with_interval

CONTRAST = "difference of "
"""How the metric of a contrast begins in ``tables/<name>.csv``."""

READINGS = {
    "Wide-ResNet-28-2: drop-out 0.3, not 0": (
        "the error of BAN students of Wide-ResNet-28-2 minus that of their teachers is {other}"
        " points without dropout, and {taken} points with it"
    ),
    "LSTM: two layers, not one (perplexity)": (
        "the perplexity of BAN+L students of the LSTM minus that of their teachers is {other} with"
        " one layer, and {taken} with two"
    ),
}
"""Rows of ``tables/sensitivity.yaml`` on decisions that the small scales take otherwise."""

TAKEN_AND_OTHER = ("taken", "other")
"""The reading of the paper that this suite takes, and the other one."""


def overview(publications: Publications) -> str:
    """Return a row for each publication: its tables, seeds, runs and decided claims."""
    header = ["scale", "tables: seeds", "training runs", "commits", "primary claims decided"]
    rows = []
    for scale in publications.scales:
        runs = publications.file(scale, "runs")
        claims = publications.claims(scale)
        primary = primary_claims_of(claims)
        decided = int((~primary["verdict"].isin(["undecided"])).sum())
        rows.append(
            [
                f"[`{scale}`](../published/{scale}/README.md)",
                escaped(tables_by_seeds(publications.plan(scale))),
                f"{len(runs):,}",
                commits_of(runs),
                f"{decided} of {len(primary)}",
            ]
        )
    return markdown_table(header, rows)


def unfinished_scales(publications: Publications) -> str:
    """Return a sentence for each scale that lacks tables or seeds: what it has."""
    sentences = []
    for scale in publications.scales:
        if planned := planned_scale(publications, scale):
            sentences.append(describe_progress(publications.plan(scale), planned))
    described = escaped("\n".join(filter(None, sentences)))
    if not described:
        return "All published scales are complete."
    return f"{described}\nResults of tables and rows that lack some of their seeds are preliminary."


def primary_claims(publications: Publications) -> str:
    """Return the primary claims at all published scales."""
    return claims_table(publications, publications.scales, "../published/")


def other_decided_claims(publications: Publications) -> str:
    """Return every decided claim that is not primary, by scale, contradicted ones first."""
    header = ["scale", "claim", "source", "the paper", "ours", "n", "verdict; size"]
    rows = []
    for scale in publications.scales:
        claims = publications.claims(scale)
        is_other = ~claims["claim"].isin([*CLAIM_WORDS]) & (claims["verdict"] != "undecided")
        others = claims[is_other & claims["metric"].isna()]
        contradicted = others["verdict"] == "contradicted"
        for _, line in pd.concat([others[contradicted], others[~contradicted]]).iterrows():
            texts = [f"`{scale}`", escaped(line["title"]), line["source"]]
            numbers = [reported_of(line), difference_of(line), seeds_of(line)]
            rows.append([*texts, *numbers, verdict_of(line)])
    return markdown_table(header, rows)


def likelihood(publications: Publications) -> str:
    """Return the claims on the metrics of ``quality.csv.gz``, one column for each scale."""
    by_scale = {scale: publications.claims(scale) for scale in publications.scales}
    header = ["claim", *(f"`{scale}`" for scale in by_scale)]
    first = next(iter(by_scale.values()))
    rows = []
    for claim, title in first.loc[first["metric"].notna(), "title"].items():
        lines = [line_of(claims, claim) for claims in by_scale.values()]
        shown = [
            f"{difference_of(line)}, n = {seeds_of(line)}, {verdict_of(line)}"
            if line["n"] > 0
            else verdict_of(line)
            for line in lines
        ]
        rows.append([escaped(title), *shown])
    return markdown_table(header, rows)


def contrasts(publications: Publications, table: str) -> str:
    """Return the contrasts of a table with 95 % intervals, one column for each scale."""
    frames = {}
    for scale in publications.scales_with(table):
        lines = publications.table(scale, table)
        of_contrasts = lines[lines["metric"].str.startswith(CONTRAST)]
        frames[scale] = of_contrasts.set_index(["column", "row"])
    keys = pd.concat([frame.index.to_frame() for frame in frames.values()]).drop_duplicates()
    header = ["difference", "network", *(f"`{scale}`" for scale in frames)]
    rows = []
    for column, row in keys.itertuples(index=False):
        shown = [
            _estimate(line_of(frame, (column, row))) if (column, row) in frame.index else "–"
            for frame in frames.values()
        ]
        if any(text != "–" for text in shown):
            rows.append([escaped(paper_name(column)), escaped(paper_name(row)), *shown])
    return markdown_table(header, rows)


def levels(publications: Publications, table: str) -> str:
    """Return the means of a table's cells with 95 % intervals, a column per scale and network."""
    columns: dict[str, dict[str, str]] = {}
    for scale in publications.scales_with(table):
        lines = publications.table(scale, table)
        for _, line in lines[~lines["metric"].str.startswith(CONTRAST)].iterrows():
            name = f"{paper_name(line['row'])}, `{scale}`"
            columns.setdefault(name, {})[line["column"]] = _level(line)
    treatments = list(dict.fromkeys(name for column in columns.values() for name in column))
    rows = [
        [
            escaped(paper_name(treatment)),
            *(column.get(treatment, "–") for column in columns.values()),
        ]
        for treatment in treatments
    ]
    return markdown_table(["", *columns], rows)


def gains(publications: Publications, table: str = "sensitivity") -> str:
    """Return how far a student's gain depends on each decision, at every published scale."""
    header = [
        "decision",
        "scale",
        "gain as taken",
        "gain with the other reading",
        "difference of the gains",
    ]
    columns = ["gain taken", "gain other", "effect on gain"]
    rows = []
    for scale in publications.scales_with(table):
        lines = publications.table(scale, table)
        lines = lines[lines["metric"].str.startswith(CONTRAST)]
        for decision, of_decision in lines.groupby("row", sort=False):
            by_column = of_decision.set_index("column").reindex(columns)
            shown = [_estimate(line_of(by_column, column)) for column in columns]
            if shown[-1] != "–":
                rows.append([escaped(paper_name(str(decision))), f"`{scale}`", *shown])
    return markdown_table(header, sorted(rows, key=lambda row: row[0]))


def other_readings(publications: Publications, table: str = "sensitivity") -> str:
    """Return what students gain under both readings of `READINGS`, a sentence for each scale."""
    sentences = []
    for scale in evidence_scales(publications):
        if scale not in publications.scales_with(table):
            continue
        lines = publications.table(scale, table).set_index(["row", "column"])
        parts = []
        for row, words in READINGS.items():
            taken, other = (
                _estimate(line_of(lines, (row, f"gain {of}"))) for of in TAKEN_AND_OTHER
            )
            parts.append(words.format(taken=taken, other=other))
        sentences.append(f"At the scale `{scale}`, {'; '.join(parts)}.")
    return "\n".join(sentences) or "No published scale has trained both readings."


def effects(publications: Publications, table: str = "sensitivity") -> str:
    """Return what each decision changes in teacher and student, at every published scale."""
    header = ["decision", "scale", "effect on the teacher", "effect on the student"]
    columns = ["effect on teacher", "effect on student"]
    rows = []
    for scale in publications.scales_with(table):
        lines = publications.table(scale, table)
        lines = lines[lines["metric"].str.startswith(CONTRAST)]
        for decision, of_decision in lines.groupby("row", sort=False):
            by_column = of_decision.set_index("column").reindex(columns)
            shown = [_estimate(line_of(by_column, column)) for column in columns]
            rows.append([escaped(paper_name(str(decision))), f"`{scale}`", *shown])
    return markdown_table(header, sorted(rows, key=lambda row: row[0]))


def fair_test(publications: Publications) -> str:
    """Return how many networks meet each criterion, and which do not."""
    header = ["criterion", "scale", "met", "not met by"]
    rows = []
    for criterion in FAIR_TEST:
        for scale in publications.scales:
            lines = publications.file(scale, "criteria").dropna(subset=criterion.name)
            failing = lines[lines[criterion.name] == "not met"]
            names = [
                networks_on_data(of_data["network"], str(dataset))
                for dataset, of_data in failing.groupby("dataset", sort=False)
            ]
            met = f"{len(lines) - len(failing)} of {len(lines)}"
            rows.append([criterion.name, f"`{scale}`", met, _listed(names)])
    return markdown_table(header, rows)


def networks_that_do_not_fit(publications: Publications) -> str:
    """Return the label-trained networks with a training error of 1 % or more, with their errors."""
    header = ["scale", "network", "training error (%)", "test error (%)"]
    rows = []
    for scale in publications.scales:
        lines = publications.file(scale, "criteria")
        for _, line in lines[lines["fit"] == "not met"].iterrows():
            name = escaped(networks_on_data([line["network"]], line["dataset"]))
            errors = [f"{line[key]:.1f}" for key in ("train_error", "test_error")]
            rows.append([f"`{scale}`", name, *errors])
    return markdown_table(header, rows)


def _listed(names: Sequence[str]) -> str:
    return escaped("; ".join(names)) or "–"


def _estimate(line: "pd.Series[float]") -> str:
    return with_interval(line["mean"], line["ci_low"], line["ci_high"])


def _level(line: "pd.Series[float]") -> str:
    half = (line["ci_high"] - line["ci_low"]) / 2
    return f"{line['mean']:.1f}" + ("" if pd.isna(half) else f" ± {half:.1f}")
