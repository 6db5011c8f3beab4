"""What a finished sweep can and cannot say, in a few lines for somebody who sees it first.

Reads small csv files without pandas, so that it ends `make tables` at once.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

from replication.errors import InputError
from replication.plan.plan import Plan

CRITERIA = {
    "capacity": "sizes of networks in the paper's proportions",
    "fit": "training error below 1 %",
    "error": "test error of 8 to 35 %",
    "schedule": "students trained until they change no more",
}
FEW = 0.1
"""Share of the claims below which a number of seeds decides almost nothing."""

Lines = list[dict[str, str]]


def describe_outcome(plan: Plan) -> str:
    """Criteria met, claims decided, what the seeds can tell, and where everything lies.

    Raises:
        InputError: a csv file is damaged.
    """
    folder = plan.results
    criteria, claims, power = (
        _read(folder / f"{name}.csv") for name in ("criteria", "claims", "claims_power")
    )
    parts = [*_criteria(criteria), *_claims(claims, power, len(plan.scale.seeds))]
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
    scale, folder = plan.scale, plan.results
    criteria, claims, power = (
        _read(folder / f"{name}.csv") for name in ("criteria", "claims", "claims_power")
    )
    title = f"Born-Again Neural Networks at scale {scale.scale}"
    data = ", ".join(dict.fromkeys(run.dataset.name for run in plan.runs.values()))
    numbers = {line.get("claim"): line for line in power}
    rows = [("Claim", "Verdict", "Difference", "Paper")]
    for line in claims:
        if line.get("claim") == line.get("family"):
            found, paper = _estimate(numbers.get(line.get("claim"), {}))
            rows.append((line.get("statement", ""), line.get("verdict", ""), found, paper))
    blocks = [
        f"{title}\n{'=' * len(title)}",
        f"{len(plan.runs)} networks, {len(scale.seeds)} seeds, trained on {data}. Tables, figures,"
        " notebooks and criteria stand on the left; every claim is in the notebook *claims*.",
        "Is it a fair test?\n------------------",
        "\n".join(f"* {line.strip()}" for line in [*_criteria(criteria)][1:]),
        "The primary claims\n------------------",
        ".. list-table::\n   :header-rows: 1\n   :widths: 50 15 25 10\n",
        "\n".join("   * - " + "\n     - ".join(row) for row in rows),
    ]
    return "\n\n".join(blocks) + "\n"


def _estimate(numbers: dict[str, str]) -> tuple[str, str]:
    """A claim's difference with its 95 % interval, and the paper's difference."""
    try:
        value, low, high, paper = (
            f"{float(numbers[key]):+.2f}".replace("-", "−")
            for key in ("difference", "ci_low", "ci_high", "reported_difference")
        )
    except (KeyError, ValueError):
        return "–", "–"
    return f"{value} [{low}, {high}]", paper


def _criteria(lines: Lines) -> Iterator[str]:
    if not lines:
        yield "Is the scale a fair test? Not measured: replication criteria"
        return
    yield "Is the scale a fair test? Networks that meet each criterion (replication criteria):"
    for name, meaning in CRITERIA.items():
        counts = Counter(verdict for line in lines if (verdict := line.get(name)))
        excepted = f", {counts['exception']} stated exceptions" if counts["exception"] else ""
        found = f"{counts['met']} of {counts.total()}" if counts else "not measured"
        yield f"  {found}: {meaning}{excepted}"


def _claims(lines: Lines, power: Lines, seeds: int) -> Iterator[str]:
    counts, total = Counter(line.get("verdict") for line in lines), len(lines)
    decided = total - counts["inconclusive"] - counts["not testable"]
    if not lines:
        yield "The paper's claims: not tested: replication claims"
        return
    found = ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())
    yield f"The paper's claims: {found}"
    many = "almost nothing" if decided < FEW * total else f"{decided} of {total} claims"
    yield f"{seeds} seed{'s' * (seeds != 1)} decide{'s' * (seeds == 1)} {many}: inconclusive means"
    yield "  that these seeds cannot tell, neither that the paper is right nor that it is wrong."
    expected, needed = (_numbers(power, f"{it}_corrected") for it in ("power", "seeds_needed"))
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
