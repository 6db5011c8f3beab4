"""Statistics of a cell: intervals over seeds, the paired difference to the teacher, the verdict.

docs/statistics.md has the reasons and the error rates.
"""

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
# Rounding error between equal values, in percent or perplexity; relative for values above 1.
TIED = 1e-9

Array = NDArray[np.float64]
Numbers = TypeVar("Numbers", float, Array)


class Summary(NamedTuple, Generic[Numbers]):
    """Mean, standard deviation (n − 1), 95 % t-interval and p-value, of one cell or of many.

    NaN where there is none: one value has no standard deviation; one value, or equal values, have
    neither interval nor p-value, because errors are counts, too coarse to show a small spread.
    """

    mean: Numbers
    std: Numbers
    low: Numbers
    high: Numbers
    p_value: Numbers


def summarise_all(values: ArrayLike) -> Summary[Array]:
    """Summarise the last axis: (…, n) → arrays of shape (…); the t-test is against 0."""
    given = np.asarray(values, dtype=float)
    mean = given.mean(-1)
    none = np.full_like(mean, np.nan)
    if given.shape[-1] == 1:
        return Summary(mean, none, none, none, none)
    tied = np.ptp(given, -1) < TIED * np.maximum(1, np.abs(given).max(-1))
    std = np.where(tied, 0, given.std(-1, ddof=1))
    test = stats.ttest_1samp(np.where(tied[..., None], np.nan, given), 0, axis=-1)
    low, high = test.confidence_interval(CONFIDENCE)
    return Summary(mean, std, *map(np.asarray, (low, high, test.pvalue)))


def summarise(values: Sequence[float]) -> Summary[float]:
    """Summarise the values of one cell, one per seed."""
    return Summary(*map(float, summarise_all(values)))


def paired_difference(values: Mapping[int, float], teachers: Mapping[int, float]) -> Summary[float]:
    """Difference of a cell to its teacher, paired by seed: each to the one of its own lineage."""
    return summarise([values[seed] - teachers[seed] for seed in values])


def verdict(low: float, high: float, reported_difference: float) -> str:
    """Whether the paper's difference to the teacher shows, by the 95 % interval of ours.

    ``replicated``: it lies on the printed side of zero; ``contradicted``: on the other side, or off
    zero where the paper prints no difference; ``inconclusive``: it contains zero, or is NaN.
    """
    if not (low > 0 or high < 0):
        return "inconclusive"
    same_side = (low > 0 and reported_difference > 0) or (high < 0 and reported_difference < 0)
    return "replicated" if same_side else "contradicted"
