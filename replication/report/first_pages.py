"""The first pages of a report and of a publication: scale, criteria, and verdicts."""

import math
from itertools import compress

from replication.analysis.tested_data import describe_data_sets
from replication.plan.plan import Plan
from replication.report.layout import QUALITY_METRICS
from replication.report.outcome import (
    UNTESTED,
    Lines,
    count_verdicts,
    criteria_met,
    read_lines,
    tested_claims,
)
from replication.report.study_outcome import is_study
from replication.report.table_seeds import describe_seeds
from replication.wording import (
    escaped,
    formatted,
    markdown_table,
    p_value,
    seeds_in_words,
    signed,
    with_interval,
)

PAGE = "README.md"
"""The first page of a publication."""

METRIC_NAMES = {key: heading.split(" (")[0] for key, (heading, _) in QUALITY_METRICS.items()}
"""The metrics of predictions without their units: NLL, Brier score, ECE."""

NOTHING = "–"
"""What a table of claims shows where there is no number."""


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
        f"{_size(plan)} Tables, figures, notebooks and criteria are on the left; every claim is in"
        " the notebook *claims*.",
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
        f"{_size(plan)} `runs.csv` has a line for each training run; the folders `tables`,"
        " `figures` and `notebooks` hold what their names say, the notebooks with their outputs.",
        "## Is it a fair test?",
        "\n".join(f"- {line}" for line in _met(plan)),
        "## Primary claims",
        _claims_in_markdown(shown),
        f"{len(shown)} of {len(primary)} are measured. Differences are in points of test error, in"
        " perplexity, or in the metric in brackets. p is that of the direction. It is corrected by"
        " Holm's procedure: over the primary claims, and for every other claim within its family,"
        " multiplied by the number of families and never below that of the family's primary claim."
        " Intervals are not corrected." + of_paper * any(_paper(line) != NOTHING for line in shown),
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
        " *reading*: this suite's interpretation; *ours*: not in the paper. A family is named"
        " after its primary claim, which comes first if it is measured."
        + " Statements are the paper's and speak of its data; *tested on* says what stands in for"
        " it."
        * (not is_study(plan))
        + " Families of one claim and claims that are not measured are left out.",
    ]
    for title, family in families.items():
        family.sort(key=lambda line: line["claim"] != line["family"])
        blocks += [f"### Family: {title}", _claims_in_markdown(family)]
    return "\n\n".join(blocks) + "\n"


def _claims_in_markdown(lines: Lines) -> str:
    header = [
        *("claim", "tested on", "source", "paper", "here, 95 % interval", "p", "seeds"),
        *("verdict", "of the paper's"),
    ]
    rows = []
    for line in lines:
        p, seeds = line.get("p_direction_corrected"), line.get("n")
        rows.append(
            [
                line["statement"],
                line["tested_on"],
                line["source"],
                _paper(line),
                _difference(line),
                p_value(float(p)) if p else NOTHING,
                seeds or NOTHING,
                _verdict(line),
                _fraction(line),
            ]
        )
    # A study has nothing of the paper to show.
    has_entries = [{*column} != {NOTHING} for column in zip(*rows, strict=True)]
    shown = [list(compress(row, has_entries)) for row in [header, *rows]]
    return escaped(markdown_table(shown[0], shown[1:]))


def _title(plan: Plan) -> str:
    if is_study(plan):
        return f"The study {plan.scale.scale}"
    return f"Born-Again Neural Networks at scale {plan.scale.scale}"


def _size(plan: Plan) -> str:
    trained_on = {run.dataset for run in plan.runs.values()}
    words = describe_data_sets(plan.scale)
    data = "; ".join(words[key] for key, name in plan.scale.datasets.items() if name in trained_on)
    # Names such as 0.5*Depth would begin italics, in Markdown and in reStructuredText.
    seeds = describe_seeds(plan).replace("*", r"\*")
    trained = len(read_lines(plan.results / "runs.csv"))
    again = (
        f", and {trained - len(plan.runs)} of them a second time"
        if trained > len(plan.runs)
        else ""
    )
    return f"{len(plan.runs):,} networks were trained with {seeds}, on {data}{again}."


def _met(plan: Plan) -> list[str]:
    return [line.strip() for line in criteria_met(plan)][1:]


def _verdict(line: dict[str, str]) -> str:
    """The verdict on a claim, with the reason if it is undecided."""
    reason = line["reason"]
    if reason in UNTESTED:
        return reason
    if not reason:
        return line["verdict"]
    seeds = line.get("seeds_to_decide")
    needed = f" ({seeds_in_words(float(seeds))} needed)" if seeds else ""
    return f"{line['verdict']}: {reason}{needed}"


def _difference(line: dict[str, str]) -> str:
    """A claim's difference with its 95 % interval, and what it is a difference of."""
    if not line.get("difference"):
        return NOTHING
    value, low, high = (float(line[key] or "nan") for key in ("difference", "ci_low", "ci_high"))
    notes = [METRIC_NAMES[line["metric"]]] if line.get("metric") else []
    notes += ["no interval"] if math.isnan(low) else []
    return with_interval(value, low, high) + f" ({', '.join(notes)})" * bool(notes)


def _fraction(line: dict[str, str]) -> str:
    """The effect as a fraction of the paper's, with its interval and the decision on its size."""
    try:
        numbers = [float(line[f"fraction{end}"]) for end in ("", "_low", "_high")]
    except (KeyError, ValueError):
        return NOTHING
    fraction, low, high = (formatted(number, "z.2f") for number in numbers)
    effect = f"{fraction} [{low}, {high}]"
    return effect if line["verdict"] == "contradicted" else f"{effect}: {line['size']}"


def _paper(line: dict[str, str]) -> str:
    try:
        return signed(float(line["reported_difference"]))
    except (KeyError, ValueError):
        return NOTHING
