"""Properties of summaries, verdicts and tests on generated measurements."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from support.strategies import deviations, measurements

from replication.analysis.hypothesis_tests import bound_tests, direction_tests
from replication.analysis.statistical_power import power
from replication.analysis.statistics import summarise, verdict
from replication.config.claim_specs import Region


def same(value: float, size: float) -> object:
    return pytest.approx(value, rel=1e-7, abs=1e-11 * size, nan_ok=True)


@given(measurements(), st.floats(-1e3, 1e3), st.floats(1e-2, 1e3))
def test_a_summary_is_shifted_and_scaled_with_its_values(
    values: list[float], shift: float, factor: float
) -> None:
    spread, size = np.ptp(values), max(map(abs, values))
    assume(min(1, factor) * spread > 1e-6 * max(1, size * factor, abs(shift)))
    before, moved = summarise(values), summarise([factor * v + shift for v in values])
    scale = factor * size + abs(shift)
    assert moved.mean == same(factor * before.mean + shift, scale)
    assert moved.std == same(factor * before.std, scale)
    assert moved.low == same(factor * before.low + shift, scale)
    assert moved.high == same(factor * before.high + shift, scale)


@given(measurements())
def test_an_interval_has_its_mean_in_the_middle_and_the_values_about_it(
    values: list[float],
) -> None:
    summary = summarise(values)
    size = max(map(abs, values))
    assert summary.low < summary.mean < summary.high
    assert summary.high - summary.mean == same(summary.mean - summary.low, size)
    assert min(values) <= summary.mean + 1e-12 * size
    assert summary.mean - 1e-12 * size <= max(values)
    if len(values) == 2:
        # The t-factor of one degree of freedom is tan(0.475 π).
        expected = math.tan(0.475 * math.pi) * (max(values) - min(values)) / 2
        assert summary.high - summary.mean == same(expected, size)


@given(st.lists(deviations, min_size=1, max_size=12), st.randoms())
def test_a_summary_changes_its_sign_with_the_values_and_not_with_their_order(
    values: list[float], random: Any
) -> None:
    summary, turned = summarise(values), summarise([-value for value in values])
    assert (turned.mean, turned.low, turned.high) == (
        same(-summary.mean, 1), same(-summary.high, 1), same(-summary.low, 1),
    )  # fmt: skip
    assert turned.p_value == same(summary.p_value, 1)
    again = summarise(random.sample(values, len(values)))
    assert list(again) == [same(value, 1) for value in summary]


bounds = st.floats(-10, 10) | st.just(math.nan)
REVERSED = {"better": "worse", "worse": "better", "undecided": "undecided"}


@given(bounds, bounds)
@example(math.nan, math.nan)
def test_a_verdict_is_reversed_with_all_signs(a: float, b: float) -> None:
    low, high = (a, b) if not a > b else (b, a)
    assert verdict(-high, -low) == REVERSED[verdict(low, high)]


regions = st.sampled_from([Region(-math.inf, 0), Region(-math.inf, 0.5), Region(-0.5, 0.5)])


@given(st.floats(-5, 5), st.floats(0.01, 10), st.integers(2, 30), regions)
def test_a_claim_and_its_mirror_image_are_decided_alike(
    mean: float, std: float, n: int, region: Region
) -> None:
    mirrored, error = Region(-region.high, -region.low), std / np.sqrt(n)
    one, supported = bound_tests(mean, error, n - 1, region)
    other, also_supported = bound_tests(-mean, error, n - 1, mirrored)
    assert other == pytest.approx(one, rel=1e-9, nan_ok=True)
    assert 0 <= one[0] <= 1
    assert supported == also_supported
    p_values, supports = direction_tests(mean, error, n - 1, 0.5)
    opposite, also_supports = direction_tests(-mean, error, n - 1, 0.5)
    assert opposite[:2] == pytest.approx(p_values[:2], rel=1e-9)
    assert ((p_values >= 0) & (p_values <= 1)).all()
    assert supports != also_supports or mean == 0


@given(st.floats(-3, 3), st.floats(0.05, 5), st.integers(2, 60), regions, st.floats(1e-4, 0.2))
def test_power_grows_with_seeds_and_level_and_falls_with_noise(
    effect: float, std: float, n: int, region: Region, level: float
) -> None:
    base_power = power(effect, std, n, region, level)
    assert 0 <= base_power <= 1 + 1e-9
    assert power(effect, std, n + 1, region, level) >= base_power - 1e-6
    assert power(effect, std / 2, n, region, level) >= base_power - 1e-6
    assert power(effect, std, n, region, min(1.0, 2 * level)) >= base_power - 1e-6
