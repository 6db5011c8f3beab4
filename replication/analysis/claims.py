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
from replication.analysis.cells_csv import CELL, read_cells
from replication.analysis.hypothesis_tests import (
    LEVEL,
    chance_of_single_runs,
    decide,
    holm,
    power,
    seeds_needed,
    single_run_verdict,
    spread_of_replicates,
)
from replication.analysis.statistics import summarise
from replication.config.paper_claims import CellKey, Claims, ClaimSpec, Region, read_claims
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.plan.plan import Plan

KEY = [*CELL, "seed"]
UNTESTED: dict[str, Any] = dict.fromkeys(["std", "ci_low", "ci_high", "p_value"], np.nan)
POWERLESS: dict[str, Any] = dict.fromkeys(
    ["power", "power_corrected", "seeds_needed", "seeds_needed_corrected"], np.nan
)


def build_claims(plan: Plan, folder: Path = TABLES) -> pd.DataFrame:
    """Decide every claim from ``cells.csv``; write the frames of `decide_claims`, return the first.

    They become ``claims.csv`` and ``claims_power.csv``.

    Raises:
        InputError: ``cells.csv`` or ``claims.yaml`` is missing, damaged or wrong, or a file cannot
            be written.
    """
    file = plan.results / "cells.csv"
    claims, cells = read_claims(folder), read_cells(file)
    if cells.duplicated(KEY).any():
        raise InputError(
            f"{file}: damaged (a cell has a seed twice); delete it and build it with: snakemake"
            " --cores 2"
        )
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
    return frame, pd.DataFrame(measured).drop(columns=["holds", "missing", "region"])


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
    n = len(differences)
    level = float(_combine(values, reference).mean()) if n else np.nan
    margin = claims.file.margin * level
    region = claim.region(margin)
    return {
        "claim": name,
        "expect": claim.expect,
        "margin": margin if claim.uses_margin else np.nan,
        "n": n,
        "difference": float(differences.mean()) if n else np.nan,
        **_test(differences, region),
        "p_corrected": np.nan,
        "reported_difference": reported,
        "level": level,
        "reported_level": reported_level,
        # In proportion, because another data set has another error.
        "effect": reported / reported_level * level,
        **POWERLESS,
        "single_run_verdict": _single_run_verdict(claim, claims),
        "region": region,
        "missing": list(dict.fromkeys(missing)),
    }


def _test(differences: NDArray[np.float64], region: Region) -> dict[str, Any]:
    if not len(differences):
        return UNTESTED | {"holds": False}
    mean, std, low, high, _, n = summarise(list(differences))
    # Errors are counts of test items: equal differences do not mean that seeds do not vary.
    if np.isnan(low):
        return UNTESTED | {"holds": False}
    test = decide(mean, std, n, region)
    tested = {"std": std, "ci_low": low, "ci_high": high}
    return tested | {"p_value": test.p_value, "holds": test.holds}


def _single_run_verdict(claim: ClaimSpec, claims: Claims) -> str:
    """What the paper's own runs say; their spread is known on the data set of its replicates."""
    contrast = claim.contrast()
    difference, level = claims.reported(contrast), claims.reported(claim.right.weights())
    if claims.datasets(contrast) != {claims.replicates_dataset} or np.isnan(difference):
        return "not applicable"
    region = claim.region(claims.file.margin * level)
    spread = spread_of_replicates(claims.replicate_pairs())
    chance = chance_of_single_runs(spread, list(contrast.values()))
    return single_run_verdict(difference, region, chance)


def _power(line: dict[str, Any], family: int) -> dict[str, float]:
    """Power now and seeds needed, at the level 5 % and at the strictest of Holm's procedure."""
    effect, std, region = line["effect"], line["std"], line["region"]
    if np.isnan(effect):
        return {}
    return {
        "power": power(effect, std, line["n"], region),
        "power_corrected": power(effect, std, line["n"], region, LEVEL / family),
        "seeds_needed": seeds_needed(effect, std, region),
        "seeds_needed_corrected": seeds_needed(effect, std, region, LEVEL / family),
    }


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
    if missing := numbers["missing"]:
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
        parts = [
            f"{difference} [95 % interval {low} to {high}]",
            f"n = {n} seeds",
            _p_value(numbers["p_corrected"], family),
        ]
    if claim.uses_margin:
        parts.append(f"margin {numbers['margin']:.2f}")
    if np.isfinite(numbers["reported_difference"]):
        parts.append(f"the paper’s {_number(numbers['reported_difference'])}")
    return "; ".join(parts)


def _p_value(value: float, family: int) -> str:
    shown = "p < 0.001" if value < 0.001 else f"p = {value:.2g}"
    return f"{shown} corrected for {family} claims"


def _number(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
