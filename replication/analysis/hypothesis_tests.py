"""The tests of claims, and the one correction of their p-values, as pure functions on arrays.

A claim either says in which direction a difference goes, or bounds it. A direction has three tests:
whether there is a difference (p_D), whether it is smaller than a margin (p_S), and whether it is
larger than that margin in the claim's direction (p_L). A bound has the first alone: whether the
difference lies on the allowed side of the bound, or beyond it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from replication.config.claim_specs import Region

LEVEL = 0.05
QUESTIONS = ("direction", "small", "large")
"""What the three tests of a claim ask, in the order of the arrays."""
DIRECTION, SMALL, LARGE = range(3)

Numbers = float | NDArray[np.float64]


class ClaimTests(NamedTuple):
    """The tests of one claim, for one difference or for many.

    ``p_values`` is (3, …), by `QUESTIONS`, uncorrected; NaN where there is no such test.
    ``supports`` (…) says whether the difference lies on the claim's side.
    """

    p_values: NDArray[np.float64]
    supports: NDArray[np.bool_]


def direction_tests(effect: Numbers, error: Numbers, freedom: int, margin: Numbers) -> ClaimTests:
    """Test a claim that says in which direction a difference goes.

    Args:
        effect: mean difference in the claim's direction (…).
        error: its standard error (…).
        freedom: degrees of freedom of that error.
        margin: half of the paper's effect, or the smallest effect of interest (…), above 0.

    Returns:
        p_D of the two-sided t-test against 0; p_S that the difference lies within ± the margin,
        which is Schuirmann's two one-sided tests (TOST), of which only one can be the larger once
        the sign is known; p_L that the effect exceeds the margin. The last two are one-sided.
    """
    effect, error, margin = np.asarray(effect), np.asarray(error), np.asarray(margin)
    depths = [np.abs(effect), margin - np.abs(effect), effect - margin]
    p_values = stats.t.sf(np.array(depths) / error, freedom)
    p_values[DIRECTION] *= 2
    return ClaimTests(p_values, np.asarray(effect > 0))


def bound_tests(
    difference: Numbers, error: Numbers, freedom: int, region: tuple[Numbers, Numbers]
) -> ClaimTests:
    """Test a claim that bounds a difference.

    Args:
        difference: mean difference (…).
        error: its standard error (…).
        freedom: degrees of freedom of that error.
        region: lower and upper bound (…), one of which may be infinite.

    Returns:
        As p_D twice the smaller of two p-values. That for the claim is the larger of the one-sided
        tests of its bounds (TOST for two of them); that against it is the smaller of the opposite
        tests. p_S and p_L are NaN, because a bound has no size.
    """
    difference, error = np.asarray(difference), np.asarray(error)
    low, high = region
    inside = np.array([difference - low, high - difference]) / error
    against, in_favour = stats.t.cdf(inside, freedom).min(0), stats.t.sf(inside, freedom).max(0)
    direction = np.minimum(1, 2 * np.minimum(against, in_favour))
    none = np.full_like(direction, np.nan)
    return ClaimTests(np.array([direction, none, none]), np.asarray(in_favour < against))


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct p-values (tests, …) by Holm's step-down procedure (Scand. J. Statistics, 1979).

    NaN is no test. Under any dependence between the tests, the chance of one or more false
    rejections among those with a corrected p-value below a level is at most that level.
    """
    # statsmodels' `multipletests` takes one family, and collects garbage at every call.
    order = np.argsort(p_values, axis=0)
    rank = np.arange(len(p_values)).reshape(-1, *[1] * (p_values.ndim - 1))
    stepped = np.take_along_axis(p_values, order, axis=0) * (np.isfinite(p_values).sum(0) - rank)
    corrected = np.empty_like(p_values)
    np.put_along_axis(corrected, order, np.maximum.accumulate(stepped, axis=0), axis=0)
    return np.minimum(corrected, 1)


def correct_claims(
    p_values: NDArray[np.float64], primaries: ArrayLike, gated: ArrayLike
) -> NDArray[np.float64]:
    """Correct the p-values of all claims of a file, measured or not.

    Each of the three questions has a correction of its own: Holm's over the primary claims, and for
    the other claims Holm's within their family, multiplied by the number of families. The corrected
    p-value of a claim in a gated family is at least the corrected p_D of its primary claim.

    A claim without a test counts with p = 1. Therefore the number of tests does not depend on what
    is measured: measuring more never takes a decision back, and adds one only where Holm's
    procedure goes on to its next step. The gate of a primary claim that cannot be tested is closed.

    Args:
        p_values: (3, claims, …), by `QUESTIONS`; NaN where there is no test.
        primaries: place of each claim's primary claim (claims,); a primary claim has its own place.
        gated: whether the primary claim has to be decided first (claims,).

    Returns:
        The corrected p-values (3, claims, …), without NaN.
    """
    primaries, gated = np.asarray(primaries), np.asarray(gated, dtype=bool)
    tested = np.where(np.isfinite(p_values), p_values, 1.0)
    corrected = np.empty_like(tested)
    is_primary = primaries == np.arange(len(primaries))
    families = np.unique(primaries[~is_primary])
    for before, after in zip(tested, corrected, strict=True):
        after[is_primary] = holm(before[is_primary])
        for primary in families:
            members = (primaries == primary) & ~is_primary
            after[members] = np.minimum(1, len(families) * holm(before[members]))
    gates = np.where(_along_axis(gated, tested[0]), corrected[DIRECTION][primaries], 0.0)
    others = np.flatnonzero(~is_primary)
    corrected[:, others] = np.maximum(corrected[:, others], gates[others])
    return corrected


def strictest_level(place: int, primaries: ArrayLike) -> float:
    """The level that the first step of `correct_claims` has for the claim at a place."""
    primaries = np.asarray(primaries)
    is_primary = primaries == np.arange(len(primaries))
    if is_primary[place]:
        return LEVEL / int(is_primary.sum())
    members = int(((primaries == primaries[place]) & ~is_primary).sum())
    return LEVEL / members / len(np.unique(primaries[~is_primary]))


def region_of(region: Region, margin: NDArray[np.float64]) -> tuple[Numbers, Numbers]:
    """Bounds of a region that is given in units of the margin, for many margins (…)."""
    low, high = (bound if np.isinf(bound) else bound * margin for bound in region)
    return low, high


def _along_axis(flags: NDArray[np.bool_], like: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Flags (claims,) with as many axes as an array (claims, …)."""
    return flags.reshape(-1, *[1] * (like.ndim - 1))
