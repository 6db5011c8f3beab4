"""What a finished sweep can and cannot say, as the terminal shows it.

Reads small csv files without pandas, so that `make tables` ends without a delay.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from replication.analysis.fair_test import FAIR_TEST
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.wording import counted

FEW_DECISIONS = 0.1
"""Share of the measured claims up to which a number of seeds decides almost nothing."""

UNTESTED = ("not measured", "network excepted")
"""Reasons shown in place of *undecided*, because no number of seeds would change them."""

Lines = list[dict[str, str]]


def describe_outcome(plan: Plan) -> str:
    """Criteria met, claims decided, what the seeds can tell, and where everything is.

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


def criteria_met(plan: Plan) -> list[str]:
    """How many networks meet each criterion of a fair test, a line each below a title."""
    return list(_criteria(read_lines(plan.results / "criteria.csv")))


def tested_claims(plan: Plan) -> Lines:
    """The claims with their numbers, empty where there are none."""
    numbers = {line.get("claim"): line for line in read_lines(plan.results / "claims_power.csv")}
    texts = ("statement", "tested_on", "verdict", "size", "reason", "source", "family")
    return [
        {**dict.fromkeys(texts, ""), **numbers.get(line["claim"], {}), **line}
        for line in read_lines(plan.results / "claims.csv")
        if "claim" in line
    ]


def count_verdicts(claims: Lines) -> str:
    """How many claims have each verdict, or reason for which they were not tested."""
    counts = Counter(
        line["reason"] if line["reason"] in UNTESTED else line["verdict"] for line in claims
    )
    return ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())


def _criteria(lines: Lines) -> Iterator[str]:
    if not lines:
        yield "Is the scale a fair test? Not measured yet; run: replication criteria --write"
        return
    yield "Is the scale a fair test? Networks that meet each criterion (replication criteria):"
    for criterion in FAIR_TEST:
        name, meaning = criterion.name, criterion.in_short
        counts = Counter(verdict for line in lines if (verdict := line.get(name)))
        excepted = (
            f", {counted(counts['exception'], 'stated exception')}" if counts["exception"] else ""
        )
        met = f"{counts['met']} of {counts.total()}" if counts else "not measured"
        missing = "" if counts else f" (needs {criterion.needs})"
        yield f"  {met}: {meaning}{excepted}{missing}"


def _claims(lines: Lines, seeds: int) -> Iterator[str]:
    if not lines:
        yield "Claims: not tested yet; run: replication claims"
        return
    tested = [line for line in lines if line["reason"] not in UNTESTED]
    decided = [line for line in tested if line["verdict"] != "undecided"]
    yield f"Claims: {count_verdicts(lines)}"
    few = len(decided) <= FEW_DECISIONS * len(tested)
    many = "almost nothing" if few else f"{len(decided)} of {len(tested)} claims"
    yield f"{counted(seeds, 'seed')} decide{'s' * (seeds == 1)} {many}. Undecided means"
    yield "  that these seeds cannot tell whether the paper is right or wrong."
    expected, needed = (
        _numbers(lines, f"{column}_corrected") for column in ("power", "seeds_needed")
    )
    if expected and needed:
        yield f"  If every effect were the paper's, these would decide {sum(expected):.1f}"
        yield f"  claims on average; half of the claims need {median(needed):.0f} seeds or more."


def _numbers(lines: Lines, column: str) -> list[float]:
    """The numbers of a column, without its empty entries."""
    numbers = []
    for line in lines:
        with suppress(ValueError):
            numbers.append(float(line.get(column) or ""))
    return numbers


def read_lines(file: Path) -> Lines:
    """The lines of a csv file; none where it does not exist.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            return list(csv.DictReader(opened))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{file}: damaged ({error}); delete it and run snakemake again") from None
