"""Intervals, tests and corrections against SciPy and statsmodels, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired
from support.strategies import measurements, percentages

from replication.analysis.hypothesis_tests import LEVEL, Region, decide, holm, power
from replication.analysis.statistics import paired_difference, summarise, verdict

LOWER = Region(-math.inf, 0)


def close(value: float, scale: float = 0.0) -> object:
    """Equal but for rounding; `scale` is the size of what was subtracted."""
    return pytest.approx(value, rel=1e-8, abs=1e-12 * scale)


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_the_interval_is_scipys_t_interval(n: int) -> None:
    values = np.random.default_rng(n).normal(5, 2, n)
    summary = summarise(list(values))
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert summary.mean == pytest.approx(values.mean())
    assert summary.std == pytest.approx(values.std(ddof=1))
    assert (summary.low, summary.high) == (pytest.approx(low), pytest.approx(high))
    assert summary.n == n


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
    found = paired_difference(dict(enumerate(students)), dict(enumerate(teachers)))
    expected = stats.ttest_rel(students, teachers)
    interval = expected.confidence_interval(0.95)
    assert found.mean == close(differences.mean(), size)
    assert (found.low, found.high) == (close(interval.low, size), close(interval.high, size))
    assert found.p_value == close(expected.pvalue, 1)
    # The interval leaves zero out just where the test finds a difference.
    assert (found.p_value < LEVEL) == (found.low > 0 or found.high < 0)


@given(percentages())
def test_pairs_have_an_interval_just_where_their_counts_of_wrong_items_differ(
    drawn: tuple[int, list[tuple[int, int]]],
) -> None:
    # In floating point, equal differences of percentages are not quite equal.
    items, counts = drawn
    students = {seed: 100 * wrong / items for seed, (wrong, _) in enumerate(counts)}
    teachers = {seed: 100 * wrong / items for seed, (_, wrong) in enumerate(counts)}
    found = paired_difference(students, teachers)
    tied = len({student - teacher for student, teacher in counts}) == 1
    assert np.isnan([found.low, found.high, found.p_value]).tolist() == [tied] * 3
    if not tied:
        expected = stats.ttest_rel(list(students.values()), list(teachers.values()))
        assert found.p_value == close(expected.pvalue, 1)


@pytest.mark.parametrize("value", [0.0, 1e-12, 3.5, 2e5, 1e9, 1e12])
def test_what_rounding_leaves_between_equal_values_is_no_spread(value: float) -> None:
    summary = summarise([value, float(np.nextafter(value, math.inf)), value])
    assert summary.std == 0
    assert np.isnan([summary.low, summary.high]).all()


def test_one_value_has_a_mean_and_no_interval() -> None:
    summary = summarise([3.0])
    assert summary.mean == 3.0
    assert np.isnan([summary.std, summary.low, summary.high]).all()
    difference = paired_difference({0: 3.0}, {0: 2.5})
    assert difference.mean == 0.5
    assert np.isnan([difference.low, difference.high, difference.p_value]).all()
    assert verdict(difference.low, difference.high, 1.0) == "inconclusive"


def test_equal_values_have_no_interval() -> None:
    summary = summarise([2.5, 2.5, 2.5])
    assert (summary.mean, summary.std) == (2.5, 0)
    assert np.isnan([summary.low, summary.high]).all()


def test_the_difference_is_scipys_paired_test() -> None:
    rng = np.random.default_rng(0)
    teachers = dict(enumerate(rng.normal(5, 1, 6)))
    students = {seed: value - 0.3 + rng.normal(0, 0.2) for seed, value in teachers.items()}
    found = paired_difference(students, teachers)
    expected = stats.ttest_rel(list(students.values()), list(teachers.values()))
    interval = expected.confidence_interval(0.95)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_each_student_is_paired_with_the_teacher_of_its_own_seed() -> None:
    # Teachers spread far wider than the gain: only the right pairing sees it.
    teachers = {3: 10.0, 1: 2.0, 2: 6.0}
    students = {1: 1.5, 2: 5.5, 3: 9.4}
    found = paired_difference(students, teachers)
    assert found.mean == pytest.approx(-1.6 / 3)
    assert found.high < 0


@pytest.mark.parametrize("difference", [0.0, -0.1, 0.3])
def test_differences_without_spread_are_no_certainty(difference: float) -> None:
    teachers = {0: 2.2, 1: 1.7, 2: 3.1}
    found = paired_difference({s: t + difference for s, t in teachers.items()}, teachers)
    assert found.mean == pytest.approx(difference)
    assert np.isnan([found.low, found.high, found.p_value]).all()
    assert verdict(found.low, found.high, difference) == "inconclusive"


@pytest.mark.parametrize(
    ("low", "high", "reported", "expected"),
    [
        (-2.0, -0.1, -1.0, "replicated"),
        (0.1, 2.0, 0.3, "replicated"),
        (-2.0, -0.1, 1.0, "contradicted"),
        (0.1, 2.0, -0.3, "contradicted"),
        (0.1, 2.0, 0.0, "contradicted"),
        (-0.1, 2.0, 1.0, "inconclusive"),
        (-0.1, 2.0, 0.0, "inconclusive"),
        (0.0, 2.0, 1.0, "inconclusive"),
        (0.0, 0.0, -1.0, "inconclusive"),
    ],
)
def test_the_verdict_follows_its_rule(
    low: float, high: float, reported: float, expected: str
) -> None:
    assert verdict(low, high, reported) == expected


@pytest.mark.parametrize("n", [2, 3, 5])
def test_intervals_cover_the_truth_as_often_as_they_say(n: int) -> None:
    rng = np.random.default_rng(n)
    covered = 0
    for _ in range(4000):
        summary = summarise(list(rng.normal(1, 3, n)))
        covered += summary.low <= 1 <= summary.high
    assert covered / 4000 == pytest.approx(0.95, abs=0.015)


# Corrections and tests of claims, which replication/power.py has.

p_values = st.one_of(
    st.floats(0, 1), st.floats(0, 1e-3), st.sampled_from([0.0, 0.01, 0.025, 0.05, 0.5, 1.0])
)


@given(st.lists(p_values, min_size=1, max_size=80))
@example([0.5])
@example([1.0, 1.0, 0.0])
@example([0.01] * 5)
@example([1e-300, 5e-324, 0.0])
def test_holms_correction_is_statsmodels(p: list[float]) -> None:
    rejected, corrected, _, _ = multipletests(p, LEVEL, method="holm")
    assert holm(p) == pytest.approx(corrected.tolist(), rel=1e-12, abs=0)
    assert [value <= LEVEL for value in holm(p)] == rejected.tolist()


@given(measurements(max_size=12), st.floats(0.01, 3))
def test_equivalence_is_statsmodels_two_one_sided_tests(values: list[float], width: float) -> None:
    margin = width * float(np.std(values, ddof=1))
    low, high = -margin, margin
    expected, _, _ = ttost_paired(np.array(values), np.zeros(len(values)), low, high)
    mean, std, _, _, n = summarise(values)
    found = decide(mean, std, n, Region(low, high))
    if found.holds:
        assert found.p_value == close(2 * expected, 1)
    else:
        assert expected >= 0.5 - 1e-9


@pytest.mark.parametrize("n", [2, 3, 5, 10, 20])
@pytest.mark.parametrize("effect", [0.0, -0.3, -1.25, -2.5])
@pytest.mark.parametrize("level", [0.05, 0.05 / 67])
def test_power_is_statsmodels(n: int, effect: float, level: float) -> None:
    # One side: the other one would be decided wrongly.
    expected = TTestPower().power(-effect, n, level / 2, alternative="larger")
    assert power(0.4 * effect, 0.4, n, LOWER, level) == pytest.approx(expected, abs=1e-9)
