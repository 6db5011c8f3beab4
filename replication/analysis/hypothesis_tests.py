"""Deciding on a claim from few seeds: the test, Holm's correction, power, and single runs.

A claim puts a difference into a region: below zero, not above a margin, within two margins. One
t-statistic per finite bound then speaks for the claim and one against it, so that every claim can
be replicated and contradicted, each at half the level.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.05
POWER = 0.8
MOST_SEEDS = 10_000


class Region(NamedTuple):
    """Where a claim puts a difference: between two bounds, one of which may be infinite."""

    low: float
    high: float

    def depths(self, difference: float) -> list[float]:
        """How far inside each finite bound a difference lies; negative outside of it."""
        found = (difference - self.low, self.high - difference)
        return [depth for depth in found if np.isfinite(depth)]


class Decision(NamedTuple):
    """Two-sided p-value of a claim, and whether the difference lies on the claim's side."""

    p_value: float
    holds: bool


def decide(mean: float, std: float, n: int, region: Region) -> Decision:
    """Test whether a difference lies in a region: a t-test, or two for a region with two bounds.

    For the claim speaks the larger one-sided p-value of its bounds (Schuirmann's two one-sided
    tests, TOST), against it the smaller one of the opposite tests; the p-value is twice the smaller
    of the two. With the bound 0 this is the paired t-test. `n` is at least 2, `std` above 0.
    """
    ratios = [depth / (std / np.sqrt(n)) for depth in region.depths(mean)]
    inside = max(float(stats.t.sf(ratio, n - 1)) for ratio in ratios)
    outside = min(float(stats.t.cdf(ratio, n - 1)) for ratio in ratios)
    return Decision(2 * min(inside, outside), inside < outside)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values by Holm's step-down procedure (Scandinavian Journal of Statistics, 1979).

    Whatever the dependence between the tests, the chance of one or more false rejections among
    those with a corrected p-value below a level is at most that level.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]


def power(effect: float, std: float, n: int, region: Region, level: float = LEVEL) -> float:
    """Chance that `n` seeds decide a claim when the true difference is `effect`.

    By the noncentral t distribution. Decided is what is true: for the claim where the effect lies
    in its region, against it elsewhere. For a region with two bounds this is a lower limit.
    """
    critical = stats.t.ppf(1 - level / 2, n - 1)

    def crossed(depth: float) -> float:
        return float(stats.nct.sf(critical, n - 1, depth / std * np.sqrt(n)))

    depths = region.depths(effect)
    if min(depths) < 0:
        return crossed(-min(depths))
    return max(0.0, sum(map(crossed, depths)) - (len(depths) - 1))


def seeds_needed(effect: float, std: float, region: Region, level: float = LEVEL) -> float:
    """Fewest seeds that decide a claim with a chance of 80 %; NaN where 10,000 do not."""
    numbers = range(2, MOST_SEEDS + 1)
    at = bisect_left(numbers, POWER, key=lambda n: power(effect, std, n, region, level))
    return numbers[at] if at < len(numbers) else np.nan


class RunSpread(NamedTuple):
    """Standard deviation of single runs, and the degrees of freedom of its estimate."""

    std: float
    degrees_of_freedom: int


def spread_of_replicates(replicates: Sequence[tuple[float, float]]) -> RunSpread:
    """Pooled standard deviation out of pairs of runs of one treatment: sqrt(Σ d² / 2k), k d.o.f."""
    differences = np.array([one - other for one, other in replicates])
    return RunSpread(float(np.sqrt(np.mean(differences**2) / 2)), len(replicates))


def chance_of_single_runs(spread: RunSpread, weights: Sequence[float]) -> float:
    """What a weighted sum of single runs reaches by chance: the 95 % bound t · s · sqrt(Σ w²).

    `weights` has one weight for each run: +1 and −1 for the difference of two.
    """
    t = float(stats.t.ppf(1 - LEVEL / 2, spread.degrees_of_freedom))
    return t * spread.std * float(np.linalg.norm(weights))


def single_run_verdict(difference: float, region: Region, chance: float) -> str:
    """What a difference of single runs says about a claim, given what it reaches by chance."""
    depth = min(region.depths(difference))
    if abs(depth) <= chance:
        return "too small to tell"
    return "supports" if depth > 0 else "speaks against"
