"""The reference of students, and when networks are strata."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.plans import ROOT, planned_runs, tiny_plan

from replication.analysis.contrasts import CellValues
from replication.config.claim_specs import CellKey
from replication.config.paper_claims import read_claims
from replication.errors import InputError
from replication.results.schema import CSV_FILES

CLAIMS = read_claims(ROOT / "tables")
Run = tuple[str, str, str, str, int]
"""Data set, network, objective, recipe and offset of the seed."""
Lines = dict[tuple[str, str, str], tuple[list[Run], list[float]]]
"""By table, row and column: the members of the cell, and its values from seed 0 on."""

A: Run = ("pairs", "a", "label", "own", 0)
A_AGAIN: Run = ("pairs", "a", "label", "own", 1000)
TEACHER: CellKey = ("table2", "a", "teacher")
BAN: CellKey = ("table2", "a", "ban")
AGAIN: CellKey = ("controls", "a", "label-2")


def values_of(lines: Lines) -> CellValues:
    """Cells and the runs behind them; students have a teacher of the same network and seed."""
    cells, runs = [], {}
    for (table, row, column), (members, values) in lines.items():
        for seed, value in enumerate(values):
            names = []
            for dataset, network, objective, recipe, offset in members:
                name = f"{objective}-{dataset}-{network}-{recipe}-{seed + offset}"
                names.append(name)
                root = f"label-{dataset}-{network}-own-{seed}" if objective == "ban" else None
                runs[name] = {
                    "dataset": dataset,
                    "network": network,
                    "objective": objective,
                    "recipe_hash": recipe,
                    "seed": seed + offset,
                    "lineage_seed": seed,
                    "root_teacher": root,
                }
            if not np.isnan(value):
                cells.append((table, row, column, seed, "test error (%)", value, ";".join(names)))
    frame = pd.DataFrame(cells, columns=CSV_FILES["cells"].names)
    return CellValues(frame, pd.DataFrame.from_dict(runs, orient="index"))


def combined(values: CellValues, weights: dict[CellKey, float]) -> list[float]:
    return values.combine([weights], weights)[0].tolist()


def test_a_student_is_compared_with_all_label_trained_networks_of_its_seed() -> None:
    both = [A, A_AGAIN]
    values = values_of(
        {
            TEACHER: ([A], [10.0, 12.0]),
            ("table4", "teacher a", "error"): ([A], [10.0, 12.0]),
            AGAIN: ([A_AGAIN], [11.0, 11.0]),
            # Another recipe, another objective, another network, other data, an ensemble.
            ("controls", "a", "long"): ([("pairs", "a", "label", "long", 0)], [1.0, 1.0]),
            ("controls", "a", "smooth"): (
                [("pairs", "a", "label-smoothing", "own", 0)], [1.0, 1.0],
            ),
            ("table2", "b", "teacher"): ([("pairs", "b", "label", "own", 0)], [20.0, 20.0]),
            ("table1", "a", "teacher"): ([("digits", "a", "label", "own", 0)], [3.0, 3.0]),
            ("controls", "a", "both"): (both, [9.0, 9.0]),
            BAN: ([("pairs", "a", "ban", "ban", 0)], [9.0, 9.5]),
        }
    )  # fmt: skip
    for cell in (TEACHER, ("table4", "teacher a", "error"), AGAIN):
        assert combined(values, {cell: 1}) == [10.5, 11.5]
    assert values.combine([{TEACHER: 1}], [TEACHER], own_teacher=True).tolist() == [[10.0, 12.0]]
    assert combined(values, {BAN: 1, TEACHER: -1}) == [-1.5, -2.0]
    assert values.reference_sizes([BAN, TEACHER]) == {"a on pairs": 2}
    for column, value in (("long", 1), ("smooth", 1), ("both", 9)):
        assert combined(values, {("controls", "a", column): 1}) == [value, value]
    assert combined(values, {("table2", "b", "teacher"): 1}) == [20, 20]
    assert combined(values, {("table1", "a", "teacher"): 1}) == [3, 3]


def test_a_reference_has_as_many_runs_at_every_seed_of_a_comparison() -> None:
    # Only the first two of three seeds have a second label-trained network.
    values = values_of(
        {
            TEACHER: ([A], [10.0, 12.0, 14.0]),
            AGAIN: ([A_AGAIN], [20.0, 20.0, np.nan]),
            BAN: ([("pairs", "a", "ban", "ban", 0)], [9.0, 9.0, 9.0]),
            ("controls", "a", "ban"): ([("pairs", "a", "ban", "ban", 0)], [9.0, 9.0, np.nan]),
        }
    )
    assert combined(values, {TEACHER: 1, BAN: -1}) == [1.0, 3.0, 5.0]
    assert values.reference_sizes([TEACHER, BAN]) == {"a on pairs": 1}
    with_two = {TEACHER: 1, ("controls", "a", "ban"): -1}
    assert combined(values, with_two) == [6.0, 7.0]
    assert values.reference_sizes(with_two) == {"a on pairs": 2}


def test_runs_of_one_seed_from_two_machines_both_belong_to_the_reference() -> None:
    # What `pool` makes of them: two tables have a run each of the same seed and recipe.
    columns = CSV_FILES["cells"].names
    cells = pd.DataFrame(
        [
            ("table2", "a", "teacher", 0, "test error (%)", 10.0, "first 0"),
            ("table2", "a", "teacher", 1, "test error (%)", 12.0, "first 1"),
            ("table4", "teacher a", "error", 0, "test error (%)", 20.0, "second 0"),
            ("table4", "teacher a", "error", 1, "test error (%)", 24.0, "second 1"),
            ("table5", "a", "teacher", 0, "test error (%)", 10.0, "first 0"),
        ],
        columns=columns,
    )
    same = {"dataset": "pairs", "network": "a", "objective": "label", "recipe_hash": "own"}
    runs = pd.DataFrame.from_dict(
        {
            name: {**same, "seed": seed, "lineage_seed": seed, "root_teacher": None}
            for seed in (0, 1)
            for name in (f"first {seed}", f"second {seed}")
        },
        orient="index",
    )
    values = CellValues(cells, runs)
    assert combined(values, {TEACHER: 1}) == [15.0, 18.0]
    assert values.reference_sizes([TEACHER]) == {"a on pairs": 2}
    assert values.combine([{TEACHER: 1}], [TEACHER], own_teacher=True).tolist() == [[10.0, 12.0]]


def test_without_controls_the_reference_is_the_teacher() -> None:
    values = values_of({TEACHER: ([A], [10.0, 12.0])})
    assert combined(values, {TEACHER: 1}) == [10.0, 12.0]
    assert values.reference_sizes([TEACHER]) == {"a on pairs": 1}


def test_a_run_without_a_description_is_one_line() -> None:
    cells = pd.DataFrame(
        [("t", "r", "c", 0, "test error (%)", 1.0, "unknown")], columns=CSV_FILES["cells"].names
    )
    runs = planned_runs(tiny_plan(tables=["table6"]))
    with pytest.raises(InputError, match=r"runs\.csv: no line for unknown, which cells\.csv or"):
        CellValues(cells, runs)


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
def planned() -> CellValues:
    """Every cell of the six tables, as the runs of a plan."""
    plan = tiny_plan(seeds=[0, 1])
    lines = [
        (cell.table, cell.row, cell.column, seed, cell.metric, 1.0, ";".join(r.id for r in runs))
        for cell in plan.cells
        for seed, runs in cell.members.items()
    ]
    return CellValues(pd.DataFrame(lines, columns=CSV_FILES["cells"].names), planned_runs(plan))


@pytest.mark.parametrize("claim", STRATA)
def test_networks_are_strata_where_their_lineages_share_no_run(
    claim: str, planned: CellValues
) -> None:
    contrast = CLAIMS.file.claims[claim].contrast()
    strata = planned.strata(contrast)
    assert len(strata) == STRATA[claim]
    together: dict[CellKey, float] = {}
    for part in strata:
        assert not together.keys() & part.keys()
        together |= part
    assert together == contrast
    assert planned.combine(strata, contrast).shape == (STRATA[claim], 2)


def test_the_reference_of_a_plan_has_all_label_trained_networks_of_table_and_controls(
    planned: CellValues,
) -> None:
    contrast = CLAIMS.file.claims["ban-all"].contrast()
    sizes = planned.reference_sizes(contrast)
    assert [sizes[f"{name} on two_digit_numbers"] for name in (
        "densenet_112_33", "densenet_90_60", "densenet_80_80", "densenet_80_120",
    )] == [3, 3, 1, 1]  # fmt: skip
