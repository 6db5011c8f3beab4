"""What Snakemake trains and measures again, and what it keeps."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from support.checks import wait_until
from support.plans import BUILT, ROOT, TINY, WITH_TWO_SEEDS, runs_per_seed, tiny_plan
from support.workplace import FILES, PATH, Workplace

from replication.report.notebook_catalogue import NOTEBOOKS

TEACHER = "two_digit_numbers/wide_resnet_28_2.label.0"
STUDENT = f"{TEACHER}/wide_resnet_28_2.ban.0"


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """An empty workplace."""
    return Workplace(tmp_path)


@pytest.fixture
def table3(built: Workplace, tmp_path: Path) -> Workplace:
    """A copy of the built workplace, to be changed; its default scale has one table."""
    copy = built.copy(tmp_path)
    copy.configure({**TINY, "tables": ["table3"], "seeds": [0, 1]})
    return copy


@pytest.fixture
def configured(built: Workplace) -> Iterator[Workplace]:
    """The built workplace, whose configuration a test may change for dry runs."""
    yield built
    built.configure(BUILT)


def test_another_seed_trains_exactly_its_own_runs(configured: Workplace) -> None:
    configured.configure({**BUILT, "seeds": [0, 1, 2]})
    assert configured.jobs()["train"] == len(tiny_plan(tables=WITH_TWO_SEEDS).runs)


def test_a_seed_less_measures_tables_again_and_trains_nothing(configured: Workplace) -> None:
    configured.configure(TINY)
    jobs = configured.jobs()
    assert jobs["table"] == len(WITH_TWO_SEEDS)
    assert "train" not in jobs


def test_a_changed_recipe_retrains_only_its_runs(configured: Workplace) -> None:
    recipe = {**TINY["language"], "lstm": {"epochs": 1, "clip_norm": 1.0}}
    configured.configure({**BUILT, "language": recipe})
    jobs = configured.jobs()
    # Table 6 has three LSTMs for each of two seeds, and sensitivity two more for one.
    assert jobs["train"] == 2 * 3 + 2
    assert jobs["table"] == 2


def test_another_file_with_the_same_recipes_retrains_nothing(configured: Workplace) -> None:
    configured.configure({"data_root": "elsewhere"}, "more.yaml")
    assert configured.jobs(*FILES, "more.yaml", default_files=False) == {}


def test_a_changed_row_reruns_what_depends_on_it(table3: Workplace) -> None:
    tables = table3.folder / "tables"
    tables.unlink()
    shutil.copytree(ROOT / "tables", tables)
    file = tables / "table3.yaml"
    text = file.read_text(encoding="utf-8")
    row = "wide-resnet-28-1: {network: "
    changed = text.replace(f"{row}wide_resnet_28_1", f"{row}densenet_80_80")
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    table3.configure(BUILT)
    jobs = table3.jobs()
    # Its teacher and BAN are runs of Table 2, which has one seed; the DenseNet-90-60 student of
    # that teacher is new at both.
    assert jobs["train"] == 1 + 3
    assert jobs["table"] == 1


def test_a_deleted_run_is_trained_again_with_its_students_and_nothing_else(
    table3: Workplace,
) -> None:
    shutil.rmtree(table3.folder / "results/tiny/runs" / TEACHER)
    assert table3.jobs("table3")["train"] == 3


@pytest.mark.long
def test_data_that_is_prepared_again_retrains_nothing(table3: Workplace) -> None:
    data = table3.folder / "results/tiny/data/two_digit_numbers.json"
    data.touch()
    assert table3.jobs("table3") == {}
    data.unlink()
    shutil.rmtree(table3.folder / "results/tiny/runs" / STUDENT)
    jobs = table3.jobs("table3")
    assert (jobs["data"], jobs["train"]) == (1, 1)


@pytest.mark.long
def test_touch_accepts_copied_runs_whatever_their_times(table3: Workplace) -> None:
    runs = table3.folder / "results/tiny/runs"
    for folder in (".snakemake", "results/tiny/tables", "results/tiny/cells", "results/tiny/data"):
        shutil.rmtree(table3.folder / folder)
    shutil.rmtree(runs / STUDENT)
    for hours, file in enumerate(sorted(runs.rglob("*"))):
        os.utime(file, (1e9 - 3600 * hours,) * 2)
    assert table3.jobs("table3")["train"] > 1
    table3.build("table3", "--touch")
    assert table3.jobs("table3")["train"] == 1


@pytest.mark.long
def test_a_failed_run_leaves_an_empty_cell_and_the_rest_is_built(table3: Workplace) -> None:
    results = table3.folder / "results/tiny"
    folder = results / "runs" / STUDENT
    shutil.rmtree(folder)
    folder.mkdir()
    # A checkpoint of another recipe.
    checkpoint = {"identity": {}, "conditions": [], "seconds": 0.0, "attempts": 1, "trainer": {}}
    torch.save(checkpoint, folder / "checkpoint.pt")
    done = table3.call("table3", "--keep-going")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    # The failure is one line, with the log and its last line.
    assert f"failed: train: results/tiny/runs/{STUDENT}/train.log: error: results/" in output
    assert "empty cell: wide-resnet-28-2, ban: results/tiny/runs/" in output
    table = pd.read_csv(results / "tables/table3.csv").set_index(["row", "column"])
    assert table.loc[("wide-resnet-28-2", "ban"), "n"] == 0
    assert (table["n"] == 0).sum() == 1
    text = (results / "tables/table3.md").read_text(encoding="utf-8")
    assert "the run has failed: results/tiny/runs/" in text
    assert len(pd.read_csv(results / "cells.csv")) == 2 * (len(table) - 1)
    # Once that is fixed, the next call trains this run and fills the cell.
    (folder / "checkpoint.pt").unlink()
    assert table3.jobs("table3")["train"] == 1
    table3.build("table3")
    assert (pd.read_csv(results / "tables/table3.csv")["n"] == 2).all()


@pytest.mark.long
def test_a_partial_table_is_built_again_even_if_its_run_arrives_with_an_old_time(
    table3: Workplace,
) -> None:
    results = table3.folder / "results/tiny"
    record = results / "runs" / STUDENT / "run.json"
    content, times = record.read_bytes(), record.stat().st_mtime_ns
    record.write_text("{}", encoding="utf-8")
    assert table3.call("table3", "--forcerun", "table", "--keep-going").returncode != 0
    assert (pd.read_csv(results / "tables/table3.csv")["n"] == 0).sum() == 1
    record.write_bytes(content)
    os.utime(record, ns=(times, times))
    jobs = table3.jobs("table3")
    assert jobs["table"] == 1
    assert "train" not in jobs
    table3.build("table3")
    assert (pd.read_csv(results / "tables/table3.csv")["n"] == 2).all()


@pytest.mark.long
def test_a_deleted_file_is_made_again_where_it_is_needed(built: Workplace, tmp_path: Path) -> None:
    built_copy = built.copy(tmp_path)
    results = built_copy.folder / "results/tiny"
    cells = pd.read_csv(results / "cells/table2.csv")
    run = cells.loc[cells["column"] == "cwtm", "run"].iloc[0]
    frames = "results/tiny/frames/confidence_weights.csv"
    (results / "runs" / run / "confidence_weights.csv").unlink()
    (built_copy.folder / frames).unlink()
    jobs = built_copy.jobs(frames)
    assert (jobs["train"], jobs["frames"]) == (1, 1)
    (results / "scale.json").unlink()
    assert built_copy.jobs("results/tiny/scale.json") == {"scale": 1, "total": 1}


@pytest.mark.long
def test_damaged_predictions_are_named_and_retrained_once_deleted(table3: Workplace) -> None:
    file = table3.folder / "results/tiny/runs" / TEACHER / "predictions.safetensors"
    file.write_bytes(file.read_bytes()[:64])
    done = table3.call("table3")
    assert done.returncode != 0
    log = (table3.folder / "results/tiny/tables/table3.log").read_text(encoding="utf-8")
    assert log.startswith("empty cell: wide-resnet-28-2, teacher: results/tiny/runs/two_digit_num")
    assert "predictions.safetensors: damaged" in log
    assert "3 cells" in log.splitlines()[-1]
    file.unlink()
    assert table3.jobs("table3")["train"] == 3


def processes_in(folder: Path) -> list[str]:
    """The processes that work in a folder, by their folders in /proc."""
    working = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                working.append(process.name)
    return working


@pytest.mark.long
def test_a_killed_call_resumes_where_it_stopped(place: Workplace) -> None:
    place.configure({**TINY, "tables": ["table3"]})
    runs = place.folder / "results/tiny/runs"
    with subprocess.Popen(
        place.command("table3", *FILES),
        cwd=place.folder,
        env={**os.environ, "PATH": PATH},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while len(list(runs.rglob("run.json"))) < 4 and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    # Trainings run in a process group of their own, and end a moment later.
    wait_until(lambda: not processes_in(place.folder))
    kept = {path: path.stat().st_mtime_ns for path in runs.rglob("run.json")}
    assert 4 <= len(kept) < 12
    place.build("--unlock")
    place.build("table3")
    after = {path: path.stat().st_mtime_ns for path in runs.rglob("run.json")}
    assert len(after) == 12
    # A run whose job had not been finished by Snakemake when it was killed is trained again.
    assert sum(after[path] == stamp for path, stamp in kept.items()) >= len(kept) - 2


@pytest.mark.parametrize(
    "scale",
    ["paper", *(pytest.param(name, marks=pytest.mark.long) for name in ("digits", "fashion"))],
)
def test_the_dry_run_of_a_scale_plans_every_run_for_every_seed(
    place: Workplace, scale: str
) -> None:
    config = yaml.safe_load((ROOT / f"config/{scale}.yaml").read_text(encoding="utf-8"))
    jobs = place.jobs("--configfile", f"config/{scale}.yaml", default_files=False)
    runs = runs_per_seed(config["tables"]) * len(config["seeds"])
    tables = len(config["tables"])
    assert jobs == {
        "data": 3,
        "train": runs,
        "table": tables,
        **dict.fromkeys(("scale", "collect", "quality", "frames", "claims", "criteria"), 1),
        **{f"notebook_{name}": 1 for name in NOTEBOOKS},
        "all": 1,
        "total": runs + tables + len(NOTEBOOKS) + 10,
    }


def test_overrides_that_name_no_scale_override_the_default_one(place: Workplace) -> None:
    place.configure({"seeds": [5]})
    jobs = place.jobs("table2", "--configfile", "mine.yaml", default_files=False)
    assert jobs["train"] == 31
