"""Properties of verdicts: more precision and more tables never take a decision back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support import synthetic_results
from support.plans import ROOT
from support.strategies import deviations

from replication.analysis.claim_decision import ClaimDecision, decide_all, primary_places
from replication.analysis.claim_measurement import (
    NO_TESTS,
    ClaimMeasurement,
    assess_claim,
    measure_claim,
)
from replication.analysis.claim_verdicts import DIRECTIONS, NOT_MEASURED, UNDECIDED, decide
from replication.analysis.contrasts import CellValues
from replication.analysis.hypothesis_tests import correct_claims
from replication.config.paper_claims import read_claims

CLAIMS = read_claims(ROOT / "tables")
NAMES = list(CLAIMS.file.claims)
PRIMARIES = primary_places(CLAIMS)
LEVEL = 20.0
SUPPORTED = ("replicated", "weaker")


def seeds_with(mean: float, std: float, n: int) -> NDArray[np.float64]:
    """The values of n seeds with exactly this mean and standard deviation."""
    values = np.arange(n) - (n - 1) / 2
    return mean + std * values / values.std(ddof=1)


spreads = st.floats(0.02, 3)


@given(
    st.sampled_from(["ban-all", "cwtm-weaker-than-ban", "lstm-test", "cifar10-ban-densenet-80-80"]),
    deviations,
    spreads,
    st.integers(2, 12),
    st.integers(0, 20),
    st.floats(0.05, 1),
)
def test_a_decided_direction_stays_decided_when_seeds_are_added_and_the_spread_shrinks(
    name: str, effect: float, std: float, n: int, added: int, factor: float
) -> None:
    claim, margin = CLAIMS.file.claims[name], CLAIMS.margin(name)
    verdicts = []
    for spread, seeds in ((std, n), (factor * std, n + added)):
        values = seeds_with(effect, spread, seeds)[None]
        tests = assess_claim(claim, values, LEVEL, margin)[1]
        corrected = correct_claims(tests.p_values[:, None], [0], [True])[:, 0]
        verdicts.append(str(decide(corrected, tests.supports)))
    before, after = verdicts
    if before == "contradicted":
        assert after == "contradicted"
    if before in SUPPORTED:
        assert after in SUPPORTED
    if before == "weaker":
        assert after == "weaker"
    if before == "small":
        assert after != UNDECIDED


@settings(max_examples=10)
@given(st.lists(deviations, min_size=len(NAMES), max_size=len(NAMES)), st.integers(2, 6))
def test_no_claim_of_the_file_loses_its_direction_when_all_get_more_precise(
    differences: list[float], n: int
) -> None:
    verdicts = []
    for spread, seeds in ((0.5, n), (0.2, 2 * n)):
        tests = [
            assess_claim(
                CLAIMS.file.claims[name],
                seeds_with(difference, spread, seeds)[None],
                LEVEL,
                CLAIMS.margin(name),
            )[1]
            for name, difference in zip(NAMES, differences, strict=True)
        ]
        p_values = np.stack([each.p_values for each in tests], axis=1)
        corrected = correct_claims(p_values, PRIMARIES, [True] * len(NAMES))
        supports = np.array([each.supports for each in tests])
        verdicts.append(decide(corrected, supports))
    for before, after in zip(*verdicts, strict=True):
        assert before not in DIRECTIONS or (after in SUPPORTED) == (before in SUPPORTED)
        assert before not in DIRECTIONS or after in DIRECTIONS


@pytest.fixture(scope="module")
def measurements() -> dict[str, ClaimMeasurement]:
    """Every claim on the six tables at six seeds."""
    cells, _ = synthetic_results.results(6, noise=0.4)
    values = CellValues(cells, synthetic_results.runs(6))
    nothing = CellValues(cells[:0], synthetic_results.runs(6))
    return {
        name: measure_claim(name, CLAIMS, nothing if claim.metric else values, {})
        for name, claim in CLAIMS.file.claims.items()
    }


@pytest.fixture(scope="module")
def decided(measurements: dict[str, ClaimMeasurement]) -> dict[str, ClaimDecision]:
    """Every claim, decided on all six tables."""
    return decide_all(CLAIMS, measurements)


@settings(max_examples=10)
@given(st.sets(st.sampled_from([f"table{number}" for number in range(1, 7)]), min_size=1))
def test_a_verdict_does_not_depend_on_which_other_tables_are_measured(
    measurements: dict[str, ClaimMeasurement],
    decided: dict[str, ClaimDecision],
    tables: set[str],
) -> None:
    fewer = {}
    for name, measurement in measurements.items():
        needed = {table for table, *_ in CLAIMS.file.claims[name].contrast()}
        missing = ClaimMeasurement([], [("table", "row", "column")], tests=NO_TESTS)
        fewer[name] = measurement if needed <= tables else missing
    partly = decide_all(CLAIMS, fewer)
    for name, measurement in fewer.items():
        primary = CLAIMS.file.primary_of(name)
        if not measurement.measured:
            assert partly[name].reason == NOT_MEASURED
        elif fewer[primary].measured:
            # What few tables decide, more of them decide likewise.
            before, after = partly[name].verdict, decided[name].verdict
            assert before in (after, UNDECIDED)
            assert (partly[name].corrected >= decided[name].corrected - 1e-12).all()
        else:
            assert partly[name].without_gate
