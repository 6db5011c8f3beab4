"""What a finished sweep can and cannot say: on the terminal, in the report, in a publication.

Reads small csv files without pandas, so that it ends `make tables` at once.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import compress
from pathlib import Path
from statistics import median
from typing import Any

from replication.analysis.fair_test import FAIR_TEST
from replication.errors import InputError
from replication.plan.plan import Plan

FEW_DECISIONS = 0.1
"""Share of the measured claims up to which a number of seeds decides almost nothing."""

UNTESTED = ("not measured", "network excepted")
"""Reasons that stand instead of *undecided*, because no number of seeds would change them."""

PAGE = "README.md"
"""The first page of a publication."""

NOTHING = "–"
"""What a table of claims shows where there is no number."""

Lines = list[dict[str, str]]


def describe_outcome(plan: Plan) -> str:
    """Criteria met, claims decided, what the seeds can tell, and where everything lies.

    Raises:
        InputError: a csv file is damaged.
    """
    folder = plan.results
    parts = [*criteria_met(plan), *_claims(tested_claims(plan), len(plan.seeds))]
    places = [
        f"Tables {folder}/tables/*.html, notebooks {folder}/notebooks/*.html",
        f"All in one file: make report SCALE={plan.scale.scale}",
        "Published results, with more seeds: docs/results.md",
    ]
    return "\n".join([*parts, *places])


def describe_in_rst(plan: Plan) -> str:
    """The page that the report opens with, as reStructuredText: scale, criteria, primary claims.

    Raises:
        InputError: a csv file is damaged.
    """
    title = _title(plan)
    rows = [("Claim", "Tested on", "Verdict", "Difference", "Paper")]
    for line in tested_claims(plan):
        if line["claim"] == line["family"]:
            cells = (line["statement"], line["tested_on"], _verdict(line))
            rows.append((*cells, _difference(line), _paper(line)))
    blocks = [
        f"{title}\n{'=' * len(title)}",
        f"{_size(plan)} Tables, figures, notebooks and criteria stand on the left; every claim"
        " is in the notebook *claims*.",
        "Is it a fair test?\n------------------",
        "\n".join(f"* {line}" for line in _met(plan)),
        "The primary claims\n------------------",
        ".. list-table::\n   :header-rows: 1\n   :widths: 40 20 15 15 10\n",
        "\n".join("   * - " + "\n     - ".join(row) for row in rows),
    ]
    return "\n\n".join(blocks) + "\n"


def describe_in_markdown(plan: Plan) -> str:
    """The first page of a publication, as Markdown: scale, criteria, the claims that it measures.

    Raises:
        InputError: a csv file is damaged.
    """
    tested = tested_claims(plan)
    measured = [line for line in tested if line["reason"] != "not measured"]
    primary = [line for line in tested if line["claim"] == line["family"]]
    shown = [line for line in primary if line in measured]
    of_paper = (
        " *Of the paper's* is the effect as a fraction of the paper's, both relative to what they"
        " are compared with."
    )
    blocks = [
        f"# {_title(plan)}",
        f"{_size(plan)} `runs.csv` has a line for each network, `tables/` the tables, `figures/`"
        " the figures, `notebooks/` the notebooks with their outputs.",
        "## Is it a fair test?",
        "\n".join(f"- {line}" for line in _met(plan)),
        "## Primary claims",
        _claims_in_markdown(shown),
        f"{len(shown)} of {len(primary)} are measured. Differences are in points of test error,"
        " perplexity or the metric in brackets. p is that of the direction, corrected by Holm over"
        " the primary claims, and within their family for the others."
        + of_paper
        * any(_paper(line) != NOTHING for line in shown),
    ]
    families = {
        claim["statement"]: [line for line in measured if line["family"] == claim["claim"]]
        for claim in primary
    }
    families = {
        title: family
        for title, family in families.items()
        if any(line["claim"] != line["family"] for line in family)
    }
    if not families:
        return "\n\n".join(blocks) + "\n"
    blocks += [
        "## All claims",
        f"{count_verdicts(tested)}. Source *paper*: its numbers say so; *prose*: its text;"
        " *reading*: this suite's interpretation; *ours*: not in the paper. Each family begins with"
        " its primary claim. Families of one claim and claims that are not measured are left out.",
    ]
    for title, family in families.items():
        family.sort(key=lambda line: line["claim"] != line["family"])
        blocks += [f"### {title}", _claims_in_markdown(family)]
    return "\n\n".join(blocks) + "\n"


def describe_claim(line: Mapping[str, Any]) -> str:
    """The statement, the verdict and the evidence of a claim: a line of ``claims.csv``."""
    size = f"; size: {line['size']}" if isinstance(line["size"], str) else ""
    return "\n".join(
        (
            line["statement"],
            f"Tested on: {line['tested_on']}",
            f"Verdict: {line['verdict']}{size}",
            line["evidence"],
        )
    )


def _claims_in_markdown(lines: Lines) -> str:
    header = [
        *("claim", "tested on", "source", "paper", "here, 95 % interval", "p", "seeds"),
        *("verdict", "of the paper's"),
    ]
    rows = [header, ["---"] * len(header)]
    for line in lines:
        p, seeds = line.get("p_direction_corrected"), line.get("n")
        rows.append(
            [
                line["statement"],
                line["tested_on"],
                line["source"],
                _paper(line),
                _difference(line),
                f"{float(p):.2g}" if p else NOTHING,
                seeds or NOTHING,
                _verdict(line),
                _fraction(line),
            ]
        )
    # A study has nothing of the paper to show.
    has_entries = [{*column[2:]} != {NOTHING} for column in zip(*rows, strict=True)]
    rows = [list(compress(row, has_entries)) for row in rows]
    # Names such as Ens*2 would begin italics.
    return "\n".join(f"| {' | '.join(row)} |" for row in rows).replace("*", r"\*")


def _title(plan: Plan) -> str:
    if plan.claims_file.parent == plan.scale.study:
        return f"The study {plan.scale.scale}"
    return f"Born-Again Neural Networks at scale {plan.scale.scale}"


def _size(plan: Plan) -> str:
    data = ", ".join(dict.fromkeys(run.dataset.name for run in plan.runs.values()))
    seeds = len(plan.seeds)
    counts = {name: len(plan.scale.seeds_of(name)) for name in plan.tables}
    fewer = ", ".join(f"{n} of {name}" for name, n in counts.items() if n != seeds)
    shown = f"{seeds} seed{'s' * (seeds != 1)}" + f" ({fewer})" * bool(fewer)
    return f"{len(plan.runs):,} networks, {shown}, trained on {data}."


def criteria_met(plan: Plan) -> list[str]:
    """How many networks meet each criterion of a fair test, a line each below a title."""
    return list(_criteria(read_lines(plan.results / "criteria.csv")))


def _met(plan: Plan) -> list[str]:
    return [line.strip() for line in criteria_met(plan)][1:]


def tested_claims(plan: Plan) -> Lines:
    """The claims with their numbers, empty where there are none."""
    numbers = {line.get("claim"): line for line in read_lines(plan.results / "claims_power.csv")}
    texts = ("statement", "tested_on", "verdict", "size", "reason", "source", "family")
    return [
        {**dict.fromkeys(texts, ""), **numbers.get(line["claim"], {}), **line}
        for line in read_lines(plan.results / "claims.csv")
        if "claim" in line
    ]


def _verdict(line: dict[str, str]) -> str:
    """The verdict on a claim, with the reason if it is undecided."""
    reason = line["reason"]
    if reason in UNTESTED:
        return reason
    if not reason:
        return line["verdict"]
    seeds = line.get("seeds_to_decide")
    needed = "more than 10,000" if seeds == "inf" else f"about {float(seeds or 0):.0f}"
    return f"{line['verdict']}: {reason}" + f" ({needed} needed)" * bool(seeds)


def count_verdicts(claims: Lines) -> str:
    """How many claims have each verdict, or reason for which they were not tested."""
    counts = Counter(
        line["reason"] if line["reason"] in UNTESTED else line["verdict"] for line in claims
    )
    return ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())


def _difference(line: dict[str, str]) -> str:
    """A claim's difference with its 95 % interval, and what it is a difference of."""
    try:
        value, low, high = (_signed(line[key]) for key in ("difference", "ci_low", "ci_high"))
    except (KeyError, ValueError):
        return NOTHING
    metric = f" ({line['metric']})" if line.get("metric") else ""
    return f"{value} [{low}, {high}]{metric}"


