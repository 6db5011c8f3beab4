"""runs.csv says of every run what it is and what it gave."""

import json

import pandas as pd
import pytest
from support.plans import tiny_plan
from support.small_results import BAN, LABEL

from replication.analysis.collect import collect, describe_planned_run, measure_table
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.results.csv_files import read_cells, read_runs, split_members
from replication.results.run_folder import HISTORY, RECORD


def test_every_run_has_one_line(small_plan: Plan) -> None:
    runs = read_runs(small_plan.results)
    assert set(runs.index) == set(small_plan.runs)
    cells = read_cells(small_plan.results)
    assert {member for run in cells["run"] for member in split_members(run)} <= set(runs.index)


def test_a_line_has_the_runs_place_in_its_lineage(small_plan: Plan) -> None:
    runs = read_runs(small_plan.results)
    teacher, student = runs.loc[LABEL], runs.loc[BAN]
    assert (student["teacher"], student["root_teacher"], student["generation"]) == (LABEL, LABEL, 1)
    assert pd.isna(teacher["teacher"])
    assert pd.isna(teacher["root_teacher"])
    assert (student["network"], student["objective"]) == ("wide_resnet_28_2", "ban")
    assert pd.isna(student["variant"])
    for run in small_plan.runs.values():
        assert runs.loc[run.id, "lineage_seed"] == small_plan.lineage_seeds[run.id]


def test_a_seed_offset_changes_the_seed_and_not_that_of_the_lineage() -> None:
    plan = tiny_plan(tables=["table2"], seeds=[0, 1])
    lines = [describe_planned_run(plan, run) for run in plan.runs.values()]
    assert {line["lineage_seed"] for line in lines} == {0, 1}
    shifted = [line for line in lines if line["seed"] != line["lineage_seed"]]
    # Table 2 trains BAN-1 with another seed than its column BAN, which is the same treatment.
    assert {line["seed"] - line["lineage_seed"] for line in shifted} == {1000}
    assert len(shifted) > 0


def test_numbers_are_those_of_the_runs_files(small_plan: Plan) -> None:
    runs = read_runs(small_plan.results)
    folder = small_plan.results / "runs" / BAN
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    line = runs.loc[BAN]
    assert line["error"] == pytest.approx(record["result"]["test error (%)"])
    assert line["train_error"] == pd.read_csv(folder / HISTORY)["train_error"].iloc[-1]
    assert line["seconds"] == record["seconds"]
    assert line["commit"] == record["code"]["commit"]
    assert line["torch"] == record["versions"]["torch"]
    quality = pd.read_csv(small_plan.results / "quality.csv.gz").query("run == @BAN")
    assert line["nll"] == pytest.approx(quality.query("metric == 'nll'")["value"].iloc[0])
    language = runs[runs["test_perplexity"].notna()]
    assert language["error"].isna().all()
    assert len(language) > 0


def test_one_table_needs_no_other(small_plan: Plan) -> None:
    runs = read_runs(small_plan.results)
    needed = small_plan.needed("treatments")
    measured = measure_table(small_plan, "treatments")
    assert measured.reasons == {}
    assert set(measured.runs["run"]) == set(needed)
    assert len(needed) < len(runs)


def test_a_missing_run_leaves_its_cells_empty_and_is_left_out(small_plan: Plan) -> None:
    (small_plan.results / "runs" / BAN / RECORD).unlink()
    measured = measure_table(small_plan, "treatments")
    assert set(measured.reasons) == {("wide", "ban"), ("wide", "ens*2")}
    assert all("no such file" in reason for reason in measured.reasons.values())
    assert BAN not in set(measured.runs["run"])
    for table in small_plan.tables:
        measure_table(small_plan, table).write(small_plan, table)
    collect(small_plan)
    assert BAN not in read_runs(small_plan.results).index


def test_parts_that_describe_one_run_differently_are_refused(small_plan: Plan) -> None:
    file = small_plan.results / "cells/treatments.runs.csv"
    lines = pd.read_csv(file)
    lines.loc[lines["run"] == BAN, "error"] += 1
    lines.to_csv(file, index=False)
    with pytest.raises(InputError, match=f"{BAN}: .*differently.*snakemake"):
        collect(small_plan)
