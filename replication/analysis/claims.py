"""Decides the claims of the paper: replicated, contradicted or inconclusive, with the evidence.

A claim compares two sides, each a mean of cells, and puts their difference into a region. The
difference is taken within a seed, so that a student is compared with the teacher of its own
lineage.

* ``replicated``: the difference lies on the claim's side, corrected p below 0.05;
* ``contradicted``: it lies on the other side, corrected p below 0.05;
* ``inconclusive``: anything else, also if a cell is not measured or one seed gives no spread.

The correction is Holm's over all claims that could be tested at the scale. It needs no assumption
on how the claims depend on each other (they share runs), and it covers the statement "so many
claims replicated" as a whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication import files
from replication.analysis.cells_csv import BUILD, KEY, read_cells
from replication.analysis.hypothesis_tests import (
    LEVEL,
    chance_of_single_runs,
    decide,
    holm,
    power,
    seeds_needed,
    single_run_verdict,
)
from replication.analysis.statistics import summarise
from replication.config.paper_claims import CellKey, Claims, ClaimSpec, read_claims
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.plan.plan import Plan

# The columns of ``claims_power.csv``.
NUMBERS = [
    *("claim", "expect", "margin", "n", "difference", "std", "ci_low", "ci_high"),
    *("p_value", "p_corrected", "reported_difference", "level", "reported_level", "effect"),
    *("power", "power_corrected", "seeds_needed", "seeds_needed_corrected", "single_run_verdict"),
]


def build_claims(plan: Plan, folder: Path = TABLES) -> pd.DataFrame:
    """Write the frames of `decide_claims` as ``claims.csv`` and ``claims_power.csv``.

    Returns the first. Raises InputError if ``cells.csv`` or ``claims.yaml`` is missing or wrong.
    """
    file = plan.results / "cells.csv"
    claims, cells = read_claims(folder), read_cells(file)
    if cells.duplicated(KEY).any():
        raise InputError(f"{file}: damaged (a cell has a seed twice); delete it and {BUILD}")
    frame, numbers = decide_claims(claims, cells)
    files.write_text(plan.results / "claims.csv", frame.to_csv(index=False))
    files.write_text(plan.results / "claims_power.csv", numbers.to_csv(index=False))
    return frame


def decide_claims(claims: Claims, cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decide every claim from the lines of ``cells.csv``: two frames, one line per claim.

    The first has claim, section, statement, verdict and evidence; the second has the numbers:
    difference and level in points or perplexity, p-values, power and seeds needed at the paper's
    effect, and what the paper's single runs alone can tell.
    """
    values = cells.set_index(KEY)["value"].unstack("seed")
    measured = [_measure(name, claims, values) for name in claims.file.claims]
    family = [line for line in measured if np.isfinite(line["p_value"])]
    corrected = holm([line["p_value"] for line in family])
    for line, p_value in zip(family, corrected, strict=True):
        line["p_corrected"] = p_value
        line |= _power(line, len(family))
    frame = pd.DataFrame([_line(claims, line, len(family)) for line in measured])
    return frame, pd.DataFrame(measured, columns=NUMBERS)


def _combine(values: pd.DataFrame, weights: Mapping[CellKey, float]) -> NDArray[np.float64]:
    """The weighted sum of cells for each seed that has all of them."""
    found = values.reindex(pd.MultiIndex.from_tuples(list(weights))).dropna(axis="columns")
    combined: NDArray[np.float64] = np.array(list(weights.values())) @ found.to_numpy()
    return combined