def _fraction(line: dict[str, str]) -> str:
    """The effect as a fraction of the paper's, with its interval and the decision on its size."""
    try:
        numbers = [float(line[f"fraction{end}"]) for end in ("", "_low", "_high")]
    except (KeyError, ValueError):
        return NOTHING
    fraction, low, high = (f"{number:.2f}".replace("-", "−") for number in numbers)
    return f"{fraction} [{low}, {high}]: {line['size']}"


def _paper(line: dict[str, str]) -> str:
    try:
        return _signed(line["reported_difference"])
    except (KeyError, ValueError):
        return NOTHING


def _signed(number: str) -> str:
    return f"{float(number):+.2f}".replace("-", "−")


def _criteria(lines: Lines) -> Iterator[str]:
    if not lines:
        yield "Is the scale a fair test? Not measured: replication criteria"
        return
    yield "Is the scale a fair test? Networks that meet each criterion (replication criteria):"
    for criterion in FAIR_TEST:
        name, meaning = criterion.name, criterion.in_short
        counts = Counter(verdict for line in lines if (verdict := line.get(name)))
        excepted = f", {counts['exception']} stated exceptions" if counts["exception"] else ""
        met = f"{counts['met']} of {counts.total()}" if counts else "not measured"
        missing = "" if counts else f" (needs {criterion.needs})"
        yield f"  {met}: {meaning}{excepted}{missing}"


def _claims(lines: Lines, seeds: int) -> Iterator[str]:
    if not lines:
        yield "The paper's claims: not tested: replication claims"
        return
    tested = [line for line in lines if line["reason"] not in UNTESTED]
    decided = [line for line in tested if line["verdict"] != "undecided"]
    yield f"The paper's claims: {count_verdicts(lines)}"
    few = len(decided) <= FEW_DECISIONS * len(tested)
    many = "almost nothing" if few else f"{len(decided)} of {len(tested)} claims"
    yield f"{seeds} seed{'s' * (seeds != 1)} decide{'s' * (seeds == 1)} {many}: undecided means"
    yield "  that these seeds cannot tell, neither that the paper is right nor that it is wrong."
    expected, needed = (
        _numbers(lines, f"{column}_corrected") for column in ("power", "seeds_needed")
    )
    if expected and needed:
        yield f"  With the paper's effects, they decide {sum(expected):.1f} on average;"
        yield f"  half of the claims need {median(needed):.0f} seeds or more."


def _numbers(lines: Lines, column: str) -> list[float]:
    """The numbers of a column, without its empty entries."""
    numbers = []
    for line in lines:
        with suppress(ValueError):
            numbers.append(float(line.get(column) or ""))
    return numbers


def read_lines(file: Path) -> Lines:
    """The lines of a csv file; none where it does not exist."""
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            return list(csv.DictReader(opened))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{file}: damaged ({error}); delete it and call snakemake") from None
