"""Statistics of a cell: intervals over seeds, the paired difference to the teacher, the verdict.

The verdict on a cell says whether the paper's *difference to the teacher* shows at this scale:

* ``replicated``: the 95 % interval of the difference lies on the side of zero that the paper
  reports;
* ``contradicted``: it lies on the other side, or off zero where the paper reports no difference;
* ``inconclusive``: it contains zero, or one seed, or pairs without any spread, give none.

docs/statistics.md says why, and how often each comes out by chance.

A cell without a teacher, or without a printed number, has no verdict. Levels are not compared:
another data set has another error.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
# What rounding leaves between equal values, in percent or perplexity; of the largest above 1.
TIED = 1e-9


class Summary(NamedTuple):
    """Mean, standard deviation (n − 1) and 95 % t-interval.

    NaN where one value gives none; and no interval where all values are the same, which is no
    certainty: errors are counts of test items, too coarse to see a small spread.
    """

    mean: float
    std: float
    low: float
    high: float
    n: int


def summarise(values: Sequence[float]) -> Summary:
    """Summarise the values of one cell, one per seed."""
    n, mean = len(values), float(np.mean(values))
    if n == 1:
        return Summary(mean, np.nan, np.nan, np.nan, n)
    if np.ptp(values) < TIED * max(1.0, float(np.max(np.abs(values)))):
        return Summary(mean, 0.0, np.nan, np.nan, n)
    std = float(np.std(values, ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * std / np.sqrt(n)
    return Summary(mean, std, mean - half, mean + half, n)


class Difference(NamedTuple):
    """Mean paired difference with its 95 % t-interval and two-sided p-value.

    NaN for one pair, and for pairs that all differ by the same.
    """

    mean: float
    low: float
    high: float
    p_value: float


def paired_difference(values: Mapping[int, float], teachers: Mapping[int, float]) -> Difference:
    """Difference of a cell to its teacher, paired by seed: each to the one of its own lineage."""
    differences = [values[seed] - teachers[seed] for seed in values]
    summary = summarise(differences)
    if np.isnan(summary.low):
        return Difference(summary.mean, np.nan, np.nan, np.nan)
    p_value = float(stats.ttest_1samp(differences, 0).pvalue)
    return Difference(summary.mean, summary.low, summary.high, p_value)


def verdict(low: float, high: float, reported_difference: float) -> str:
    """Decide on a difference by the rule in this module's head."""
    if not (low > 0 or high < 0):
        return "inconclusive"
    same_side = (low > 0 and reported_difference > 0) or (high < 0 and reported_difference < 0)
    return "replicated" if same_side else "contradicted"
