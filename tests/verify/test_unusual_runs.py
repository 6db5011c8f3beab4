"""`verify` on networks whose names have dots, on samples, and on runs that are not planned."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plans import ROOT, tiny_plan
from support.small_results import LABEL, build_small_results, change_record

from replication.cli import run_command
from replication.config.yaml_model import merge
from replication.plan.plan import Plan
from replication.plan.recipe import hash_recipe
from replication.results.run_record import read_record
from replication.training.train_run import train
from replication.verify.recompute import draw_runs
from replication.verify.verification import verify

DOTTED: dict[str, Any] = {
    "title": "A network of timm whose name has a dot",
    "dataset": "cifar10",
    "columns": {
        "teacher": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "teacher"},
    },
    "rows": {"tiny": {"network": "timm:test_resnet.r160_in1k"}},
}


def test_a_network_with_a_dot_in_its_name_verifies_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tables").mkdir()
    Path("tables/dotted.yaml").write_text(yaml.safe_dump(DOTTED, sort_keys=False))
    for file in (ROOT / "tables").glob("*.yaml"):
        (Path("tables") / file.name).symlink_to(file)
    scale = tiny_plan(teacher_at_chance="allow").scale
    plan = Plan.make(
        scale.model_copy(update={"tables": ("dotted",), "seeds": (0,)}), Path("tables")
    )
    for run in plan.runs.values():
        train(plan, run)
    build_small_results(plan)
    findings = verify(plan.results, deep=1)
    assert findings.problems == []
    assert findings.recomputed_runs == 2


def test_a_sample_is_drawn_again_with_its_seed(
    small_plan: Plan, capfd: pytest.CaptureFixture[str]
) -> None:
    root = small_plan.results / "runs"
    records = {run: read_record(root / run) for run in small_plan.runs}

    def drawn(seed: int) -> list[str]:
        return [run.id for run in draw_runs(small_plan, records, 0.1, seed)]

    assert drawn(3) == drawn(3)
    assert len({tuple(drawn(seed)) for seed in range(5)}) > 1
    assert len(drawn(3)) == 5
    arguments = ["--deep", "--sample", "0.02", "--seed", "3"]
    assert run_command(["verify", str(small_plan.results), *arguments]) == 0
    assert "predictions of 1 run (2%) recomputed, drawn with seed 3" in capfd.readouterr().out


def test_each_file_is_named_with_how_it_was_checked(
    small_plan: Plan, capfd: pytest.CaptureFixture[str]
) -> None:
    (small_plan.results / "tables/own.txt").write_text("x\n")
    assert run_command(["verify", str(small_plan.results)]) == 0
    lines = capfd.readouterr().out.splitlines()
    (recomputed,) = (line for line in lines if line.startswith("recomputed: "))
    (checksums,) = (line for line in lines if line.startswith("checked against its checksum: "))
    (unchecked,) = (line for line in lines if "not checked: " in line)
    for name in ("cells.csv", "runs.csv", "correct.safetensors", "tables/table3.{csv,html,md,tex}"):
        assert name in recomputed
    assert f"{len(small_plan.runs)} of runs/**/model.safetensors" in checksums
    assert "tables/own.txt" in unchecked


def test_a_file_with_a_problem_is_not_named_as_checked(small_plan: Plan) -> None:
    (small_plan.results / "tables/table3.md").write_text("better\n")
    checks = verify(small_plan.results).checks
    assert "tables/table3.md" not in checks
    assert checks["tables/table3.csv"] == "recomputed"


def test_runs_that_are_not_planned_are_told_apart_by_their_recipes(small_plan: Plan) -> None:
    """The folder of a run says nothing about its seed."""
    root, other = small_plan.results / "runs", f"{LABEL}-and-more.x"
    shutil.copytree(
        root / LABEL,
        root / other,
        ignore=lambda folder, names: [name for name in names if Path(folder, name).is_dir()],
    )
    change_record(root / other, run=other, seed=7)
    left_out = f"{root / other}: is of a seed that the scale leaves out"
    assert any(problem.startswith(left_out) for problem in verify(small_plan.results).problems)
    recipe = merge(read_record(root / other)["recipe"], {"training": {"weight_decay": 0.25}})
    change_record(root / other, recipe=recipe, recipe_hash=hash_recipe(recipe))
    findings = verify(small_plan.results)
    assert not any(problem.startswith(left_out) for problem in findings.problems)
    assert "1 run outside the cells of the scale's tables" in findings.remarks
