"""Intervals, paired differences and verdicts, compared with SciPy on random data."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats
from support.plans import ROOT
from support.strategies import measurements, percentages

from replication.analysis.hypothesis_tests import LEVEL
from replication.analysis.single_runs import chance_of_single_runs
from replication.analysis.statistics import (
    SINGLE_RUNS,
    Spread,
    agrees_with_paper,
    summarise,
    summarise_all,
    summarise_strata,
    verdict,
)
from replication.config.paper_claims import read_claims


def close(value: float, scale: float = 0.0) -> object:
    """Equal up to rounding; `scale` is the size of the subtracted numbers."""
    return pytest.approx(value, rel=1e-8, abs=1e-12 * scale)


@given(measurements())
@example([1e-6, 2e-6])
@example([1e9, 1e9 + 1e5, 1e9 - 1e5])
def test_any_interval_is_scipys(values: list[float]) -> None:
    n, size = len(values), max(map(abs, values))
    summary = summarise(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (summary.low, summary.high) == (close(expected.low, size), close(expected.high, size))
    low, high = stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=stats.sem(values))
    assert (summary.low, summary.high) == (close(low, size), close(high, size))
    assert summary.std == close(stats.tstd(values))


@given(measurements(), st.data())
def test_any_paired_difference_is_scipys_paired_test(
    teachers: list[float], data: st.DataObject
) -> None:
    changes = data.draw(measurements(len(teachers), len(teachers)))
    students = [teacher + change for teacher, change in zip(teachers, changes, strict=True)]
    differences = np.subtract(students, teachers)
    size = max(map(abs, [*teachers, *students]))
    assume(np.ptp(differences) > 1e-5 * size)
    summary = summarise(list(differences))
    expected = stats.ttest_rel(students, teachers)
    interval = expected.confidence_interval(0.95)
    assert summary.mean == close(differences.mean(), size)
    assert (summary.low, summary.high) == (close(interval.low, size), close(interval.high, size))
    assert summary.p_value == close(expected.pvalue, 1)
    # The interval excludes zero exactly if the test finds a difference.
    assert (summary.p_value < LEVEL) == (summary.low > 0 or summary.high < 0)


@given(percentages())
def test_pairs_have_an_interval_if_and_only_if_their_differences_vary(
    drawn: tuple[int, list[tuple[int, int]]],
) -> None:
    # In floating point, equal differences of percentages are not quite equal.
    items, counts = drawn
    students, teachers = (100 * np.array(wrong) / items for wrong in zip(*counts, strict=True))
    summary = summarise(list(students - teachers))
    tied = len({student - teacher for student, teacher in counts}) == 1
    assert np.isnan([summary.low, summary.high, summary.p_value]).tolist() == [tied] * 3
    if not tied:
        expected = stats.ttest_rel(students, teachers)
        assert summary.p_value == close(expected.pvalue, 1)


@pytest.mark.parametrize("value", [0.0, 1e-12, 3.5, 2e5, 1e9, 1e12])
def test_rounding_error_between_equal_values_is_no_spread(value: float) -> None:
    summary = summarise([value, float(np.nextafter(value, math.inf)), value])
    assert summary.std == 0
    assert np.isnan([summary.low, summary.high]).all()


def test_one_value_has_a_mean_and_no_interval() -> None:
    summary = summarise([3.0])
    assert summary.mean == 3.0
    assert np.isnan([summary.std, summary.low, summary.high]).all()
    # A spread from elsewhere does not change that.
    assert np.isnan(summarise([3.0], Spread(0.5, 10)).low)
    assert verdict(summary.low, summary.high) == "undecided"


@pytest.mark.parametrize("difference", [0.0, -0.1, 0.3])
def test_equal_differences_have_no_interval_and_no_verdict(difference: float) -> None:
    teachers = np.array([2.2, 1.7, 3.1])
    summary = summarise(list(teachers + difference - teachers))
    assert summary.mean == pytest.approx(difference)
    assert np.isnan([summary.low, summary.high, summary.p_value]).all()
    assert verdict(summary.low, summary.high) == "undecided"


def test_an_interval_from_another_spread_has_its_degrees_of_freedom() -> None:
    summary = summarise([1.0, 2.0], Spread(0.3, 14))
    reach = stats.t.ppf(0.975, 14) * 0.3 / 2**0.5
    assert (summary.low, summary.high) == pytest.approx((1.5 - reach, 1.5 + reach))
    assert summary.p_value == pytest.approx(2 * stats.t.sf(1.5 / (0.3 / 2**0.5), 14))
    assert summary.std == pytest.approx(0.5**0.5)
    # Ties have an interval, too.
    assert summarise([2.0, 2.0], Spread(0.3, 14)).high == pytest.approx(2 + reach)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-2.0, -0.1, "better"),
        (0.1, 2.0, "worse"),
        (-0.1, 2.0, "undecided"),
        (0.0, 2.0, "undecided"),
        (0.0, 0.0, "undecided"),
        (math.nan, math.nan, "undecided"),
    ],
)
def test_the_verdict_follows_its_rule(low: float, high: float, expected: str) -> None:
    assert verdict(low, high) == expected


@pytest.mark.parametrize(
    ("cell_verdict", "difference", "expected"),
    [
        ("better", -2.0, "yes"),
        ("worse", 2.0, "yes"),
        ("better", 2.0, "no"),
        ("worse", -2.0, "no"),
        ("undecided", -2.0, "undecided"),
        # Within 5.7 % of 20.
        ("better", -1.1, None),
        ("worse", -1.1, None),
    ],
)
def test_agreement_needs_a_printed_difference_beyond_chance(
    cell_verdict: str, difference: float, expected: str | None
) -> None:
    assert agrees_with_paper(cell_verdict, difference, 20.0) == expected


def test_single_runs_differ_by_what_the_papers_replicates_do() -> None:
    claims = read_claims(ROOT / "tables")
    chance = chance_of_single_runs(claims.replicate_pairs(), [1, -1])
    level = claims.reported(claims.file.replicates.weights())
    assert chance / level == pytest.approx(SINGLE_RUNS, abs=0.0005)


def test_two_strata_are_the_pooled_two_sample_test() -> None:
    one, other = np.random.default_rng(0).normal([[1.0], [0.3]], 0.5, (2, 5))
    summary = summarise_strata([one, -other])
    expected = stats.ttest_ind(one, other)
    interval = expected.confidence_interval(0.95)
    assert summary.p_value == pytest.approx(expected.pvalue)
    assert (summary.low, summary.high) == pytest.approx((interval.low, interval.high))


def test_three_strata_by_hand() -> None:
    # Variances 2, 8 and 0; six values and three means leave three degrees of freedom.
    summary = summarise_strata([[1.0, 3.0], [10.0, 14.0], [5.0, 5.0]])
    assert (summary.mean, summary.std) == pytest.approx((19, 10**0.5))
    assert summary.p_value == pytest.approx(2 * stats.t.sf(19 / 5**0.5, 3))
    assert np.isnan(summarise_strata([[1.0, 1.0], [2.0, 2.0]]).p_value)
    assert np.isnan(summarise_strata([[1.0], [2.0]]).std)


def test_cells_are_summarised_alike_alone_and_together() -> None:
    cells = [[1.0, 2.0, 4.0], [3.0, 3.0, 3.0], [-1.0, 0.5, 0.0]]
    together = np.array(summarise_all(cells)).T
    alone = [summarise(values) for values in cells]
    np.testing.assert_array_equal(together, alone)
