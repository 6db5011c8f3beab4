"""Deciding on a claim from few seeds: the test, Holm's correction, power, and single runs.

A claim puts a difference into a region: below zero, not above a margin, within two margins. Each
finite bound gives one t-statistic for the claim and one against it. Every claim can therefore be
replicated and contradicted, each at half the level.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from replication.config.paper_claims import Region

LEVEL = 0.05
POWER = 0.8
MAX_SEEDS = 10_000

Numbers = float | NDArray[np.float64]


class Decision(NamedTuple):
    """Two-sided p-value of a claim, and whether the difference lies on the claim's side."""

    p_value: Numbers
    holds: bool | NDArray[np.bool_]


def decide(mean: Numbers, std: Numbers, n: int, region: tuple[Numbers, Numbers]) -> Decision:
    """Test whether a difference lies in a region: a t-test, or two for a region with two bounds.

    The p-value for the claim is the larger one-sided p-value of its bounds (Schuirmann's two
    one-sided tests, TOST), the one against it the smaller of the opposite tests; the result is
    twice the smaller of the two. With the bound 0 this is the paired t-test. `n` is at least 2,
    `std` above 0. Elementwise on arrays; NaN gives NaN.
    """
    low, high = region
    error = std / np.sqrt(n)
    above, below = (mean - low) / error, (high - mean) / error
    inside = np.maximum(stats.t.sf(above, n - 1), stats.t.sf(below, n - 1))
    outside = np.minimum(stats.t.cdf(above, n - 1), stats.t.cdf(below, n - 1))
    return Decision(2 * np.minimum(inside, outside), inside < outside)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values by Holm's step-down procedure (Scandinavian Journal of Statistics, 1979).

    Under any dependence between the tests, the chance of one or more false rejections among those
    with a corrected p-value below a level is at most that level.
    """
    if not len(p_values):
        return []
    corrected: list[float] = multipletests(p_values, LEVEL, method="holm")[1].tolist()
    return corrected


def power(effect: float, std: float, n: int, region: Region, level: float = LEVEL) -> float:
    """Chance that `n` seeds decide a claim when the true difference is `effect`.

    The right decision is for the claim where the effect lies in its region, and against it
    elsewhere. For a region with two bounds this is a lower limit.
    """
    critical = stats.t.ppf(1 - level / 2, n - 1)

    def crossed(depth: float) -> float:
        # statsmodels' ttest_power gives NaN for large effects and loses digits for small powers.
        return float(stats.nct.sf(critical, n - 1, depth / std * np.sqrt(n)))

    depths = region.depths(effect)
    if min(depths) < 0:
        return crossed(-min(depths))
    return max(0.0, sum(map(crossed, depths)) - (len(depths) - 1))


def seeds_needed(effect: float, std: float, region: Region, level: float = LEVEL) -> float:
    """Fewest seeds that decide a claim with a chance of 80 %; NaN where 10,000 do not."""
    numbers = range(2, MAX_SEEDS + 1)
    at = bisect_left(numbers, POWER, key=lambda n: power(effect, std, n, region, level))
    return numbers[at] if at < len(numbers) else np.nan


def spread_of_replicates(replicates: Sequence[tuple[float, float]]) -> float:
    """Pooled standard deviation from k pairs of runs of one treatment: sqrt(Σ d² / 2k), k d.o.f."""
    return float(np.sqrt(np.mean([(one - other) ** 2 for one, other in replicates]) / 2))


def chance_of_single_runs(
    replicates: Sequence[tuple[float, float]], weights: Sequence[float]
) -> float:
    """What a weighted sum of single runs reaches by chance: the 95 % bound t · s · sqrt(Σ w²).

    `weights` has one weight for each run: +1 and −1 for the difference of two.
    """
    t = float(stats.t.ppf(1 - LEVEL / 2, len(replicates)))
    return t * spread_of_replicates(replicates) * float(np.linalg.norm(weights))


def single_run_verdict(difference: float, region: Region, chance: float) -> str:
    """What a difference of single runs says about a claim, given what it reaches by chance."""
    depth = min(region.depths(difference))
    if abs(depth) <= chance:
        return "too small to tell"
    return "supports" if depth > 0 else "speaks against"
