"""``scale.json`` changes with seeds and tables, but not away from what was trained."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.checks import refused
from support.plans import tiny_plan

from replication.plan.plan import Plan, read_scale
from replication.results.run_folder import RECORD
from replication.results.scale_file import write_scale


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tiny"


def plan_of(folder: Path, **keys: Any) -> Plan:
    return replace(tiny_plan(**keys), results=folder)


def finish(plan: Plan, count: int = 3) -> None:
    """Leave the records of some runs, as if they were trained."""
    for run in [*plan.runs.values()][:count]:
        plan.folder(run).mkdir(parents=True)
        record = {"run": run.id, "recipe_hash": plan.recipe_hash(run)}
        (plan.folder(run) / RECORD).write_text(json.dumps(record), encoding="utf-8")


def test_the_scale_is_written_where_there_is_none(folder: Path) -> None:
    plan = plan_of(folder)
    assert write_scale(plan) == folder / "scale.json"
    assert read_scale(folder / "scale.json").images == plan.scale.images


def test_other_seeds_and_tables_are_written_beside_trained_runs(folder: Path) -> None:
    plan = plan_of(folder, tables=["table2"])
    finish(plan)
    write_scale(plan)
    write_scale(plan_of(folder, tables=["table2", "table3"], seeds=[0, 5]))
    assert read_scale(folder / "scale.json").seeds == (0, 5)


def test_a_scale_of_another_recipe_is_refused_beside_trained_runs(folder: Path) -> None:
    plan = plan_of(folder)
    finish(plan)
    write_scale(plan)
    before = (folder / "scale.json").read_bytes()
    first = next(iter(plan.runs))
    with refused(
        f"{folder / 'scale.json'}: not changed, because {first} and 2 more runs beside it",
        "give the scale another name, or run snakemake",
    ):
        write_scale(plan_of(folder, images={"weight_decay": 0.5}))
    assert (folder / "scale.json").read_bytes() == before


def test_a_scale_of_another_recipe_is_refused_beside_a_publication(folder: Path) -> None:
    plan = plan_of(folder)
    write_scale(plan)
    lines = [f"{run_id},{plan.recipe_hash(run)}" for run_id, run in plan.runs.items()]
    (folder / "runs.csv").write_text("\n".join(["run,recipe_hash", *lines]) + "\n")
    write_scale(plan_of(folder, seeds=[0, 5]))
    with refused(str(folder / "scale.json"), "trained with other recipes than this scale's"):
        write_scale(plan_of(folder, images={"weight_decay": 0.5}))


def test_a_recipe_that_no_run_has_yet_may_change(folder: Path) -> None:
    write_scale(plan_of(folder))
    write_scale(plan_of(folder, images={"weight_decay": 0.5}))
    assert read_scale(folder / "scale.json").images.weight_decay == 0.5


def test_what_determines_no_result_may_change_beside_trained_runs(folder: Path) -> None:
    plan = plan_of(folder)
    finish(plan)
    write_scale(plan)
    write_scale(plan_of(folder, images={"evaluate_every": 7}, logit_cache_limit_gib=3.0))
    assert read_scale(folder / "scale.json").images.evaluate_every == 7


def test_a_damaged_scale_is_written_again(folder: Path) -> None:
    plan = plan_of(folder)
    finish(plan)
    folder.joinpath("scale.json").write_bytes(b"\xff")
    write_scale(plan)
    assert read_scale(folder / "scale.json") == read_scale(write_scale(plan))
