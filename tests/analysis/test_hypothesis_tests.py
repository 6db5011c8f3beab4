"""Tests of claims, Holm's correction and power, compared with libraries and simulations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired
from support.strategies import measurements

from replication.analysis.hypothesis_tests import (
    LEVEL,
    POWER,
    chance_of_single_runs,
    decide,
    holm,
    outcomes,
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
    against, _, held = outcomes(values.mean(), stats.sem(values), 6, LOWER, 0.1)
    sides = [stats.ttest_1samp(values, 0, alternative=it).pvalue for it in ("greater", "less")]
    assert [against, held] == pytest.approx([min(1, 2 * p) for p in sides])


def test_what_can_not_be_negligible_has_no_p_value_for_it() -> None:
    assert np.isnan(outcomes(0.1, 0.1, 6, WITHIN, np.nan)).tolist() == [False, True, False]


@given(measurements(max_size=12), st.floats(0.01, 3))
def test_equivalence_and_a_negligible_effect_are_statsmodels_two_one_sided_tests(
    values: list[float], width: float
) -> None:
    margin, n = width * float(np.std(values, ddof=1)), len(values)
    expected, above, below = ttost_paired(np.array(values), np.zeros(n), -margin, margin)
    mean, std, *_ = summarise(values)
    found = outcomes(mean, std / np.sqrt(n), n - 1, Region(-margin, margin), margin)
    both = [expected, min(1, 2 * expected)]
    assert found[1:] == pytest.approx(both, rel=1e-8, abs=1e-12)
    opposite = 1 - max(above[1], below[1])
    assert found[0] == pytest.approx(min(1, 2 * opposite), rel=1e-7, abs=1e-12)


def test_equivalent_is_contradicted_by_a_difference_beyond_either_margin() -> None:
    for mean in (-2.0, 2.0):
        found = outcomes(mean, 0.5 / 3, 8, WITHIN, np.nan)
        beyond = stats.t.sf(1.5 / (0.5 / 3), 8)
        assert found[0] == pytest.approx(2 * beyond)
        assert decide(found, found[0], np.nan) == "contradicted"


@pytest.mark.parametrize(
    ("p_values", "corrected", "negligible", "expected"),
    [
        ((0.9, 0.9, 0.01), 0.04, 0.9, "replicated"),
        ((0.9, 0.9, 0.01), 0.06, 0.9, "inconclusive"),
        ((0.9, 0.02, 0.01), 0.02, 0.04, "negligible"),
        ((0.9, 0.02, 0.01), 0.02, 0.06, "replicated"),
        ((0.01, 0.001, 0.9), 0.02, 0.002, "contradicted"),
        ((0.01, np.nan, 0.9), 0.01, np.nan, "contradicted"),
        ((0.4, 0.001, 0.6), 0.4, 0.002, "negligible"),
        ((np.nan, np.nan, np.nan), np.nan, np.nan, "inconclusive"),
    ],
)
def test_the_outcome_is_the_first_that_is_proven(
    p_values: tuple[float, ...], corrected: float, negligible: float, expected: str
) -> None:
    assert decide(np.array(p_values), corrected, negligible) == expected
    several = decide(np.array([p_values] * 2).T, *np.array([[corrected, negligible]] * 2).T)
    assert several.tolist() == [expected] * 2


@pytest.mark.parametrize("truth", [-0.5, 0.0, 0.2, 0.5])
def test_wrong_outcomes_are_at_most_as_frequent_as_the_level(truth: float) -> None:
    draws = np.random.default_rng(1).normal(truth, 0.4, (20_000, 6))
    error = stats.sem(draws, axis=1)
    found = outcomes(draws.mean(1), error, 5, LOWER, 0.5)
    wrong = {"contradicted": truth <= 0, "negligible": abs(truth) >= 0.5, "replicated": truth >= 0}
    verdicts = decide(found, np.minimum(found[0], found[2]), found[1])
    rate = sum((verdicts == name).mean() for name, is_wrong in wrong.items() if is_wrong)
    assert rate <= LEVEL + 0.005


def test_holms_correction_on_a_worked_example() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04, times 4, 3, 2, 1; the last may not fall below the third.
    corrected = holm(np.array([0.01, np.nan, 0.04, 0.03, 0.005]))
    assert corrected == pytest.approx([0.03, np.nan, 0.06, 0.06, 0.02], nan_ok=True)
    assert holm(np.array([0.4, 0.9])) == pytest.approx([0.8, 0.9])
    assert holm(np.array([])).tolist() == []


def test_the_correction_of_every_family_is_statsmodels() -> None:
    families = np.random.default_rng(3).uniform(0, 0.3, (6, 4))
    expected = [multipletests(family, method="holm")[1] for family in families.T]
    assert holm(families) == pytest.approx(np.transpose(expected))


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
        *_, held = outcomes(draws.mean(1), stats.sem(draws, axis=1), n - 1, WITHIN, np.nan)
        rate = (held < LEVEL).mean()
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
