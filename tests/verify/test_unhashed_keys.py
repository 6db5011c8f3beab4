"""What a recipe's hash leaves out may differ between a run and the scale that checks it."""

from pathlib import Path

from support.small_results import small_plan_of

from replication.plan.plan import Plan
from replication.verify.verification import verify


def verified_with(folder: Path, plan: Plan) -> list[str]:
    """The problems of the results by another scale."""
    file = folder / "other.yaml"
    file.write_text(plan.scale.model_dump_json(), encoding="utf-8")
    return verify(plan.results, configfiles=[file]).problems


def test_how_often_a_training_was_evaluated_is_no_problem(small_plan: Plan, tmp_path: Path) -> None:
    other = small_plan_of(images={"evaluate_every": 2}, logit_cache_limit_gib=3.0)
    assert [*other.runs] == [*small_plan.runs]
    assert verified_with(tmp_path, other) == []


def test_another_recipe_is_a_problem(small_plan: Plan, tmp_path: Path) -> None:
    other = small_plan_of(images={"weight_decay": 0.5})
    assert any("weight_decay" in line for line in verified_with(tmp_path, other))
