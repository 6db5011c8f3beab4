"""Tests of claims, Holm's correction and power, compared with libraries and simulations."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired
from support.strategies import measurements

from replication.analysis.hypothesis_tests import (
    LEVEL,
    POWER,
    chance_of_single_runs,
    decide,
    holm,
    power,
    seeds_needed,
    single_run_verdict,
    spread_of_replicates,
)
from replication.analysis.statistics import summarise
from replication.config.paper_claims import Region

LOWER, WITHIN = Region(-math.inf, 0), Region(-0.5, 0.5)


def test_lower_is_the_paired_t_test() -> None:
    values = np.random.default_rng(0).normal(-0.3, 1, 7)
    found = decide(values.mean(), values.std(ddof=1), 7, LOWER)
    assert found.p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert found.holds == (values.mean() < 0)


@pytest.mark.parametrize(("mean", "std"), [(0.1, 0.2), (0.45, 0.5), (-0.3, 0.1)])
def test_equivalent_is_two_one_sided_tests(mean: float, std: float) -> None:
    values = np.random.default_rng(1).normal(0, 1, 9)
    values = mean + std * (values - values.mean()) / values.std(ddof=1)
    above = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.5, alternative="less").pvalue
    found = decide(mean, std, 9, WITHIN)
    assert found.p_value == pytest.approx(2 * max(above, below))
    assert found.holds


def test_equivalent_is_contradicted_by_a_difference_beyond_either_margin() -> None:
    for mean in (-2.0, 2.0):
        found = decide(mean, 0.5, 9, WITHIN)
        beyond = stats.t.sf(1.5 / (0.5 / 3), 8)
        assert found.p_value == pytest.approx(2 * beyond)
        assert not found.holds


def test_holms_correction_on_a_worked_example() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04, times 4, 3, 2, 1; the last may not fall below the third.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([]) == []


def test_holms_correction_is_the_closure_of_bonferronis() -> None:
    p = np.random.default_rng(3).uniform(0, 0.3, 6)
    for i, corrected in enumerate(holm(list(p))):
        families = [s for k in range(1, 7) for s in combinations(range(6), k) if i in s]
        assert corrected == pytest.approx(max(min(1, len(s) * p[list(s)].min()) for s in families))


@given(measurements(max_size=12), st.floats(0.01, 3))
def test_equivalence_is_statsmodels_two_one_sided_tests(values: list[float], width: float) -> None:
    margin = width * float(np.std(values, ddof=1))
    low, high = -margin, margin
    expected, _, _ = ttost_paired(np.array(values), np.zeros(len(values)), low, high)
    mean, std, *_ = summarise(values)
    found = decide(mean, std, len(values), Region(low, high))
    if found.holds:
        assert found.p_value == pytest.approx(2 * expected, rel=1e-8, abs=1e-12)
    else:
        assert expected >= 0.5 - 1e-9


@pytest.mark.parametrize("n", [2, 3, 5, 10, 20])
@pytest.mark.parametrize("effect", [0.0, -0.3, -1.25, -2.5])
@pytest.mark.parametrize("level", [0.05, 0.05 / 67])
def test_power_is_statsmodels(n: int, effect: float, level: float) -> None:
    # One side: the other one would be decided wrongly.
    expected = TTestPower().power(-effect, n, level / 2, alternative="larger")
    assert power(0.4 * effect, 0.4, n, LOWER, level) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("effect", "n"), [(-0.4, 4), (-0.4, 12), (0.3, 8)])
def test_power_is_how_often_a_simulation_decides(effect: float, n: int) -> None:
    draws = np.random.default_rng(n).normal(effect, 0.5, (3000, n))
    p = stats.ttest_1samp(draws, 0, axis=1).pvalue
    right = np.sign(draws.mean(axis=1)) == np.sign(effect)
    rate = ((p < LEVEL) & right).mean()
    assert power(effect, 0.5, n, LOWER) == pytest.approx(rate, abs=0.03)


def test_power_of_equivalence_is_what_a_simulation_shows_or_less() -> None:
    for n, exact in ((5, False), (15, True)):
        draws = np.random.default_rng(n).normal(0.1, 0.4, (1500, n))
        p_value, holds = decide(draws.mean(1), draws.std(1, ddof=1), n, WITHIN)
        rate = ((p_value < LEVEL) & holds).mean()
        computed = power(0.1, 0.4, n, WITHIN)
        assert computed <= rate + 0.03
        if exact:
            assert computed == pytest.approx(rate, abs=0.03)


@pytest.mark.parametrize("region", [LOWER, WITHIN])
@pytest.mark.parametrize("level", [0.05, 0.05 / 60])
def test_one_seed_fewer_than_needed_has_too_little_power(region: Region, level: float) -> None:
    n = seeds_needed(-0.2, 0.4, region, level)
    assert power(-0.2, 0.4, int(n), region, level) >= POWER
    assert power(-0.2, 0.4, int(n) - 1, region, level) < POWER


def test_no_number_of_seeds_decides_an_effect_on_the_bound() -> None:
    assert np.isnan(seeds_needed(0.0, 0.4, LOWER))
    assert np.isnan(seeds_needed(0.5, 0.4, WITHIN))


def test_a_mean_of_runs_differs_less_by_chance() -> None:
    replicates = [(1.0, 2.0), (4.0, 4.0)]
    assert spread_of_replicates(replicates) == 0.5
    two = chance_of_single_runs(replicates, [1, -1])
    assert two == pytest.approx(stats.t.ppf(0.975, 2) * 0.5 * 2**0.5)
    assert chance_of_single_runs(replicates, [0.25] * 4 + [-0.25] * 4) == pytest.approx(two / 2)


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(-0.9, "supports"), (0.9, "speaks against"), (-0.4, "too small to tell")],
)
def test_single_runs_support_what_lies_beyond_chance(difference: float, expected: str) -> None:
    assert single_run_verdict(difference, LOWER, 0.5) == expected
