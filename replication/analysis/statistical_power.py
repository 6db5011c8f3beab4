"""How likely a number of seeds is to decide a claim, and how many seeds would."""

from bisect import bisect_left

import numpy as np
from scipy import stats

from replication.analysis.hypothesis_tests import LEVEL
from replication.config.claim_specs import Region

POWER = 0.8
MAX_SEEDS = 10_000


def power(
    effect: float, std: float, n: int, region: Region, level: float = LEVEL, strata: int = 1
) -> float:
    """Chance that `n` seeds decide on a region when the true difference is `effect`.

    The right decision is that the difference lies in the region where the effect does, and that it
    lies outside elsewhere. A lower limit for a region with two bounds.

    Args:
        effect: the true difference, as left minus right.
        std: standard deviation of the difference over the seeds, summed over the strata.
        n: seeds of each stratum.
        region: where the claim puts the difference, in the unit of `effect`.
        level: the level of the two-sided test.
        strata: number of independent parts, each with n − 1 degrees of freedom.
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
    """Fewest seeds that decide on a region with a chance of 80 %; NaN where 10,000 do not.

    The arguments are those of `power`.
    """
    numbers = range(2, MAX_SEEDS + 1)
    place = bisect_left(numbers, POWER, key=lambda n: power(effect, std, n, region, level, strata))
    return numbers[place] if place < len(numbers) else np.nan
