"""Deciding on a claim from few seeds: the tests, Holm's correction, power, and single runs.

A claim puts a difference into a region: below zero, not above a margin, within two margins. Each
finite bound gives one t-statistic for the claim and one against it, so that every claim can be
replicated and contradicted. A claim of an improvement can also be refuted by an effect too small to
be of interest.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from replication.config.paper_claims import Region

LEVEL = 0.05
POWER = 0.8
MAX_SEEDS = 10_000

Numbers = float | NDArray[np.float64]


VERDICTS = ("replicated", "contradicted", "negligible", "inconclusive", "not testable")
"""Of a claim."""
OUTCOMES = ("contradicted", "negligible", "replicated")
"""In the order of precedence, where several are proven."""


def outcomes(
    mean: Numbers, error: Numbers, freedom: int, region: tuple[Numbers, Numbers], smallest: Numbers
) -> NDArray[np.float64]:
    """P-values (3, …) of a claim's `OUTCOMES`; `error` is the standard error of `mean`.

    For the claim the p-value is that of the larger one-sided test of the region's bounds
    (Schuirmann's two one-sided tests, TOST), against it of the smaller of the opposite tests, both
    doubled: with the bound 0 the smaller of the two is that of the t-test. The difference is
    negligible if TOST puts it within ± `smallest`; NaN for a claim that this does not refute.
    Elementwise on arrays.
    """
    mean, error = np.asarray(mean), np.asarray(error)
    (low, high), cdf = region, stats.t(freedom).cdf
    against = np.minimum(cdf((mean - low) / error), cdf((high - mean) / error))
    within = np.maximum(cdf((mean - smallest) / error), cdf((-mean - smallest) / error))
    held = np.maximum(cdf((low - mean) / error), cdf((mean - high) / error))
    found: NDArray[np.float64] = np.array(
        [np.minimum(1, 2 * against), within, np.minimum(1, 2 * held)]
    )
    return found


def decide(
    p_values: NDArray[np.float64], corrected: Numbers, negligible: Numbers
) -> NDArray[np.str_]:
    """The outcome (…) of a claim by its p-values (3, …) and two corrected ones.

    `corrected` is the smaller of the p-values for and against the claim after correction,
    `negligible` its p-value of a negligible difference after correction, or NaN.
    """
    proven = np.asarray(corrected) < LEVEL
    conditions = [proven & (p_values[0] < p_values[2]), np.asarray(negligible) < LEVEL, proven]
    found: NDArray[np.str_] = np.select(conditions, OUTCOMES, "inconclusive")
    return found


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


def power(
    effect: float, std: float, n: int, region: Region, level: float = LEVEL, strata: int = 1
) -> float:
    """Chance that `n` seeds decide a claim when the true difference is `effect`.

    Without what they could prove negligible. The right decision is for the claim where the effect
    lies in its region, and against it elsewhere. A lower limit for a region with two bounds.
    """
    freedom = strata * (n - 1)
    critical = stats.t.ppf(1 - level / 2, freedom)

    def crossed(depth: float) -> float:
        # statsmodels' ttest_power gives NaN for large effects and loses digits for small powers.
        return float(stats.nct.sf(critical, freedom, depth / std * np.sqrt(n)))

    depths = region.depths(effect)
    if min(depths) < 0:
        return crossed(-min(depths))
    return max(0.0, sum(map(crossed, depths)) - (len(depths) - 1))


def seeds_needed(
    effect: float, std: float, region: Region, level: float = LEVEL, strata: int = 1
) -> float:
    """Fewest seeds that decide a claim with a chance of 80 %; NaN where 10,000 do not."""
    numbers = range(2, MAX_SEEDS + 1)
    at = bisect_left(numbers, POWER, key=lambda n: power(effect, std, n, region, level, strata))
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
