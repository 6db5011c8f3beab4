"""Decides all claims of a file together: corrected p-values, verdicts, sizes and reasons."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replication.analysis.claim_measurement import ClaimMeasurement
from replication.analysis.claim_verdicts import (
    HOLDS,
    MAIN_CLAIM_UNDECIDED,
    NETWORK_EXCEPTED,
    NO_PRINTED_EFFECT,
    NOT_MEASURED,
    TIES,
    TOO_FEW_SEEDS,
    UNDECIDED,
    decide,
    decide_size,
)
from replication.analysis.hypothesis_tests import (
    DIRECTION,
    LEVEL,
    correct_claims,
    strictest_level,
)
from replication.analysis.statistical_power import power, seeds_needed
from replication.config.claim_specs import Region
from replication.config.paper_claims import Claims


@dataclass(frozen=True)
class ClaimPower:
    """What it takes to decide a claim; NaN where there is no test, and for more than 10,000 seeds.

    Power is the chance that the present seeds decide the claim; the seeds needed give a chance of
    80 %. Both are at the level of a claim alone, and at the strictest level of the correction.
    """

    effect: float
    """The true difference, as left minus right, that is assumed."""
    alone: float = np.nan
    corrected: float = np.nan
    seeds_alone: float = np.nan
    seeds_corrected: float = np.nan


@dataclass(frozen=True)
class ClaimDecision:
    """What is decided about one claim."""

    verdict: str
    """One of `claim_verdicts.CLAIM_VERDICTS`."""
    size: str
    """One of `claim_verdicts.SIZES`; empty for a bound."""
    reason: str
    """One of `claim_verdicts.REASONS` for an undecided claim; empty for the others."""
    corrected: NDArray[np.float64]
    """P-values after correction (3,), by `hypothesis_tests.QUESTIONS`; 1 where there is no test."""
    without_gate: bool
    """Whether the claim is decided without its family's main claim, which is not measured."""
    power: ClaimPower
    seeds_to_decide: float
    """About how many seeds it takes, where too few seeds are the reason; infinite above 10,000."""


def primary_places(claims: Claims) -> NDArray[np.int64]:
    """The place of each claim's primary claim in the file (claims,)."""
    names = list(claims.file.claims)
    return np.array([names.index(claims.file.primary_of(name)) for name in names])


def decide_all(
    claims: Claims, measurements: Mapping[str, ClaimMeasurement]
) -> dict[str, ClaimDecision]:
    """Decide every claim of the file, by name.

    A family whose main claim is not measured is decided without it. One whose main claim is
    measured and cannot be tested, or is on an excepted network, stays undecided.
    """
    names = list(claims.file.claims)
    ordered = [measurements[name] for name in names]
    primaries = primary_places(claims)
    p_values = np.stack([measurement.tests.p_values for measurement in ordered], axis=1)
    gated = np.array([not _unmeasured(ordered[place]) for place in primaries])
    corrected = correct_claims(p_values, primaries, gated)
    supports = np.array([measurement.tests.supports for measurement in ordered])
    verdicts, sizes = decide(corrected, supports), decide_size(corrected)
    decisions = {}
    for place, (name, measurement) in enumerate(zip(names, ordered, strict=True)):
        primary = int(primaries[place])
        is_gated = primary != place and bool(gated[place])
        closed = is_gated and bool(corrected[DIRECTION, primary] >= LEVEL)
        verdict = _replicated_or_holds(claims, name, str(verdicts[place]))
        reason = _reason(measurement, closed) if verdict == UNDECIDED else ""
        level = strictest_level(place, primaries)
        needed = claim_power(claims, name, measurement, level)
        decisions[name] = ClaimDecision(
            verdict,
            _size_in_words(claims, name, str(sizes[place])),
            reason,
            corrected[:, place],
            without_gate=primary != place and not gated[place],
            power=needed,
            seeds_to_decide=_seeds_to_decide(claims, name, measurement, needed, level)
            if reason == TOO_FEW_SEEDS and measurement.tested
            else np.nan,
        )
    return decisions


def _replicated_or_holds(claims: Claims, name: str, verdict: str) -> str:
    """The verdict on a claim, which holds where there is nothing of the paper's to replicate."""
    claim = claims.file.claims[name]
    of_the_paper = claim.source != "ours" and (
        not claim.direction or not math.isnan(claims.reported_effect(name))
    )
    return verdict if of_the_paper else HOLDS.get(verdict, verdict)


def _size_in_words(claims: Claims, name: str, size: str) -> str:
    """The size of an effect, if the paper prints one to compare it with; empty for a bound."""
    if not claims.file.claims[name].direction:
        return ""
    return NO_PRINTED_EFFECT if math.isnan(claims.reported_effect(name)) else size


def _unmeasured(measurement: ClaimMeasurement) -> bool:
    """Whether a claim has no results at all, rather than results that allow no test."""
    return not measurement.measured and not measurement.excepted


def _reason(measurement: ClaimMeasurement, closed: bool) -> str:
    """Why a claim is undecided."""
    if measurement.excepted:
        return NETWORK_EXCEPTED
    if not measurement.measured:
        return NOT_MEASURED
    if measurement.seeds == 1:
        return TOO_FEW_SEEDS
    if not measurement.tested:
        return TIES
    return MAIN_CLAIM_UNDECIDED if closed else TOO_FEW_SEEDS


def _assumed_effect(claims: Claims, name: str, measurement: ClaimMeasurement) -> float:
    """The paper's difference in proportion to our level, if it says what the claim says.

    Otherwise the margin in the claim's direction, or no difference for a claim that bounds it.
    """
    difference = claims.reported_difference(name)
    if np.isfinite(difference) and not claims.is_outside_its_region(name):
        return difference / claims.reported_level(name) * measurement.level
    return claims.file.claims[name].direction * measurement.margin


def claim_power(
    claims: Claims, name: str, measurement: ClaimMeasurement, strictest: float
) -> ClaimPower:
    """The power of a claim and the seeds it needs, given that its family's main claim is decided.

    Args:
        claims: all claims.
        name: the claim's name.
        measurement: its spread over the seeds is taken for the true one.
        strictest: level of the first step of the correction.
    """
    effect = _assumed_effect(claims, name, measurement)
    if not measurement.tested:
        return ClaimPower(effect)
    region = claims.file.claims[name].region(measurement.margin)
    std, strata = measurement.std, measurement.strata
    return ClaimPower(
        effect,
        power(effect, std, measurement.seeds, region, LEVEL, strata),
        power(effect, std, measurement.seeds, region, strictest, strata),
        seeds_needed(effect, std, region, LEVEL, strata),
        seeds_needed(effect, std, region, strictest, strata),
    )


def _seeds_to_decide(
    claims: Claims, name: str, measurement: ClaimMeasurement, needed: ClaimPower, level: float
) -> float:
    """About how many seeds decide an open claim, at a level; infinite above 10,000.

    Those that it takes at the assumed effect, or, if there are as many already, those that would
    decide its direction or its smallness if the difference measured here were the true one.
    """
    if needed.seeds_corrected > measurement.seeds:
        return needed.seeds_corrected
    claim, margin = claims.file.claims[name], measurement.margin
    difference, std, strata = measurement.difference, measurement.std, measurement.strata
    options = [seeds_needed(difference, std, claim.region(margin), level, strata)]
    if claim.direction and abs(difference) < margin:
        # Smallness is tested on one side.
        within = Region(-margin, margin)
        options.append(seeds_needed(difference, std, within, 2 * level, strata))
    known = [seeds for seeds in options if not math.isnan(seeds)]
    return max(min(known, default=math.inf), measurement.seeds + 1)
