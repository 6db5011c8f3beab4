"""A table leaves cells with missing or damaged runs empty, and says why."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.small_results import BAN, LABEL, change_record, small_plan_of

from replication.analysis.collect import collect
from replication.analysis.table_statistics import missing_cells, table_statistics
from replication.cli import run_command
from replication.plan.plan import Plan
from replication.report.table_files import build_table, render_table
from replication.results.csv_files import csv_text, read_cells, read_csv_file, read_runs
from replication.results.run_folder import FAILURE, PREDICTIONS, RECORD
from replication.results.run_record import read_predictions

Damage = Callable[[Path], object]
DAMAGE: dict[str, tuple[Damage, str]] = {
    "a seed is missing": (lambda r: shutil.rmtree(r / "runs" / BAN), "the run is not trained"),
    "a run has failed": (
        lambda r: [
            (r / "runs" / BAN / RECORD).unlink(),
            (r / "runs" / BAN / FAILURE).write_text('{"reason": "out of memory"}'),
        ],
        "the run has failed: out of memory",
    ),
    "predictions of another checksum": (
        lambda r: save_file(
            {k: v.clone() for k, v in load_file(r / "runs" / BAN / PREDICTIONS).items()}
            | {"labels": torch.zeros(100, dtype=torch.int64)},
            r / "runs" / BAN / PREDICTIONS,
        ),
        "the checksum is not the one in run.json",
    ),
    "another teacher": (
        lambda r: change_record(r / "runs" / BAN, teacher={"run": LABEL, "model_sha256": "0"}),
        "trained by a teacher other than the one whose folder it is in",
    ),
    "another recipe": (
        lambda r: change_record(r / "runs" / BAN, recipe_hash="0"),
        "trained with another recipe",
    ),
    "other data": (
        lambda r: change_record(r / "runs" / BAN, dataset={"sha256": "0"}),
        "runs with different data",
    ),
    "another precision": (
        lambda r: change_record(r / "runs" / BAN, precision="bfloat16"),
        "runs with different precision",
    ),
    "another version": (
        lambda r: (r / "runs" / BAN / RECORD).write_text('{"run": "a"}'),
        "because another version wrote it",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_cell_with_a_damaged_run_stays_empty_and_its_table_says_why(
    small_plan: Plan, name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    damage, message = DAMAGE[name]
    before = pd.read_csv(small_plan.results / "tables/table3.csv")
    damage(small_plan.results)
    built = build_table(small_plan, "table3")
    frame, reasons = built.frame, built.reasons
    empty = frame[frame["n"] == 0]
    assert ("wide-resnet-28-2", "ban") in set(zip(empty["row"], empty["column"], strict=True))
    assert empty[["mean", "std", "ci_low", "delta_vs_teacher", "verdict"]].isna().all(axis=None)
    assert any(message in reason for reason in reasons), reasons
    # Nothing else has changed, and no cell is averaged over fewer seeds.
    rest = frame["n"] > 0
    assert (frame["n"][rest] == 2).all()
    shown = ["row", "column", "mean", "verdict"]
    pd.testing.assert_frame_equal(
        frame.loc[rest, shown], before.loc[rest, shown], check_dtype=False
    )
    for name in small_plan.tables:
        build_table(small_plan, name)
    collect(small_plan)
    cells = pd.read_csv(small_plan.results / "cells.csv")
    assert len(cells.query("row == 'wide-resnet-28-2' and column == 'ban'")) == 0
    for suffix in ("md", "html", "tex"):
        text = (small_plan.results / f"tables/table3.{suffix}").read_text(encoding="utf-8")
        assert "Empty cell: wide-resnet-28-2, ban" in text


def test_a_contrast_is_written_and_shown(small_plan: Plan) -> None:
    column = "densenet-90-60 student"
    spec = small_plan.tables["table3"].model_copy(
        update={
            "contrasts": {"gain": {"ban": 1.0, "teacher": -1.0}},
            "hidden": (column,),
            "transposed": True,
        }
    )
    plan = replace(small_plan, tables={**small_plan.tables, "table3": spec})
    frame = build_table(plan, "table3").frame
    by_column = frame.set_index(["column", "row"])
    pd.testing.assert_series_equal(
        by_column.loc["gain", "mean"], by_column.loc["ban", "delta_vs_teacher"], check_names=False
    )
    assert len(by_column.loc[column]) == 4
    text = (plan.results / "tables/table3.md").read_text(encoding="utf-8")
    names = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    assert [name for name in names if name] == [":--", "Teacher", "BAN", "gain"]


def test_a_table_follows_from_its_cells_and_runs_without_run_folders(small_plan: Plan) -> None:
    shutil.rmtree(small_plan.results / "runs")
    for name in small_plan.tables:
        cells = read_csv_file(small_plan.results, "table_cells", table=name)
        runs = read_csv_file(small_plan.results, "table_runs", table=name)
        frame = table_statistics(small_plan, name, cells, runs.set_index("run", drop=False))
        texts = {"csv": csv_text("table", frame), **render_table(small_plan, name, frame)}
        for ending, text in texts.items():
            file = small_plan.results / f"tables/{name}.{ending}"
            assert file.read_text(encoding="utf-8") == text, file
        from_all_tables = table_statistics(
            small_plan, name, read_cells(small_plan.results), read_runs(small_plan.results)
        )
        pd.testing.assert_frame_equal(from_all_tables, frame)
        assert missing_cells(small_plan, name, cells) == []


def test_the_numbers_of_a_cell_are_those_of_its_predictions(small_plan: Plan) -> None:
    table = read_csv_file(small_plan.results, "table", table="table3").set_index(["row", "column"])
    line = table.loc[("wide-resnet-28-2", "ban")]
    errors: dict[str, list[float]] = {BAN: [], LABEL: []}
    for run, values in errors.items():
        for seed in (0, 1):
            folder = small_plan.results / "runs" / re.sub(r"\.0\b", f".{seed}", run)
            saved = read_predictions(folder)
            values.append(100 * (saved["logits"].argmax(-1) != saved["labels"]).mean())
    assert line["mean"] == pytest.approx(np.mean(errors[BAN]))
    difference = np.mean(errors[BAN]) - np.mean(errors[LABEL])
    assert line["delta_vs_teacher"] == pytest.approx(difference)
    assert line["params"] == small_plan_parameters(small_plan, BAN) / 1e6


def small_plan_parameters(plan: Plan, run: str) -> int:
    return int(json.loads((plan.results / "runs" / run / RECORD).read_text())["parameters"])


def test_a_table_that_cannot_be_built_leaves_the_scale_of_the_results_alone(
    small_plan: Plan, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    scale = small_plan.results / "scale.json"
    scale.write_text("the scale that these results were planned by")
    other = small_plan_of(images={"epochs": 3, "milestones": [2]})
    monkeypatch.setattr(Plan, "read", classmethod(lambda cls, files, root: other))
    assert run_command(["table", "3"]) == 1
    assert "trained with another recipe" in capfd.readouterr().err
    assert scale.read_text() == "the scale that these results were planned by"


def test_the_command_fails_on_an_empty_cell_unless_allowed(
    small_plan: Plan, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Plan, "read", classmethod(lambda cls, files, root: small_plan))
    assert run_command(["table", "3", "6"]) == 0
    shutil.rmtree(small_plan.folder(small_plan.run(BAN)))
    assert run_command(["table", "3"]) == 1
    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith("empty cell: wide-resnet-28-2, ban: results/tiny/runs/")
    assert said[-1].startswith("error: 1 cell left empty for the reasons above")
    assert run_command(["table", "--allow-missing", "3"]) == 0