def _measure(name: str, claims: Claims, values: pd.DataFrame) -> dict[str, Any]:
    """A claim's numbers before correction; NaN where there are none."""
    claim = claims.file.claims[name]
    contrast, reference = claim.contrast(), claim.right.weights()
    reported, reported_level = claims.reported(contrast), claims.reported(reference)
    measured = values.index[values.notna().any(axis="columns")]
    missing = [cell for cell in (*contrast, *reference) if cell not in measured]
    differences = _combine(values, contrast) if not missing else np.array([])
    line: dict[str, Any] = dict.fromkeys(NUMBERS, np.nan) | {
        "claim": name,
        "expect": claim.expect,
        "n": len(differences),
        "reported_difference": reported,
        "reported_level": reported_level,
        "single_run_verdict": _single_run_verdict(claim, claims),
        "missing": missing,
    }
    if len(differences):
        level = float(_combine(values, reference).mean())
        margin = claims.file.margin * level
        # In proportion, because another data set has another error.
        line |= {"level": level, "effect": reported / reported_level * level}
        if claim.uses_margin:
            line["margin"] = margin
        line["region"] = region = claim.region(margin)
        line["difference"], std, low, high, _ = summarise(list(differences))
        # Errors are counts of test items: equal differences do not mean that seeds do not vary.
        if not np.isnan(low):
            p_value, line["holds"] = decide(line["difference"], std, line["n"], region)
            line |= {"std": std, "ci_low": low, "ci_high": high, "p_value": p_value}
    return line


def _single_run_verdict(claim: ClaimSpec, claims: Claims) -> str:
    """What the paper's own runs say; their spread is known on the data set of its replicates."""
    contrast = claim.contrast()
    difference, level = claims.reported(contrast), claims.reported(claim.right.weights())
    if claims.datasets(contrast) != {claims.replicates_dataset} or np.isnan(difference):
        return "not applicable"
    region = claim.region(claims.file.margin * level)
    chance = chance_of_single_runs(claims.replicate_pairs(), list(contrast.values()))
    return single_run_verdict(difference, region, chance)


def _power(line: dict[str, Any], family: int) -> dict[str, float]:
    """Power now and seeds needed, at the level 5 % and at the strictest of Holm's procedure."""
    effect, std, region = line["effect"], line["std"], line["region"]
    numbers = {}
    if not np.isnan(effect):
        for ending, level in (("", LEVEL), ("_corrected", LEVEL / family)):
            numbers[f"power{ending}"] = power(effect, std, line["n"], region, level)
            numbers[f"seeds_needed{ending}"] = seeds_needed(effect, std, region, level)
    return numbers


def _line(claims: Claims, numbers: dict[str, Any], family: int) -> dict[str, str]:
    """The line of a claim in ``claims.csv``."""
    claim, verdict = claims.file.claims[numbers["claim"]], "inconclusive"
    if numbers["p_corrected"] < LEVEL:
        verdict = "replicated" if numbers["holds"] else "contradicted"
    return {
        "claim": numbers["claim"],
        "section": claim.section,
        "statement": claim.statement,
        "verdict": verdict,
        "evidence": _evidence(claims, claim, numbers, family),
    }


def _evidence(claims: Claims, claim: ClaimSpec, numbers: dict[str, Any], family: int) -> str:
    if missing := list(dict.fromkeys(numbers["missing"])):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"not measured at this scale: {' / '.join(missing[0])}{more}"
    n = numbers["n"]
    if n == 0:
        return "no seed has all the cells"
    unit = "perplexity" if claims.datasets(claim.contrast()) == {"ptb"} else "points"
    difference = f"difference {_number(numbers['difference'])} {unit}"
    if n == 1:
        parts = [difference, "one seed gives no interval"]
    elif np.isnan(numbers["p_value"]):
        parts = [difference, f"equal at all {n} seeds, so there is no spread for a test"]
    else:
        low, high = _number(numbers["ci_low"]), _number(numbers["ci_high"])
        p = numbers["p_corrected"]
        shown = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
        interval = f"{difference} [95 % interval {low} to {high}]"
        parts = [interval, f"n = {n} seeds", f"{shown} corrected for {family} claims"]
    if claim.uses_margin:
        parts.append(f"margin {numbers['margin']:.2f}")
    if np.isfinite(numbers["reported_difference"]):
        parts.append(f"the paper’s {_number(numbers['reported_difference'])}")
    return "; ".join(parts)


def _number(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
