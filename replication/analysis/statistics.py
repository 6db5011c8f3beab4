"""Statistics of a cell: intervals over seeds, the paired difference from the teacher, the verdict.

docs/explanation/statistics.md has the reasons and the error rates.
"""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

CONFIDENCE = 0.95
CELL_VERDICTS = ("better", "worse", "undecided")
"""Verdicts on a cell compared with its teacher."""
# Rounding error between equal values, in percent or perplexity; relative for values above 1.
TIED = 1e-9
# What two single runs of the paper differ by at most in 95 % of the cases, relative to their level:
# single_runs.chance_of_single_runs of its BAN and BAN-1 on CIFAR-100, 0.95 of 16.6 points. The
# paper has no replicates on other data; there the relative size is an assumption.
SINGLE_RUNS = 0.057
AGREEMENTS = ("yes", "no", "undecided")
"""Whether a cell's verdict agrees with the paper's difference."""

Array = NDArray[np.float64]
Numbers = TypeVar("Numbers", float, Array)


class Summary(NamedTuple, Generic[Numbers]):
    """Mean, standard deviation (n − 1), 95 % t-interval and p-value, of one cell or of many.

    NaN where there is none: one value has no standard deviation; one value, or equal values, have
    neither interval nor p-value, because errors are counts, too coarse to show a small spread.
    With a spread that is pooled over several cells, equal values have both.
    """

    mean: Numbers
    std: Numbers
    low: Numbers
    high: Numbers
    p_value: Numbers


class Spread(NamedTuple):
    """A standard deviation of single values, and the degrees of freedom that it rests on."""

    std: float
    freedom: int


def variance(values: ArrayLike) -> Array:
    """Variance (n − 1) of the last axis: (…, n) → (…), without rounding error between ties.

    NaN for one value.
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.shape[-1] == 1:
        return np.full(numbers.shape[:-1], np.nan)
    tied = np.ptp(numbers, -1) < TIED * np.maximum(1, np.abs(numbers).max(-1))
    return np.asarray(np.where(tied, 0, numbers.var(-1, ddof=1)))


def summarise_strata(values: ArrayLike) -> Summary[Array]:
    """Summarise the sum over k independent strata: (…, k, n) → arrays of shape (…).

    A stratum has an effect of its own and n values of the same spread, so the t-test against 0
    has k (n − 1) degrees of freedom. ``std`` is that of the sum of one value of each stratum.
    """
    numbers = np.asarray(values, dtype=float)
    strata, n = numbers.shape[-2:]
    std = np.sqrt(variance(numbers).sum(-1))
    return _summary(numbers.mean(-1).sum(-1), std, n, std, strata * (n - 1))


def summarise_all(values: ArrayLike) -> Summary[Array]:
    """Summarise the last axis: (…, n) → arrays of shape (…); the t-test is against 0."""
    return summarise_strata(np.asarray(values, dtype=float)[..., None, :])


def summarise(values: Sequence[float], spread: Spread | None = None) -> Summary[float]:
    """Summarise the values of one cell, one per seed.

    Interval and p-value rest on ``spread`` where it is given, with its degrees of freedom, and else
    on the standard deviation of the values. One value alone has neither.
    """
    own_spread = Spread(float(np.sqrt(variance(values))), len(values) - 1)
    std, freedom = spread if spread and len(values) > 1 else own_spread
    mean, own_std = np.mean(values), np.asarray(own_spread.std)
    return Summary(*map(float, _summary(mean, own_std, len(values), std, freedom)))


def _summary(
    mean: ArrayLike, std: Array, n: int, spread: ArrayLike, freedom: int
) -> Summary[Array]:
    """Summaries of n values each (…), whose standard error follows from their ``spread`` (…)."""
    mean, spread = np.asarray(mean), np.asarray(spread)
    error = np.where(spread > 0, spread, np.nan) / np.sqrt(n)
    reach = error * stats.t.ppf((1 + CONFIDENCE) / 2, freedom)
    p_value = 2 * stats.t.sf(np.abs(mean) / error, freedom)
    return Summary(mean, std, mean - reach, mean + reach, p_value)


def verdict(low: float, high: float) -> str:
    """Whether a cell is better or worse than its teacher, by the interval of the difference.

    Lower is better. ``undecided``: the interval contains zero, or there is none (NaN).
    """
    return "better" if high < 0 else "worse" if low > 0 else "undecided"


def agrees_with_paper(
    cell_verdict: str, reported_difference: float, reported_teacher: float
) -> str | None:
    """Whether a cell's verdict agrees with the paper's difference, one of `AGREEMENTS`.

    None where the paper's difference lies within what two single runs differ by.
    """
    if abs(reported_difference) <= SINGLE_RUNS * reported_teacher:
        return None
    if cell_verdict == "undecided":
        return cell_verdict
    return "yes" if (cell_verdict == "better") == (reported_difference < 0) else "no"
