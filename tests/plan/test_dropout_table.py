"""The table of Wide-ResNets with and without dropout, which shares one half with Table 3."""

import pytest
from support.plans import ROOT

from replication.plan.plan import Plan
from replication.plan.run import Run

NETWORKS = ["wide_resnet_28_1", "wide_resnet_28_2", "wide_resnet_28_5", "wide_resnet_28_10"]


def plan_of(scale: str) -> Plan:
    keys = {"tables": ["table3", "dropout"], "seeds": [0], "table_seeds": {}}
    return Plan.read([ROOT / "config" / f"{scale}.yaml"], ROOT / "tables", keys=keys)


def runs_of(plan: Plan, table: str, column: str) -> list[Run]:
    """The runs of a column, from the first row to the last."""
    return [cell.members[0][0] for cell in plan.table_cells(table) if cell.column == column]


@pytest.mark.parametrize(("scale", "shared"), [("cifar", "without"), ("paper", "with")])
@pytest.mark.parametrize("column", ["teacher", "ban", "densenet-90-60 student"])
def test_one_half_of_the_table_is_table_3(scale: str, shared: str, column: str) -> None:
    plan = plan_of(scale)
    other = {"with": "without", "without": "with"}[shared]
    table_3 = runs_of(plan, "table3", column)
    assert runs_of(plan, "dropout", f"{column} {shared}") == table_3
    assert not set(runs_of(plan, "dropout", f"{column} {other}")) & set(table_3)
    assert len(plan.needed("dropout")) == 2 * len(plan.needed("table3"))


@pytest.mark.parametrize("scale", ["cifar", "paper"])
@pytest.mark.parametrize(("half", "probability"), [("with", 0.3), ("without", 0.0)])
def test_a_teacher_and_its_student_have_the_same_drop_out(
    scale: str, half: str, probability: float
) -> None:
    plan = plan_of(scale)
    teachers, students, densenets = (
        runs_of(plan, "dropout", f"{column} {half}")
        for column in ("teacher", "ban", "densenet-90-60 student")
    )
    assert [run.network for run in teachers] == NETWORKS
    for teacher, student, densenet in zip(teachers, students, densenets, strict=True):
        assert student.teacher == densenet.teacher == teacher
        for run in (teacher, student):
            assert plan.recipe(run)["network"]["options"]["dropout"] == probability
        assert "dropout" not in plan.recipe(densenet)["network"]["options"]
