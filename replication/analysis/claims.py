"""Decides the claims of the paper, with the evidence; docs/claims.md has the reasons.

A claim compares two sides, each a mean of cells, and puts their difference into a region. The
difference is taken within a seed.

* ``replicated``: the difference lies on the claim's side;
* ``contradicted``: it lies on the other side;
* ``negligible``: the claim says that there is an effect, and it is below the smallest of interest;
* ``inconclusive``: none of them is proven, or a cell is not measured, or seeds show no spread;
* ``not testable``: a network of the claim has another relative size than in the paper.

Primary claims have Holm's correction over all of them that could be tested. The others are decided
only if their primary claim is, with Holm's correction within their family and Bonferroni's over the
families.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from replication import files
from replication.analysis.cells_csv import BUILD, KEY, read_cells
from replication.analysis.contrasts import Measured
from replication.analysis.hypothesis_tests import (
    LEVEL,
    OUTCOMES,
    chance_of_single_runs,
    decide,
    holm,
    outcomes,
    power,
    seeds_needed,
    single_run_verdict,
)
from replication.analysis.items import item_intervals
from replication.analysis.statistics import summarise_strata
from replication.architectures.catalogue import kind_of
from replication.config.paper_claims import Claims, ClaimSpec, read_claims
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.plan.plan import Plan

FILES = ("claims.csv", "claims_power.csv")
# The columns of ``claims_power.csv``.
NUMBERS = [
    *("claim", "family", "metric", "expect", "smallest_effect", "n", "strata", "difference", "std"),
    *("ci_low", "ci_high", "paired_difference", "p_contradicted", "p_negligible", "p_replicated"),
    *("p_value", "p_corrected", "p_negligible_corrected", "reported_difference", "level"),
    *(
        "reported_level",
        "effect",
        "fraction",
        "fraction_low",
        "fraction_high",
        "power",
        "power_corrected",
    ),
    *("seeds_needed", "seeds_needed_corrected", "single_run_verdict"),
]
# Corrected p-values, by what they are corrected from.
CORRECTED = {"p_value": "p_corrected", "p_negligible": "p_negligible_corrected"}
UNITS = {"nll": "nats", "kl": "nats", "brier": "of the score"}


def build_claims(plan: Plan, folder: Path = TABLES) -> pd.DataFrame:
    """Write the frames of `claims_of`, and ``claims_items.csv`` with intervals over test items.

    Returns the first. Raises InputError if ``cells.csv``, ``quality.csv`` or ``claims.yaml`` is
    missing or wrong.
    """
    frames = claims_of(plan, folder)
    items = item_intervals(plan, read_claims(folder, plan.scale.study))
    for name, frame in zip((*FILES, "claims_items.csv"), (*frames, items), strict=True):
        files.write_text(plan.results / name, frame.to_csv(index=False))
    return frames[0]


def claims_of(plan: Plan, folder: Path = TABLES) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames of `decide_claims` for a scale; raises as `build_claims`.

    Without ``quality.csv`` the claims on it are not measured.
    """
    claims, file = read_claims(folder, plan.scale.study), plan.results / "quality.csv"
    cells = _read(plan.results / "cells.csv", KEY)
    quality = _read(file, [*KEY, "metric"]) if file.exists() else None
    return decide_claims(claims, cells, quality, plan.scale.exceptions)


def _read(file: Path, key: list[str]) -> pd.DataFrame:
    frame = read_cells(file)
    if frame.duplicated(key).any():
        raise InputError(f"{file}: damaged (a cell has a seed twice); delete it and {BUILD}")
    return frame


