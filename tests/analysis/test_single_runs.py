"""What single runs can tell by themselves."""

import math

import pytest
from scipy import stats

from replication.analysis.single_runs import (
    chance_of_single_runs,
    single_run_verdict,
    spread_of_replicates,
)
from replication.config.claim_specs import Region

LOWER = Region(-math.inf, 0)


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
