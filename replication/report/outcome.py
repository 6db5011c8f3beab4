"""What a finished sweep can and cannot say: on the terminal, in the report, in a publication.

Reads small csv files without pandas, so that it ends `make tables` at once.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

from replication.analysis.fair_test import FAIR_TEST
from replication.errors import InputError
from replication.plan.plan import Plan

FEW = 0.1
"""Share of the measured claims up to which a number of seeds decides almost nothing."""

NOT_MEASURED = "not measured"
"""Shown instead of *inconclusive* where no seed has all the cells of a claim."""

PAGE = "README.md"
"""The first page of a publication."""

Lines = list[dict[str, str]]


def describe_outcome(plan: Plan) -> str:
    """Criteria met, claims decided, what the seeds can tell, and where everything lies.

    Raises:
        InputError: a csv file is damaged.
    """
    folder = plan.results
    criteria = _criteria(_read(folder / "criteria.csv"))
    parts = [*criteria, *_claims(_tested(plan), len(plan.seeds))]
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
    rows = [("Claim", "Verdict", "Difference", "Paper")]
    for line in _tested(plan):
        if line["claim"] == line["family"]:
            rows.append((line["statement"], line["verdict"], _found(line), _paper(line)))
    blocks = [
        f"{title}\n{'=' * len(title)}",
        f"{_size(plan)} Tables, figures, notebooks and criteria stand on the left; every claim"
        " is in the notebook *claims*.",
        "Is it a fair test?\n------------------",
        "\n".join(f"* {line}" for line in _met(plan)),
        "The primary claims\n------------------",
        ".. list-table::\n   :header-rows: 1\n   :widths: 50 15 25 10\n",
        "\n".join("   * - " + "\n     - ".join(row) for row in rows),
    ]
    return "\n\n".join(blocks) + "\n"


def describe_in_markdown(plan: Plan) -> str:
    """The first page of a publication, as Markdown: scale, criteria, the claims that it measures.

    Raises:
        InputError: a csv file is damaged.
    """
    tested = _tested(plan)
    measured = [line for line in tested if line["verdict"] != NOT_MEASURED]
    primary = [line for line in tested if line["claim"] == line["family"]]
    shown = [line for line in primary if line in measured]
    blocks = [
        f"# {_title(plan)}",
        f"{_size(plan)} `runs.csv` has a line for each network, `tables/` the tables, `figures/`"
        " the figures, `notebooks/` the notebooks with their outputs.",
        "## Is it a fair test?",
        "\n".join(f"- {line}" for line in _met(plan)),
        "## Primary claims",
        _claims_in_markdown(shown),
        f"{len(shown)} of {len(primary)} are measured. Differences are in points of test error,"
        " perplexity or the metric in brackets. p is corrected, by Holm over the primary claims,"
        " and within their family for the others.",
        "## All claims",
        f"{_count_verdicts(tested)}. Source *paper*: its numbers say so; *prose*: its text;"
        " *reading*: this suite's interpretation; *ours*: not in the paper. Each family begins with"
        " its primary claim. Claims that are not measured are left out.",
    ]
    for claim in primary:
        family = [line for line in measured if line["family"] == claim["claim"]]
        if family:
            family.sort(key=lambda line: line["claim"] != line["family"])
            blocks += [f"### {claim['statement']}", _claims_in_markdown(family)]
    return "\n\n".join(blocks) + "\n"


def _claims_in_markdown(lines: Lines) -> str:
    header = ("claim", "source", "paper", "here, 95 % interval", "p", "seeds", "verdict")
    rows = [header, ("---",) * len(header)]
    for line in lines:
        p, seeds = line.get("p_corrected"), line.get("n")
        numbers = _paper(line), _found(line), f"{float(p):.2g}" if p else "–", seeds or "–"
        rows.append((line["statement"], line["source"], *numbers, line["verdict"]))
    # Names such as Ens*2 would begin italics.
    return "\n".join(f"| {' | '.join(row)} |" for row in rows).replace("*", r"\*")


def _title(plan: Plan) -> str:
    return f"Born-Again Neural Networks at scale {plan.scale.scale}"


def _size(plan: Plan) -> str:
    data = ", ".join(dict.fromkeys(run.dataset.name for run in plan.runs.values()))
    seeds = len(plan.seeds)
    counts = {name: len(plan.scale.seeds_of(name)) for name in plan.tables}
    fewer = ", ".join(f"{n} of {name}" for name, n in counts.items() if n != seeds)
    found = f"{seeds} seed{'s' * (seeds != 1)}" + f" ({fewer})" * bool(fewer)
    return f"{len(plan.runs):,} networks, {found}, trained on {data}."


def _met(plan: Plan) -> list[str]:
    return [line.strip() for line in _criteria(_read(plan.results / "criteria.csv"))][1:]


def _tested(plan: Plan) -> Lines:
    """The claims with their numbers, empty where there are none."""
    numbers = {line.get("claim"): line for line in _read(plan.results / "claims_power.csv")}
    missing = dict.fromkeys(("statement", "verdict", "source", "family"), "")
    lines = [
        {**missing, **numbers.get(line["claim"], {}), **line}
        for line in _read(plan.results / "claims.csv")
        if "claim" in line
    ]
    for line in lines:
        if line.get("n") == "0" and line["verdict"] == "inconclusive":
            line["verdict"] = NOT_MEASURED
    return lines


def _count_verdicts(claims: Lines) -> str:
    counts = Counter(line["verdict"] for line in claims)
    return ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())


def _found(line: dict[str, str]) -> str:
    """A claim's difference with its 95 % interval, and what it is a difference of."""
    try:
        value, low, high = (_signed(line[key]) for key in ("difference", "ci_low", "ci_high"))
    except (KeyError, ValueError):
        return "–"
    metric = f" ({line['metric']})" if line.get("metric") else ""
    return f"{value} [{low}, {high}]{metric}"


def _paper(line: dict[str, str]) -> str:
    try:
        return _signed(line["reported_difference"])
    except (KeyError, ValueError):
        return "–"


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
        found = f"{counts['met']} of {counts.total()}" if counts else "not measured"
        yield f"  {found}: {meaning}{excepted}"


def _claims(lines: Lines, seeds: int) -> Iterator[str]:
    if not lines:
        yield "The paper's claims: not tested: replication claims"
        return
    counts = Counter(line["verdict"] for line in lines)
    total = len(lines) - counts[NOT_MEASURED]
    decided = total - counts["inconclusive"] - counts["not testable"]
    yield f"The paper's claims: {_count_verdicts(lines)}"
    many = "almost nothing" if decided <= FEW * total else f"{decided} of {total} claims"
    yield f"{seeds} seed{'s' * (seeds != 1)} decide{'s' * (seeds == 1)} {many}: inconclusive means"
    yield "  that these seeds cannot tell, neither that the paper is right nor that it is wrong."
    expected, needed = (_numbers(lines, f"{it}_corrected") for it in ("power", "seeds_needed"))
    if expected and needed:
        yield f"  With the paper's effects, they decide {sum(expected):.1f} on average;"
        yield f"  half of the claims need {median(needed):.0f} seeds or more."


def _numbers(lines: Lines, column: str) -> list[float]:
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(float(line.get(column) or ""))
    return found


def _read(file: Path) -> Lines:
    """The lines of a csv file; none where it does not exist."""
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            return list(csv.DictReader(opened))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{file}: damaged ({error}); delete it and call snakemake") from None