def decide_claims(
    claims: Claims,
    cells: pd.DataFrame,
    quality: pd.DataFrame | None = None,
    exceptions: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decide every claim from the lines of ``cells.csv`` and ``quality.csv``: a line per claim.

    The first frame has claim, section, statement, verdict, evidence, source and family; the second
    the numbers: differences in points, perplexity or the metric's unit, p-values, the effect as a
    fraction of the paper's, power and seeds needed at the paper's effect, and what the paper's
    single runs alone can tell. Claims on networks in `exceptions` are not tested.
    """
    measured: dict[str | None, Measured] = {None: Measured(cells)}
    empty = cells.iloc[:0] if quality is None else quality
    for metric in {claim.metric for claim in claims.file.claims.values()} - {None}:
        measured[metric] = Measured(empty[empty["metric"] == metric])
    lines = {
        name: _measure(name, claims, measured[claim.metric], exceptions or {})
        for name, claim in claims.file.claims.items()
    }
    _correct(claims, lines)
    frame = pd.DataFrame([_line(claims, line) for line in lines.values()])
    return frame, pd.DataFrame(list(lines.values()), columns=NUMBERS)


def _measure(
    name: str, claims: Claims, measured: Measured, exceptions: Mapping[str, str]
) -> dict[str, Any]:
    """A claim's numbers before correction; NaN where there are none."""
    claim = claims.file.claims[name]
    contrast, reference = claim.contrast(), claim.right.weights()
    printed = np.nan if claim.metric else 1.0
    excepted = sorted(claims.networks((*contrast, *reference)) & {*exceptions})
    missing = measured.missing({**contrast, **reference})
    line: dict[str, Any] = dict.fromkeys(NUMBERS, np.nan) | {
        "claim": name,
        "family": claim.family or name,
        "metric": claim.metric,
        "expect": claim.expect,
        "n": 0,
        "reported_difference": printed * claims.reported(contrast),
        "reported_level": printed * claims.reported(reference),
        "single_run_verdict": _single_run_verdict(name, claims),
        "missing": missing,
        "excepted": [f"{network}: {exceptions[network]}" for network in excepted],
    }
    if missing or excepted or not len(measured.combine({**contrast, **reference})):
        return line
    strata = measured.strata(contrast)
    values = measured.combine_strata(strata)
    level = float(measured.combine(reference).mean())
    smallest = claims.smallest_effect(name) * level
    found = summarise_strata(values)
    line |= {"n": values.shape[1], "strata": len(strata), "level": level}
    line |= {"smallest_effect": smallest, "difference": float(found.mean)}
    line["paired_difference"] = float(measured.combine(contrast, measured.paired).mean())
    # In proportion, because another data set has another error.
    line["effect"] = line["reported_difference"] / line["reported_level"] * level
    fractions = np.array([found.mean, found.low, found.high]) / (line["effect"] or np.nan)
    line["fraction"], (line["fraction_low"], line["fraction_high"]) = (
        fractions[0],
        np.sort(fractions[1:]),
    )
    # Errors are counts of test items: equal differences do not mean that seeds do not vary.
    if not np.isnan(found.low):
        n, region = line["n"], claim.region(smallest)
        error, freedom = float(found.std) / np.sqrt(n), len(strata) * (n - 1)
        p_values = outcomes(
            float(found.mean), error, freedom, region, smallest if claim.improvement else np.nan
        )
        line |= {"std": float(found.std), "ci_low": float(found.low), "ci_high": float(found.high)}
        line |= zip(("p_contradicted", "p_negligible", "p_replicated"), p_values, strict=True)
        line["p_value"] = min(line["p_contradicted"], line["p_replicated"])
    return line


def _single_run_verdict(name: str, claims: Claims) -> str:
    """What the paper's own runs say; their spread is known on the data set of its replicates."""
    claim = claims.file.claims[name]
    contrast = claim.contrast()
    difference, level = claims.reported(contrast), claims.reported(claim.right.weights())
    on = claims.datasets(contrast)
    if claim.metric or on != {claims.replicates_dataset} or np.isnan(difference):
        return "not applicable"
    region = claim.region(claims.smallest_effect(name) * level)
    chance = chance_of_single_runs(claims.replicate_pairs(), list(contrast.values()))
    return single_run_verdict(difference, region, chance)


def _correct(claims: Claims, lines: Mapping[str, dict[str, Any]]) -> None:
    """Add corrected p-values, the number of tests that they are corrected for, and power.

    Directions and negligible differences each have Holm's correction: over all primary claims that
    are tested, and within a family, there multiplied by the number of families, so that it covers
    all of them. A claim of a family has the smallest p-value of its primary claim at least.
    """
    families: dict[str, list[str]] = {"": []}
    for name, claim in claims.file.claims.items():
        if np.isfinite(lines[name]["p_value"]):
            families.setdefault(claim.family or "", []).append(name)
    # Primary claims come first: the others need their corrected p-values.
    for primary, names in families.items():
        among = len(families) - 1 if primary else 1
        corrected = [lines[primary].get(name) for name in CORRECTED.values()] if primary else [0.0]
        gate = np.fmin.reduce(np.array(corrected, dtype=float))
        for source, target in CORRECTED.items():
            p_values = holm(np.array([lines[name][source] for name in names], dtype=float))
            for name, p_value in zip(names, p_values, strict=True):
                if np.isfinite(p_value):
                    lines[name][target] = np.fmax(gate, min(1, among * p_value))
        for name in names:
            lines[name] |= {"tests": len(names), "families": among, "closed": gate >= LEVEL}
            lines[name] |= _power(claims.file.claims[name], lines[name])


def _power(claim: ClaimSpec, line: dict[str, Any]) -> dict[str, float]:
    """Power now and seeds needed, at the level 5 % and at the strictest of Holm's procedure.

    Of a claim that is not primary, given that its primary claim is decided.
    """
    effect, region = line["effect"], claim.region(line["smallest_effect"])
    numbers: dict[str, float] = {}
    if not np.isnan(effect):
        for ending, level in (
            ("", LEVEL),
            ("_corrected", LEVEL / line["tests"] / line["families"]),
        ):
            options = {"region": region, "level": level, "strata": line["strata"]}
            numbers[f"power{ending}"] = power(effect, line["std"], line["n"], **options)
            numbers[f"seeds_needed{ending}"] = seeds_needed(effect, line["std"], **options)
    return numbers


def _line(claims: Claims, numbers: dict[str, Any]) -> dict[str, str | None]:
    """The line of a claim in ``claims.csv``."""
    claim, verdict = claims.file.claims[numbers["claim"]], "not testable"
    if not numbers["excepted"]:
        three = np.array([numbers[f"p_{it}"] for it in OUTCOMES])
        corrected = numbers["p_corrected"], numbers["p_negligible_corrected"]
        verdict = str(decide(three, *corrected))
    return {
        "claim": numbers["claim"],
        "section": claim.section,
        "statement": claim.statement,
        "verdict": verdict,
        "evidence": _evidence(claims, claim, numbers, verdict),
        "source": claim.source,
        "family": numbers["family"],
    }


def _evidence(claims: Claims, claim: ClaimSpec, numbers: dict[str, Any], verdict: str) -> str:
    if numbers["excepted"]:
        return f"not testable at this scale: {'; '.join(numbers['excepted'])}"
    if missing := numbers["missing"]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return f"not measured at this scale: {' / '.join(missing[0])}{more}"
    n = numbers["n"]
    if n == 0:
        return "no seed has all the cells"
    kinds = {kind_of(network) for network in claims.networks(claim.contrast())}
    unit = "perplexity" if kinds == {"language"} else "points"
    unit = UNITS.get(claim.metric or "", unit)
    digits = 3 if claim.metric else 2

    def number(name: str) -> str:
        return f"{numbers[name]:+.{digits}f}".replace("-", "−")

    difference = f"difference {number('difference')} {unit}"
    if n == 1:
        parts = [difference, "one seed gives no interval"]
    elif np.isnan(numbers["p_value"]):
        parts = [difference, f"equal at all {n} seeds, so there is no spread for a test"]
    else:
        low, high = number("ci_low"), number("ci_high")
        p = numbers["p_negligible_corrected" if verdict == "negligible" else "p_corrected"]
        shown = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
        shown += f" corrected for {numbers['tests']} claims"
        if claim.family:
            shown += f" in one of {numbers['families']} families"
        if numbers["closed"]:
            shown = f"not decided, as `{claim.family}` is not"
        parts = [f"{difference} [95 % interval {low} to {high}]", f"n = {n} seeds", shown]
    parts.append(f"smallest effect of interest {numbers['smallest_effect']:.{digits}f}")
    if np.isfinite(numbers["reported_difference"]):
        parts.append(f"the paper’s {number('reported_difference')}")
    return "; ".join(parts)
