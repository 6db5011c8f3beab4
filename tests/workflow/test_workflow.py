"""Real Snakemake runs: what is built, what is kept, and what is built again."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file
from support.plans import BUILT, ROOT, TINY
from support.workplace import PATH, Workplace

from replication.ensemble import average
from replication.report.notebooks import NOTEBOOKS

TABLES = [f"table{number}" for number in range(1, 7)]
ONE_TABLE = {**TINY, "scale": "one", "tables": ["table3"]}


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def test_every_run_is_trained_once(built: Workplace) -> None:
    records = list((built.folder / "results/tiny/runs").rglob("run.json"))
    assert len(records) == 2 * (83 + 8)


def test_every_table_is_written_in_four_formats(built: Workplace) -> None:
    folder = built.folder / "results/tiny/tables"
    found = {path.name for path in folder.iterdir() if path.suffix != ".log"}
    assert found == {
        f"{t}.{end}" for t in [*TABLES, "sensitivity"] for end in ("csv", "md", "html", "tex")
    }


CONTRACT = (
    "table,row,column,metric,reported,mean,std,ci_low,ci_high,n,delta_vs_teacher,delta_ci_low,"
    "delta_ci_high,p_value,params,params_reported,verdict"
)


@pytest.mark.parametrize("name", TABLES)
def test_the_csv_has_the_contracts_line_for_every_printed_cell(built: Workplace, name: str) -> None:
    file = built.folder / f"results/tiny/tables/{name}.csv"
    assert file.read_text(encoding="utf-8").splitlines()[0] == CONTRACT
    frame = pd.read_csv(file)
    printed = yaml.safe_load((ROOT / "tests/reported.yaml").read_text(encoding="utf-8"))[name]
    cells = sum(row[c] is not None for row in printed["rows"].values() for c in printed["columns"])
    assert len(frame) == cells + 2 * (name == "table5")
    assert frame["reported"].notna().all()
    assert (frame["n"] == 2).all()
    teacher_logits = frame["delta_vs_teacher"].notna()
    assert set(frame["verdict"][teacher_logits]) <= {"replicated", "contradicted", "inconclusive"}
    assert frame["verdict"][~teacher_logits].isna().all()


def test_a_cells_number_is_the_mean_over_its_seeds(built: Workplace) -> None:
    cells = pd.read_csv(built.folder / "results/tiny/cells.csv")
    assert list(cells.columns) == ["table", "row", "column", "seed", "metric", "value", "run"]
    means = cells.groupby(["table", "row", "column"])["value"].mean()
    for name in TABLES:
        frame = pd.read_csv(built.folder / f"results/tiny/tables/{name}.csv")
        for line in frame.itertuples():
            assert line.mean == pytest.approx(means[line.table, line.row, line.column])


def test_an_ensemble_is_measured_from_its_members_predictions(built: Workplace) -> None:
    cells = pd.read_csv(built.folder / "results/tiny/cells.csv").query("column == 'ens*3'")
    for cell in cells.itertuples():
        members = str(cell.run).split(";")
        generations = [member.count("/") - 1 for member in members]
        assert generations == ([0, 1, 2] if cell.row == "densenet-80-120" else [1, 2, 3])
        files = [
            built.folder / "results/tiny/runs" / m / "predictions.safetensors" for m in members
        ]
        found = [load_file(file) for file in files]
        mean = average(torch.stack([f["logits"] for f in found]).double())
        wrong = 100 * (mean.argmax(-1) != found[0]["labels"]).double().mean().item()
        assert cell.value == pytest.approx(wrong)


def test_notebooks_leave_executed_copies_pages_and_figures(built: Workplace) -> None:
    results = built.folder / "results/tiny"
    for name, notebook in NOTEBOOKS.items():
        executed = nbformat.read(results / f"notebooks/{name}.ipynb", as_version=4)
        code = [cell for cell in executed.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code)
        assert (results / f"notebooks/{name}.html").stat().st_size > 10_000
        for figure in notebook.figures:
            assert (results / f"figures/{figure}.png").stat().st_size > 5_000
            assert (results / f"figures/{figure}.svg").stat().st_size > 5_000


def test_a_second_call_does_nothing(built: Workplace) -> None:
    assert built.jobs() == {}


@pytest.fixture
def rebuilt(built: Workplace) -> Iterator[Workplace]:
    """The built workplace with another configuration, put back afterwards."""
    yield built
    built.configure(BUILT)


def test_another_seed_trains_exactly_its_own_runs(rebuilt: Workplace) -> None:
    rebuilt.configure({**TINY, "seeds": [0, 1, 2]})
    assert rebuilt.jobs()["train"] == 83 + 8


def test_a_changed_recipe_retrains_just_what_it_belongs_to(rebuilt: Workplace) -> None:
    recipe = {**TINY["language"], "lstm": {"epochs": 1, "clip_norm": 1.0}}
    rebuilt.configure({**TINY, "seeds": [0, 1], "language": recipe})
    jobs = rebuilt.jobs()
    assert jobs["train"] == 4
    assert jobs["table"] == 1


def test_another_file_with_the_same_recipes_retrains_nothing(rebuilt: Workplace) -> None:
    rebuilt.configure({"data_root": "elsewhere"}, "more.yaml")
    files = ["--configfile", "config/digits.yaml", "mine.yaml", "more.yaml"]
    assert rebuilt.jobs(*files, mine=False) == {}


def test_a_changed_row_reruns_what_depends_on_it(built: Workplace, tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    (tmp_path / "tables").unlink()
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    shutil.copytree(built.folder / "results", tmp_path / "results", copy_function=os.link)
    shutil.copytree(built.folder / ".snakemake", tmp_path / ".snakemake")
    shutil.copy(built.folder / "mine.yaml", tmp_path)
    path = tmp_path / "tables/table3.yaml"
    text = path.read_text(encoding="utf-8")
    changed = text.replace(
        "wide-resnet-28-1: {network: wide_resnet_28_1",
        "wide-resnet-28-1: {network: densenet_80_80",
    )
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    jobs = place.jobs()
    # Its teacher and BAN are runs of table 2; the DenseNet-90-60 student of that teacher is new.
    assert jobs["train"] == 2
    assert jobs["table"] == 1


@pytest.mark.parametrize("scale", ["digits", "fashion", "paper"])
def test_the_dry_run_of_a_scale_has_its_runs_for_every_seed(place: Workplace, scale: str) -> None:
    config = yaml.safe_load((ROOT / f"config/{scale}.yaml").read_text(encoding="utf-8"))
    jobs = place.jobs("--configfile", f"config/{scale}.yaml", mine=False)
    runs = 83 + 8 * ("sensitivity" in config["tables"])
    tables = len(config["tables"])
    assert jobs == {
        "train": runs * len(config["seeds"]),
        "table": tables,
        "cells": 1,
        "claims": 1,
        **{f"notebook_{name}": 1 for name in NOTEBOOKS},
        "notebook_page": 4,
        "all": 1,
        "total": runs * len(config["seeds"]) + tables + 11,
    }


def test_one_table_builds_what_it_needs(place: Workplace) -> None:
    assert place.jobs("table2", mine=False)["train"] == 31 * 2
    assert place.jobs("table4", mine=False)["train"] == 8 * 2


def test_a_killed_call_goes_on_where_it_stopped(place: Workplace) -> None:
    place.configure(ONE_TABLE)
    files = ["--configfile", "config/digits.yaml", "mine.yaml"]
    runs = place.folder / "results/one/runs"
    with subprocess.Popen(
        place.command("table3", *files),
        cwd=place.folder,
        env={**os.environ, "PATH": PATH},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while len(list(runs.rglob("run.json"))) < 4 and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    kept = {path: path.stat().st_mtime_ns for path in runs.rglob("run.json")}
    assert 4 <= len(kept) < 12
    assert place.call("--unlock").returncode == 0
    done = place.call("table3")
    assert done.returncode == 0, done.stdout + done.stderr
    after = {path: path.stat().st_mtime_ns for path in runs.rglob("run.json")}
    assert len(after) == 12
    # A run whose job was still being wrapped up when the kill came is trained again.
    assert sum(after[path] == stamp for path, stamp in kept.items()) >= len(kept) - 2


def test_a_deleted_teacher_takes_what_was_learned_from_it_along(place: Workplace) -> None:
    place.configure(ONE_TABLE)
    assert place.call("table3").returncode == 0
    assert place.jobs("table3") == {}
    shutil.rmtree(place.folder / "results/one/runs/two_digit_numbers/wide_resnet_28_2.label.0")
    assert place.jobs("table3")["train"] == 3


def one_line(done: subprocess.CompletedProcess[str], message: str) -> None:
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert message in output, output
    assert "Traceback" not in output


def test_keys_on_the_command_line_are_refused_because_no_job_would_see_them(
    place: Workplace,
) -> None:
    done = place.call("--dry-run", "--config", "seeds=[5]", mine=False)
    one_line(done, "--config does not reach the runs")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"seeds": []}, "`seeds`: tuple should have at least 1 item"),
        ({"sedes": [1]}, "unknown key `sedes`; did you mean `seeds`?"),
        ({"tables": ["table9"]}, "table9.yaml: no such table"),
        ({"images": {"epoch": 3}}, "unknown key `images.epoch`"),
    ],
)
def test_a_wrong_scale_stops_the_workflow_with_one_line(
    place: Workplace, config: dict[str, Any], message: str
) -> None:
    place.configure(config)
    one_line(place.call("--dry-run"), message)


def test_a_scale_that_is_not_yaml_stops_the_workflow(place: Workplace) -> None:
    (place.folder / "mine.yaml").write_text("seeds: [1", encoding="utf-8")
    one_line(place.call("--dry-run"), "Config file is not valid JSON or YAML")


def test_results_that_are_no_folder_stop_the_workflow(place: Workplace) -> None:
    (place.folder / "results").write_text("a file", encoding="utf-8")
    one_line(place.call("--dry-run", mine=False), "results: no folder that can be written")


def test_an_unknown_table_is_no_target(place: Workplace) -> None:
    one_line(place.call("--dry-run", "table9", mine=False), "table9")


def test_conda_deployment_is_refused_with_the_way_to_go(place: Workplace) -> None:
    done = place.call("--dry-run", "--software-deployment-method", "conda", mine=False)
    one_line(done, "make the environment once, by `conda env create`")


def test_a_failed_run_leaves_an_empty_cell_that_says_why_and_everything_else_is_built(
    place: Workplace,
) -> None:
    place.configure(ONE_TABLE)
    run = "two_digit_numbers/wide_resnet_28_2.label.0/wide_resnet_28_2.ban.0"
    folder = place.folder / "results/one/runs" / run
    folder.mkdir(parents=True)
    # A state that some other recipe has left.
    torch.save(
        {"identity": {}, "seconds": 0.0, "attempts": 1, "training": {}}, folder / "checkpoint.pt"
    )
    done = place.call("table3", "--keep-going")
    assert done.returncode != 0
    assert "empty cell: wide-resnet-28-2, ban: results/one/runs/" in done.stderr + done.stdout
    results = place.folder / "results/one"
    table = pd.read_csv(results / "tables/table3.csv").set_index(["row", "column"])
    assert table.loc[("wide-resnet-28-2", "ban"), "n"] == 0
    assert table["n"].sum() == len(table) - 1
    text = (results / "tables/table3.md").read_text(encoding="utf-8")
    assert "the run has failed: results/one/runs/" in text
    assert "state.pt: of another" in text.replace("\\", "")
    assert len(pd.read_csv(results / "cells.csv")) == len(table) - 1
    assert len(list((results / "runs").rglob("run.json"))) == 11
    # Mended, the next call trains just that run and fills the cell.
    (folder / "checkpoint.pt").unlink()
    assert place.jobs("table3")["train"] == 1
    assert place.call("table3").returncode == 0
    assert (pd.read_csv(results / "tables/table3.csv")["n"] == 1).all()


def test_damaged_predictions_are_named_and_retrained_once_deleted(place: Workplace) -> None:
    place.configure(ONE_TABLE)
    assert place.call("table3").returncode == 0
    folder = place.folder / "results/one/runs/two_digit_numbers/wide_resnet_28_2.label.0"
    file = folder / "predictions.safetensors"
    file.write_bytes(file.read_bytes()[:64])
    done = place.call("table3")
    assert done.returncode != 0
    log = (place.folder / "results/one/tables/table3.log").read_text(encoding="utf-8")
    assert log.startswith("empty cell: wide-resnet-28-2, teacher: results/one/runs/two_digit_num")
    assert "predictions.safetensors: damaged" in log
    assert log.splitlines()[-1].startswith("error: 3 cells stay empty for the reasons above")
    file.unlink()
    done = place.call("table3")
    assert done.returncode == 0, done.stdout + done.stderr
