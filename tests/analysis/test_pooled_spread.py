"""The spread that cells of few seeds share."""

import numpy as np
import pytest
from scipy import stats

from replication.analysis.pooled_spread import (
    OWN,
    POOLED,
    POOLED_BY_KIND,
    Samples,
    describe_spread,
    summarise_together,
)


def samples(kind: str, *values: float) -> Samples:
    return Samples(kind, dict(enumerate(values)))


def half_width(std: float, freedom: int, n: int) -> float:
    return float(stats.t.ppf(0.975, freedom) * std / n**0.5)


def test_two_seeds_have_the_spread_of_all_cells_with_their_degrees_of_freedom() -> None:
    # Squared residuals of 2, 0.5 and 2 with one, one and two degrees of freedom.
    cells = [
        samples("wide", 1.0, 3.0), samples("dense", 5.0, 6.0), samples("wide", 1.0, 2.0, 3.0),
    ]  # fmt: skip
    std = (4.5 / 4) ** 0.5
    for cell, (summary, spread) in zip(cells, summarise_together(cells), strict=True):
        assert spread == POOLED
        n = len(cell.values)
        assert summary.high - summary.mean == pytest.approx(half_width(std, 4, n))
        assert summary.std == pytest.approx(np.std([*cell.values.values()], ddof=1))


def test_kinds_whose_spreads_differ_by_more_than_a_factor_of_two_are_apart() -> None:
    wide = [samples("wide", 1.0, 3.1), samples("wide", 2.0, 3.9)]
    dense = [samples("dense", 5.0, 5.1), samples("dense", 6.0, 6.2)]
    intervals = summarise_together([*wide, *dense])
    assert {spread for _, spread in intervals} == {POOLED_BY_KIND}
    widths = [summary.high - summary.mean for summary, _ in intervals]
    # Variances of 2.205 and 1.805, and of 0.005 and 0.02, with two degrees of freedom.
    assert widths[:2] == pytest.approx([half_width(2.005**0.5, 2, 2)] * 2)
    assert widths[2:] == pytest.approx([half_width(0.0125**0.5, 2, 2)] * 2)


def test_five_seeds_have_their_own_spread_and_lend_it_to_nobody() -> None:
    many = samples("wide", 1.0, 2.0, 3.0, 4.0, 50.0)
    few = samples("wide", 1.0, 3.0)
    (of_many, own), (of_few, pooled) = summarise_together([many, few])
    assert (own, pooled) == (OWN, POOLED)
    std = float(np.std([1.0, 2.0, 3.0, 4.0, 50.0], ddof=1))
    assert of_many.high - of_many.mean == pytest.approx(half_width(std, 4, 5))
    assert of_few.high - of_few.mean == pytest.approx(half_width(2**0.5, 1, 2))


def test_cells_of_the_same_runs_count_once() -> None:
    cell, other = samples("wide", 1.0, 3.0), samples("wide", 5.0, 6.0)
    (once, *_), (twice, *_) = (
        summarise_together([cell, other]),
        summarise_together([cell, cell, other]),
    )
    assert once == twice


def test_a_cell_of_one_run_has_no_interval_and_lends_no_spread() -> None:
    """A teacher from elsewhere is the same network at every seed."""
    students = [samples("wide", 1.0, 3.0), samples("wide", 4.0, 5.0)]
    teacher = Samples("wide", {0: 2.0, 1: 2.0}, is_one_run=True)
    *alone, _ = summarise_together([*students, samples("wide", 2.0, 2.0)])
    *beside, (summary, spread) = summarise_together([*students, teacher])
    assert beside == summarise_together(students) != alone
    assert (summary.mean, summary.std, spread) == (2.0, 0.0, OWN)
    assert np.isnan([summary.low, summary.high]).all()


def test_a_tie_among_cells_that_vary_has_an_interval() -> None:
    (tie, _), _ = summarise_together([samples("wide", 2.0, 2.0), samples("wide", 5.0, 6.0)])
    assert tie.std == 0
    assert tie.high - tie.mean == pytest.approx(half_width(0.5, 2, 2))


def test_one_seed_and_ties_alone_have_no_interval() -> None:
    ((one, spread),) = summarise_together([samples("wide", 2.0)])
    assert np.isnan(one.low)
    assert spread == OWN
    ((tie, _),) = summarise_together([samples("wide", 2.0, 2.0)])
    assert np.isnan(tie.low)
    assert summarise_together([]) == []


def test_the_note_says_what_intervals_rest_on() -> None:
    assert describe_spread([OWN, None]) is None
    assert "pooled over all cells of the table, for means and for differences" in str(
        describe_spread([OWN, POOLED])
    )
    assert "with networks of the same kind" in str(describe_spread([POOLED_BY_KIND]))
