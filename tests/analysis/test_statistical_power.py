"""Power and numbers of seeds, compared with statsmodels and simulations."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from replication.analysis.hypothesis_tests import LEVEL, bound_tests
from replication.analysis.statistical_power import POWER, power, seeds_needed
from replication.config.claim_specs import Region

LOWER, WITHIN = Region(-math.inf, 0), Region(-0.5, 0.5)


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
        tests = bound_tests(draws.mean(1), stats.sem(draws, axis=1), n - 1, WITHIN)
        rate = ((tests.p_values[0] < LEVEL) & tests.supports).mean()
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
