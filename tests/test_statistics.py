"""Intervals, paired differences and verdicts against SciPy and by simulation."""

import numpy as np
import pytest
from scipy import stats

from replication.statistics import paired_difference, summarise, verdict


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_the_interval_is_scipys_t_interval(n: int) -> None:
    values = np.random.default_rng(n).normal(5, 2, n)
    summary = summarise(list(values))
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert summary.mean == pytest.approx(values.mean())
    assert summary.std == pytest.approx(values.std(ddof=1))
    assert (summary.low, summary.high) == (pytest.approx(low), pytest.approx(high))
    assert summary.n == n


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
