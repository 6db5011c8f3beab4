"""The words for what the tests of a claim show: its verdict, its size, and why it is undecided.

Direction and size are two questions. The verdict is the first of these that holds after correction:

* ``contradicted``: there is a difference, and it goes the other way;
* ``weaker``: the direction is seen, and the effect is less than half of the paper's;
* ``replicated``: the direction is seen;
* ``small``: the direction is open, and the effect is less than half of the paper's;
* ``undecided``: none of these; a reason is given.

A direction that is decided stays decided when the estimate gets more precise. A claim that is not
the paper's, or for which the paper prints no effect, *holds* instead of being replicated. A claim
that bounds a difference is replicated, contradicted or undecided.
"""

import numpy as np
from numpy.typing import NDArray

from replication.analysis.hypothesis_tests import DIRECTION, LARGE, LEVEL, SMALL

UNDECIDED = "undecided"
CLAIM_VERDICTS = (
    "replicated",
    "holds",
    "weaker",
    "holds, small",
    "small",
    "contradicted",
    UNDECIDED,
)
"""Verdicts on a claim, in the order in which they are counted."""
HOLDS = {"replicated": "holds", "weaker": "holds, small"}
"""How a verdict reads for a claim that is not the paper's, or has no printed effect."""
DIRECTIONS = ("replicated", "holds", "weaker", "holds, small", "contradicted")
"""Verdicts that decide a direction or a bound."""

AT_LEAST_HALF, BELOW_HALF, OPEN = "at least half", "below half", "open"
NO_PRINTED_EFFECT = "no printed effect"
SIZES = (AT_LEAST_HALF, BELOW_HALF, OPEN, NO_PRINTED_EFFECT)
"""Sizes of an effect as a fraction of the paper's; a bound has none of them."""

TOO_FEW_SEEDS = "too few seeds"
MAIN_CLAIM_UNDECIDED = "the family's main claim is undecided"
NOT_MEASURED = "not measured"
NETWORK_EXCEPTED = "network excepted"
TIES = "ties"
REASONS = (TOO_FEW_SEEDS, MAIN_CLAIM_UNDECIDED, NOT_MEASURED, NETWORK_EXCEPTED, TIES)
"""Why a claim is undecided."""


def decide(corrected: NDArray[np.float64], supports: NDArray[np.bool_]) -> NDArray[np.str_]:
    """The verdicts (…) of claims that are the paper's and have a printed effect.

    Args:
        corrected: p-values after `hypothesis_tests.correct_claims` (3, …), without NaN.
        supports: whether the difference lies on the claim's side (…).
    """
    different = corrected[DIRECTION] < LEVEL
    small = corrected[SMALL] < LEVEL
    conditions = [different & ~supports, different & small, different, small]
    verdicts = ["contradicted", "weaker", "replicated", "small"]
    return np.asarray(np.select(conditions, verdicts, UNDECIDED))


def decide_size(corrected: NDArray[np.float64]) -> NDArray[np.str_]:
    """The sizes (…) of claims with a printed effect, from corrected p-values (3, …)."""
    conditions = [corrected[LARGE] < LEVEL, corrected[SMALL] < LEVEL]
    return np.asarray(np.select(conditions, [AT_LEAST_HALF, BELOW_HALF], OPEN))
