"""Seeds of a plan are independent: a run that would serve two of them is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.checks import refused
from support.plans import ROOT, tiny_plan

from replication.config.scale import check_scale, read_config
from replication.plan.plan import Plan

SCALES = sorted(path.stem for path in (ROOT / "config").glob("*.yaml"))
TABLES = [path.stem for path in (ROOT / "tables").glob("*.yaml") if path.stem != "claims"]


def plan_of(
    folder: Path, columns: dict[str, Any], seeds: list[int], **other_tables: dict[str, Any]
) -> Plan:
    """A plan of the table `own`, which has these columns, and of other tables likewise."""
    named = {"own": columns, **other_tables}
    for name, own_columns in named.items():
        table = {
            "title": "Seeds",
            "dataset": "cifar10",
            "columns": own_columns,
            "rows": {"narrow": {"network": "wide_resnet_28_1"}},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    config = read_config([ROOT / "config/digits.yaml"])
    scale = check_scale({**config, "tables": [*named], "seeds": seeds}, "test")
    return Plan.make(scale, folder)


@pytest.mark.parametrize(
    ("offset", "seeds", "smallest"), [(1, [0, 1, 2], 3), (2, [0, 2, 4], 1), (5, [0, 1, 6], 2)]
)
def test_an_offset_that_reaches_another_seed_is_refused_with_one_that_does_not(
    tmp_path: Path, offset: int, seeds: list[int], smallest: int
) -> None:
    columns = {
        "label": {"objective": "label"},
        "label-2": {"objective": "label", "seed_offset": offset},
    }
    with refused(
        f"{tmp_path / 'own.yaml'}: cell `narrow` / `label-2`: with its `seed_offset` of {offset}",
        f"; the smallest offset that works is {smallest}",
    ):
        plan_of(tmp_path, columns, seeds)
    columns["label-2"]["seed_offset"] = smallest
    plan = plan_of(tmp_path, columns, seeds)
    assert len(plan.runs) == 2 * len(seeds)


def test_the_smallest_offset_avoids_the_runs_of_every_table(tmp_path: Path) -> None:
    label = {"objective": "label"}
    columns = {"label": label, "label-2": {**label, "seed_offset": 1}}
    other = {"label-3": {**label, "seed_offset": 2}}
    with refused(str(tmp_path / "own.yaml"), "the smallest offset that works is 4"):
        plan_of(tmp_path, columns, [0, 1], other=other)


def test_the_offset_of_a_student_counts_among_the_students_of_its_teacher_alone(
    tmp_path: Path,
) -> None:
    columns = {
        "label": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "label"},
        "ban-1": {"objective": "ban", "teacher": "label", "seed_offset": 1},
    }
    plan = plan_of(tmp_path, columns, [0, 1])
    for run in plan.runs.values():
        assert plan.lineage_seeds[run.id] == run.root_teacher.seed


def test_students_of_one_network_from_elsewhere_are_told_apart_by_their_seeds(
    tmp_path: Path,
) -> None:
    columns: dict[str, Any] = {
        "given": {"weights": "teacher.safetensors"},
        "ban": {"objective": "ban", "teacher": "given"},
    }
    plan = plan_of(tmp_path, columns, [3, 4])
    assert {plan.lineage_seeds[run.id] for run in plan.runs.values() if run.weights} == {0}
    assert {plan.lineage_seeds[run.id] for run in plan.runs.values() if run.teacher} == {3, 4}
    columns["ban-1"] = {"objective": "ban", "teacher": "given", "seed_offset": 1}
    with refused(str(tmp_path / "own.yaml"), "the smallest offset that works is 2"):
        plan_of(tmp_path, columns, [3, 4])


def test_two_networks_from_elsewhere_need_scales_of_their_own(tmp_path: Path) -> None:
    columns = {name: {"weights": f"{name}.safetensors"} for name in ("one", "two")}
    with refused(
        str(tmp_path / "own.yaml"),
        "with different `weights`, or a different normalisation of them; evaluate the two in",
    ):
        plan_of(tmp_path, columns, [0])


@pytest.mark.parametrize("scale", SCALES)
def test_every_table_and_every_scale_of_the_suite_has_independent_seeds(scale: str) -> None:
    file = ROOT / "config" / f"{scale}.yaml"
    plan = Plan.read([file], ROOT / "tables", keys={"tables": TABLES})
    assert {run.id for run in plan.runs.values()} == set(plan.lineage_seeds)


def test_the_lineage_seed_is_that_of_the_cell_before_its_offset() -> None:
    plan = tiny_plan(tables=["controls"], seeds=[0, 7])
    (cell,) = (
        cell
        for cell in plan.table_cells("controls")
        if (cell.row, cell.column) == ("densenet-90-60", "label-3")
    )
    ((run_of_0,), (run_of_7,)) = cell.members.values()
    assert (run_of_0.seed, run_of_7.seed) == (2000, 2007)
    assert (plan.lineage_seeds[run_of_0.id], plan.lineage_seeds[run_of_7.id]) == (0, 7)
