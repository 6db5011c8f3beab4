"""Statistics of a cell: intervals over seeds, the paired difference to the teacher, the verdict.

docs/statistics.md has the reasons and the error rates.
"""

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
VERDICTS = ("better", "worse", "undecided")
"""Of a cell against its teacher."""
# Rounding error between equal values, in percent or perplexity; relative for values above 1.
TIED = 1e-9
# What two single runs of the paper differ by at most in 95 % of the cases, relative to their level:
# hypothesis_tests.chance_of_single_runs of its BAN and BAN-1 on CIFAR-100, 0.95 of 16.6 points. The
# paper has no replicates on other data; there the relative size is an assumption.
SINGLE_RUNS = 0.057

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


def summarise_strata(values: ArrayLike) -> Summary[Array]:
    """Summarise the sum over k independent strata: (…, k, n) → arrays of shape (…).

    A stratum has an effect of its own and n values of the same spread, so that the t-test against 0
    has k (n − 1) degrees of freedom. ``std`` is that of the sum of one value of each stratum.
    """
    given = np.asarray(values, dtype=float)
    strata, n = given.shape[-2:]
    mean = given.mean(-1).sum(-1)
    if n == 1:
        return Summary(mean, *[np.full_like(mean, np.nan)] * 4)
    tied = np.ptp(given, -1) < TIED * np.maximum(1, np.abs(given).max(-1))
    std = np.sqrt(np.where(tied, 0, given.var(-1, ddof=1)).sum(-1))
    error, freedom = np.where(std > 0, std, np.nan) / np.sqrt(n), strata * (n - 1)
    reach = error * stats.t.ppf((1 + CONFIDENCE) / 2, freedom)
    p_value = 2 * stats.t.sf(np.abs(mean) / error, freedom)
    return Summary(mean, std, mean - reach, mean + reach, p_value)


def summarise_all(values: ArrayLike) -> Summary[Array]:
    """Summarise the last axis: (…, n) → arrays of shape (…); the t-test is against 0."""
    return summarise_strata(np.asarray(values, dtype=float)[..., None, :])


def summarise(values: Sequence[float]) -> Summary[float]:
    """Summarise the values of one cell, one per seed."""
    return Summary(*map(float, summarise_all(values)))


def paired_difference(values: Mapping[int, float], teachers: Mapping[int, float]) -> Summary[float]:
    """Difference of a cell to its teacher, paired by seed: each to the one of its own lineage."""
    return summarise([values[seed] - teachers[seed] for seed in values])


def verdict(low: float, high: float) -> str:
    """Whether a cell is better or worse than its teacher, by the interval of the difference.

    Lower is better. ``undecided``: the interval contains zero, or there is none (NaN).
    """
    return "better" if high < 0 else "worse" if low > 0 else "undecided"


def agreement(found: str, reported_difference: float, reported_teacher: float) -> str | None:
    """Whether a cell's verdict agrees with the paper's difference: yes, no or undecided.

    None where the paper's difference lies within what two single runs differ by.
    """
    if abs(reported_difference) <= SINGLE_RUNS * reported_teacher:
        return None
    if found == "undecided":
        return found
    return "yes" if (found == "better") == (reported_difference < 0) else "no"
