"""Tests of claims and their correction, compared with libraries and simulations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired
from support.strategies import measurements

from replication.analysis.claim_verdicts import decide, decide_size
from replication.analysis.hypothesis_tests import (
    LEVEL,
    bound_tests,
    correct_claims,
    direction_tests,
    holm,
    region_of,
    strictest_level,
)
from replication.analysis.statistics import summarise
from replication.config.claim_specs import Region

WITHIN = Region(-0.5, 0.5)


def test_a_direction_has_the_two_sided_t_test_and_two_one_sided_tests_at_the_margin() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, 7)
    p_values, supports = direction_tests(values.mean(), stats.sem(values), 6, 0.5)
    direction = stats.ttest_1samp(values, 0).pvalue
    large = stats.ttest_1samp(values, 0.5, alternative="greater").pvalue
    below_upper = stats.ttest_1samp(values, 0.5, alternative="less").pvalue
    above_lower = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
    assert p_values == pytest.approx([direction, max(below_upper, above_lower), large])
    assert supports == (values.mean() > 0)


@given(measurements(max_size=12), st.floats(0.01, 3))
def test_smallness_and_equivalence_are_statsmodels_two_one_sided_tests(
    values: list[float], width: float
) -> None:
    margin, n = width * float(np.std(values, ddof=1)), len(values)
    expected, upper, lower = ttost_paired(np.array(values), np.zeros(n), -margin, margin)
    mean, std, *_ = summarise(values)
    (_, small, _), _ = direction_tests(mean, std / np.sqrt(n), n - 1, margin)
    assert small == pytest.approx(expected, rel=1e-8, abs=1e-12)
    (direction, *others), supports = bound_tests(
        mean, std / np.sqrt(n), n - 1, Region(-margin, margin)
    )
    opposite = 1 - max(upper[1], lower[1])
    both = min(1, 2 * expected), min(1, 2 * opposite)
    assert direction == pytest.approx(min(both), rel=1e-7, abs=1e-12)
    assert supports == (both[0] < both[1]) or both[0] == pytest.approx(both[1])
    assert np.isnan(others).all()


def test_equivalent_is_contradicted_by_a_difference_beyond_either_margin() -> None:
    for mean in (-2.0, 2.0):
        (direction, *_), supports = bound_tests(mean, 0.5 / 3, 8, WITHIN)
        assert direction == pytest.approx(2 * stats.t.sf(1.5 / (0.5 / 3), 8))
        assert not supports


@pytest.mark.parametrize(
    ("corrected", "supports", "verdict", "size"),
    [
        ((0.04, 0.06, 0.06), True, "replicated", "open"),
        ((0.04, 0.06, 0.04), True, "replicated", "at least half"),
        ((0.04, 0.04, 0.9), True, "weaker", "below half"),
        ((0.04, 0.9, 0.9), False, "contradicted", "open"),
        ((0.04, 0.04, 0.9), False, "contradicted", "below half"),
        ((0.06, 0.04, 0.9), True, "small", "below half"),
        ((0.06, 0.06, 0.9), True, "undecided", "open"),
        ((1.0, 1.0, 1.0), False, "undecided", "open"),
    ],
)
def test_the_verdict_is_the_first_that_is_proven(
    corrected: tuple[float, ...], supports: bool, verdict: str, size: str
) -> None:
    assert decide(np.array(corrected), np.array(supports)) == verdict
    assert decide_size(np.array(corrected)) == size
    several = decide(np.array([corrected] * 2).T, np.array([supports] * 2))
    assert several.tolist() == [verdict] * 2


@pytest.mark.parametrize("truth", [-0.5, 0.0, 0.2, 0.5, 0.9])
def test_wrong_decisions_are_at_most_as_frequent_as_the_level(truth: float) -> None:
    draws = np.random.default_rng(1).normal(truth, 0.4, (20_000, 6))
    p_values, supports = direction_tests(draws.mean(1), stats.sem(draws, axis=1), 5, 0.5)
    direction, small, large = p_values < LEVEL
    wrong = {
        "direction": direction & (supports != (truth > 0)) | direction & (truth == 0),
        "small": small & (abs(truth) >= 0.5),
        "large": large & (truth <= 0.5),
    }
    for rate in wrong.values():
        assert rate.mean() <= LEVEL + 0.005


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


# Two primary claims; the first has three claims in its family, the second one.
PRIMARIES = [0, 1, 0, 0, 0, 1]
P_VALUES = [0.001, 0.04, 0.001, 0.01, 0.2, 0.004]


def test_the_correction_of_claims_on_a_worked_example() -> None:
    p_values = np.array([P_VALUES, P_VALUES[::-1], [0.5] * 6])
    corrected = correct_claims(p_values, PRIMARIES, [True] * 6)
    # Two primary claims, then families of three and one claims, times two families.
    assert corrected[0] == pytest.approx([0.002, 0.04, 0.006, 0.04, 0.4, 0.04])
    # The gate of every question is the direction of the primary claim.
    assert corrected[1] == pytest.approx([0.008, 0.2, 0.04, 0.006, 0.08, 0.04])
    assert corrected[2] == pytest.approx([1.0] * 6)
    draws = correct_claims(np.stack([p_values] * 3, axis=-1), PRIMARIES, [True] * 6)
    assert draws == pytest.approx(np.stack([corrected] * 3, axis=-1))


def test_a_gate_without_a_test_is_closed_and_one_that_is_left_out_is_open() -> None:
    p_values = np.array([[np.nan, *P_VALUES[1:]]] * 3)
    closed = correct_claims(p_values, PRIMARIES, [True] * 6)
    assert closed[:, [0, 2, 3, 4]] == pytest.approx(1.0)
    left_out = correct_claims(p_values, PRIMARIES, [False, True, False, False, False, True])
    assert left_out[0] == pytest.approx([1.0, 0.08, 0.006, 0.04, 0.4, 0.08])


def test_the_strictest_level_is_that_of_the_first_step() -> None:
    levels = [strictest_level(place, PRIMARIES) for place in range(6)]
    assert levels == pytest.approx([0.025, 0.025, *[0.05 / 3 / 2] * 3, 0.05 / 2])
    for place, level in enumerate(levels):
        others = np.full((3, 6), 1.0)
        others[:, place] = level * 0.999
        corrected = correct_claims(others, PRIMARIES, [False] * 6)
        assert (corrected[:, place] < LEVEL).all()
        others[:, place] = level * 1.001
        assert (correct_claims(others, PRIMARIES, [False] * 6)[:, place] >= LEVEL).all()


@given(
    st.lists(st.floats(0, 1) | st.just(math.nan), min_size=6, max_size=6),
    st.lists(st.booleans(), min_size=2, max_size=2),
    st.integers(0, 5),
)
def test_measuring_another_claim_takes_no_decision_back(
    values: list[float], gated: list[bool], without: int
) -> None:
    gates = [gated[primary] for primary in PRIMARIES]
    full = correct_claims(np.array([values] * 3), PRIMARIES, gates)
    fewer = [*values]
    fewer[without] = math.nan
    corrected = correct_claims(np.array([fewer] * 3), PRIMARIES, gates)
    # Without it Holm's p-values are larger, or the same.
    kept = [place for place in range(6) if place != without]
    assert (corrected[:, kept] >= full[:, kept] - 1e-12).all()
    assert (corrected[:, without] == 1).all()


def test_a_region_in_units_of_the_margin() -> None:
    low, high = region_of(Region(-1, math.inf), np.array([0.5, 2]))
    assert np.asarray(low).tolist() == [-0.5, -2]
    assert high == math.inf
