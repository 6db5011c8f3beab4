"""The reference of students, and when networks are strata."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.plans import ROOT, tiny_plan

from replication.analysis.cells_csv import COLUMNS
from replication.analysis.contrasts import Measured
from replication.config.paper_claims import CellKey, read_claims

CLAIMS = read_claims(ROOT / "tables")
Lines = dict[tuple[str, str, str, str], list[float]]


def measured(lines: Lines, metric: str = "test error (%)") -> Measured:
    """Cells by table, row, column and run; `{}` in a run is its seed."""
    frame = [
        (table, row, column, seed, metric, value, run.format(seed, seed + 1000))
        for (table, row, column, run), values in lines.items()
        for seed, value in enumerate(values)
    ]
    return Measured(pd.DataFrame(frame, columns=COLUMNS))


def test_a_student_is_compared_with_all_label_trained_networks_of_its_seed() -> None:
    found = measured(
        {
            ("table2", "a", "teacher", "pairs/a.label.{0}"): [10.0, 12.0],
            ("table4", "teacher a", "error", "pairs/a.label.{0}"): [10.0, 12.0],
            ("controls", "a", "label-2", "pairs/a.label.{1}"): [11.0, 11.0],
            # Another recipe, another objective, another network, other data, an ensemble.
            ("controls", "a", "long", "pairs/a.label.long.{0}"): [1.0, 1.0],
            ("controls", "a", "smooth", "pairs/a.label-smoothing.{0}"): [1.0, 1.0],
            ("table2", "b", "teacher", "pairs/b.label.{0}"): [20.0, 20.0],
            ("table1", "a", "teacher", "digits/a.label.{0}"): [3.0, 3.0],
            ("controls", "a", "both", "pairs/a.label.{0};pairs/a.label.{1}"): [9.0, 9.0],
            ("table2", "a", "ban", "pairs/a.label.{0}/a.ban.{0}"): [9.0, 9.5],
        }
    )
    for cell in (("table2", "a", "teacher"), ("table4", "teacher a", "error")):
        assert found.values[cell].tolist() == [10.5, 11.5]
        assert found.paired[cell].tolist() == [10.0, 12.0]
    assert found.combine({("table2", "a", "ban"): 1, ("table2", "a", "teacher"): -1}).tolist() == [
        -1.5,
        -2.0,
    ]
    for cell, value in (("long", 1), ("smooth", 1), ("both", 9)):
        assert (found.values[("controls", "a", cell)] == value).all()
    assert (found.values[("table2", "b", "teacher")] == 20).all()
    assert (found.values[("table1", "a", "teacher")] == 3).all()


def test_without_controls_the_reference_is_the_teacher() -> None:
    found = measured({("table2", "a", "teacher", "pairs/a.label.{0}"): [10.0, 12.0]})
    for cell, values in found.paired.items():
        assert found.values[cell].tolist() == values.tolist()


def test_the_reference_has_the_smaller_standard_error_and_the_level_of_a_paired_test() -> None:
    # Teacher and student have a correlation of 0.2 over seeds.
    generator, draws, n = np.random.default_rng(0), 20_000, 6
    common = generator.normal(0, 0.2**0.5, (draws, n))
    teacher, student = common + generator.normal(0, 0.8**0.5, (2, draws, n))
    other = generator.normal(0, 1, (2, draws, n))
    alone = student - teacher
    together = student - np.mean([teacher, *other], axis=0)
    assert together.std() / alone.std() == pytest.approx(((4 / 3 - 0.4 / 3) / 1.6) ** 0.5, rel=0.01)
    for differences in (alone, together):
        rate = (stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05).mean()
        assert rate == pytest.approx(0.05, abs=0.005)


STRATA = {
    "ban-all": 4,
    "cifar10-ban-all": 8,
    "sequence-improves": 3,
    "ensemble-of-two-beats-last": 4,
    "sequence-saturates-after-first": 4,
    "cifar10-densenet-gap-narrows": 2,
    "densenet-students-beat-wide-resnet-teachers": 4,
    "language-models": 2,
    # Other weights or data.
    "largest-ensemble-is-best": 1,
    "cifar100-gains-more-than-cifar10": 1,
    "small-student-matches-large-teacher": 1,
    # One teacher for many rows.
    "robust-to-depth": 1,
    "fragile-to-compression": 1,
    "residual-students-beat-baselines": 1,
    "wide-resnet-students-beat-teacher": 1,
}


@pytest.fixture(scope="module")
def planned() -> Measured:
    """Every cell of the six tables, as the runs of a plan."""
    lines = [
        (cell.table, cell.row, cell.column, seed, cell.metric, 1.0, ";".join(r.id for r in runs))
        for cell in tiny_plan(seeds=[0, 1]).cells
        for seed, runs in cell.members.items()
    ]
    return Measured(pd.DataFrame(lines, columns=COLUMNS))


@pytest.mark.parametrize("claim", STRATA)
def test_networks_are_strata_where_their_lineages_share_no_run(
    claim: str, planned: Measured
) -> None:
    contrast = CLAIMS.file.claims[claim].contrast()
    strata = planned.strata(contrast)
    assert len(strata) == STRATA[claim]
    together: dict[CellKey, float] = {}
    for part in strata:
        assert not together.keys() & part.keys()
        together |= part
    assert together == contrast
    assert planned.combine_strata(strata).shape == (STRATA[claim], 2)
