"""The evidence for a verdict on a claim, in sentences."""

import math

import numpy as np

from replication.analysis.claim_decision import ClaimDecision
from replication.analysis.claim_measurement import ClaimMeasurement
from replication.analysis.claim_verdicts import (
    AT_LEAST_HALF,
    BELOW_HALF,
    MAIN_CLAIM_UNDECIDED,
    NETWORK_EXCEPTED,
    NOT_MEASURED,
    OPEN,
    TIES,
)
from replication.analysis.hypothesis_tests import DIRECTION, LARGE, LEVEL, SMALL
from replication.analysis.single_runs import NOT_APPLICABLE, paper_alone
from replication.architectures.catalogue import kind_of
from replication.config.paper_claims import Claims
from replication.config.paper_names import cell_name
from replication.wording import counted, formatted, p_in_words, seeds_in_words, signed

BOUNDS = {
    "not lower": "The left side is not lower than the right one by {} or more",
    "not higher": "The left side is not higher than the right one by {} or more",
    "equivalent": "The two sides differ by less than {}",
}
"""What is shown where the claim is a bound, by its ``expect``, with the margin."""
UNITS = {"nll": "nats", "kl": "nats", "brier": "of the score"}
"""Units of metrics; errors are in points, and language models are measured in perplexity."""


def describe_evidence(
    claims: Claims, name: str, measurement: ClaimMeasurement, decision: ClaimDecision
) -> str:
    """What was measured for a claim, what that decides, and how it compares with the paper.

    Sentences on one line. Differences are left minus right.
    """
    sentences = [_difference(claims, name, measurement)] if measurement.measured else []
    sentences.append(_verdict(claims, name, measurement, decision))
    if measurement.measured:
        sentences.append(_paper(claims, name, measurement, decision))
    if decision.without_gate and measurement.measured:
        sentences.append("Its family's main claim is not measured, so it is decided without it.")
    return " ".join(sentence for sentence in sentences if sentence)


def unit_of(claims: Claims, name: str) -> str:
    """The unit of a claim's difference."""
    claim = claims.file.claims[name]
    kinds = {kind_of(network) for network in claims.networks(claim.contrast())}
    unit = "perplexity" if kinds == {"language"} else "points"
    return UNITS.get(claim.metric or "", unit)


def _number(claims: Claims, name: str, value: float) -> str:
    """A difference with its sign and the digits of the claim's metric."""
    digits = 3 if claims.file.claims[name].metric else 2
    return signed(value, digits)


def _difference(claims: Claims, name: str, measurement: ClaimMeasurement) -> str:
    value, low, high = (
        _number(claims, name, number)
        for number in (measurement.difference, measurement.low, measurement.high)
    )
    interval = f" [95 % interval {low} to {high}]" if measurement.tested else ""
    seeds = f"n = {counted(measurement.seeds, 'seed')}"
    return f"The difference is {value} {unit_of(claims, name)}{interval}, {seeds}."


def _verdict(
    claims: Claims, name: str, measurement: ClaimMeasurement, decision: ClaimDecision
) -> str:
    """What the verdict means, with the corrected p-values that it rests on."""
    if decision.reason:
        return _reason(claims, name, measurement, decision)
    direction, small = (p_in_words(decision.corrected[place]) for place in (DIRECTION, SMALL))
    claim, margin = claims.file.claims[name], abs(measurement.margin)
    limit = f"{margin:.{3 if claim.metric else 2}f} {unit_of(claims, name)}"
    half = (
        f"less than the smallest effect of interest, {limit}"
        if math.isnan(claims.reported_effect(name))
        else f"less than half of the paper's, which would be {limit}"
    )
    match decision.verdict:
        case "contradicted":
            return f"The opposite of the claim is seen (corrected {direction})."
        case "weaker" | "holds, small":
            return (
                f"The direction is seen (corrected {direction}), and the effect is {half}"
                f" (corrected {small})."
            )
        case "small":
            return f"The direction is open, and the effect is {half} (corrected {small})."
    if claim.direction:
        return f"The direction is seen (corrected {direction})."
    return f"{BOUNDS[claim.expect].format(limit)} (corrected {direction})."


def _reason(
    claims: Claims, name: str, measurement: ClaimMeasurement, decision: ClaimDecision
) -> str:
    """Why the claim is undecided, and what would change that."""
    if decision.reason == NETWORK_EXCEPTED:
        return (
            "Undecided, because the claim is not tested: the relative size of a network differs"
            f" from the paper's ({'; '.join(measurement.excepted)})."
        )
    if decision.reason == NOT_MEASURED:
        return f"Not measured at this scale: {_missing(measurement)}."
    if decision.reason == TIES:
        return (
            "Undecided, because the difference is the same at all"
            f" {measurement.seeds} seeds (ties), so there is no spread for a test."
        )
    if decision.reason == MAIN_CLAIM_UNDECIDED:
        main = claims.file.claims[claims.file.primary_of(name)].heading
        return f"Undecided, because the direction of the family's main claim is undecided ({main})."
    if measurement.seeds == 1:
        return "Undecided, because one seed gives no interval."
    needed = seeds_in_words(decision.seeds_to_decide)
    alone, corrected = measurement.tests.p_values[DIRECTION], decision.corrected[DIRECTION]
    shown = f"corrected {p_in_words(corrected)}"
    if alone < LEVEL:
        shown = f"{p_in_words(alone)} by itself, {p_in_words(corrected)} corrected for all claims"
    return f"Undecided, because there are too few seeds ({shown}); {needed} are needed."


def _missing(measurement: ClaimMeasurement) -> str:
    """The cells that a claim lacks."""
    if not measurement.missing:
        return "no seed has all the cells"
    others = len(measurement.missing) - 1
    more = f", and {counted(others, 'more cell')}" if others else ""
    return f"{cell_name(*measurement.missing[0])}{more}"


def _paper(
    claims: Claims, name: str, measurement: ClaimMeasurement, decision: ClaimDecision
) -> str:
    """How the effect compares with the paper's, and what the paper's single runs can tell."""
    printed = claims.reported_difference(name)
    if np.isnan(printed):
        return ""
    shown = f"The paper prints {_number(claims, name, printed)}"
    if math.isnan(claims.reported_effect(name)):
        return f"{shown}."
    fraction, low, high = (formatted(value, "z.2f") for value in measurement.fractions)
    interval = f" [{low} to {high}]" if measurement.tested else ""
    sizes = {
        AT_LEAST_HALF: f"at least half of it (corrected {p_in_words(decision.corrected[LARGE])})",
        BELOW_HALF: "less than half of it",
        OPEN: "whether it is at least half is open",
    }
    sentence = (
        f"{shown}; in proportion, the effect is {fraction}{interval} of that:"
        f" {sizes[decision.size]}."
    )
    alone = paper_alone(claims, name)
    if decision.verdict == "weaker" and alone != NOT_APPLICABLE:
        meaning = {
            "supports": "support the claim",
            "speaks against": "speak against the claim",
            "too small to tell": "are too few to tell",
        }[alone]
        sentence += f" The paper's single runs by themselves {meaning}."
    return sentence
