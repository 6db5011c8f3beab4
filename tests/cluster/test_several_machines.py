"""Run folders from several machines, copied into one tree: Snakemake goes by their records."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.plans import ROOT
from support.stub_training import StandIn, invent
from support.workplace import Workplace

from replication.analysis.measure import Measurements
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.runs import record as runs
from replication.verify.results import verify
from replication.workflow.mtimes import sync_mtimes

KEYS: dict[str, Any] = {"tables": ["table3"], "seeds": [0, 1]}
TEACHER = "cifar100/wide_resnet_28_1.label.0"
STUDENT = f"{TEACHER}/wide_resnet_28_1.ban.0"
HOUR = 3600 * 10**9


class Tree:
    """A workplace, and a stand-in for its trainings."""

    def __init__(self, folder: Path) -> None:
        (folder / "place").mkdir(parents=True)
        self.place = Workplace(folder / "place")
        self.configure(KEYS)
        self.trainings = StandIn(folder, self.plan)
        self.runs = self.place.folder / self.plan.results / "runs"

    def configure(self, keys: dict[str, Any]) -> None:
        self.place.configure(keys)
        files = [ROOT / "config/paper.yaml", self.place.folder / "mine.yaml"]
        self.plan = Plan.read(files, ROOT / "tables")

    def call(self, *arguments: str) -> str:
        files = ["--configfile", "config/paper.yaml", "mine.yaml"]
        done = subprocess.run(
            ["snakemake", "--cores", "8", "table3", *arguments, *files],
            cwd=self.place.folder,
            env=self.trainings.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        return done.stdout

    def trained(self) -> set[str]:
        """The runs that were trained here since the last time that this was asked."""
        found = {run for run, _ in self.trainings.attempts()}
        self.trainings.log.write_text("", encoding="utf-8")
        return found

    def table(self) -> pd.DataFrame:
        return pd.read_csv(self.place.folder / self.plan.results / "tables/table3.csv")

    def settle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(self.place.folder)
        sync_mtimes(self.plan)


@pytest.fixture
def here(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "here")


@pytest.fixture
def elsewhere(here: Tree, tmp_path: Path) -> Path:
    """The folder ``runs`` of another machine, where everything is trained."""
    return invented(here, tmp_path / "elsewhere")


def invented(here: Tree, folder: Path, salt: int = 1) -> Path:
    invent(here.plan, folder, salt)
    for fate in folder.rglob("fate"):
        fate.unlink()
    return folder


def date(folder: Path, hours: int, below: bool = True) -> None:
    """Have a run's files, and those of what was learned from it, written so many hours ago."""
    for file in folder.rglob("*") if below else folder.glob("*"):
        if file.is_file():
            time = file.stat().st_mtime_ns - hours * HOUR
            os.utime(file, ns=(time, time))


def copy_run(run: str, source: Path, target: Path) -> None:
    """Copy a run's own files, and nothing of what was learned from it."""
    (target / run).mkdir(parents=True, exist_ok=True)
    for file in (source / run).iterdir():
        if file.is_file():
            shutil.copy(file, target / run)


def test_runs_copied_before_their_teachers_are_not_trained_again(
    here: Tree, elsewhere: Path
) -> None:
    for number, run in enumerate(reversed(here.plan.runs)):
        copy_run(run, elsewhere, here.runs)
        date(here.runs / run, 100 - number, below=False)
    here.call()
    assert here.trained() == set()
    assert (here.table()["n"] == 2).all()
    assert verify(here.place.folder / here.plan.results).problems == []
    assert "Nothing to be done" in here.call("--dry-run")


def test_seeds_from_two_machines_come_together(here: Tree, tmp_path: Path) -> None:
    first = invented(here, tmp_path / "first", salt=1)
    second = invented(here, tmp_path / "second", salt=2)
    for run in here.plan.runs.values():
        copy_run(run.id, (first, second)[run.root_teacher.seed % 2], here.runs)
    here.call()
    assert here.trained() == set()
    assert (here.table()["n"] == 2).all()
    assert verify(here.place.folder / here.plan.results).problems == []


def test_teachers_without_their_students_are_kept_and_the_students_trained(here: Tree) -> None:
    teachers = {run.id for run in here.plan.runs.values() if not run.teacher}
    for run in teachers:
        copy_run(run, here.trainings.invented, here.runs)
    here.call()
    assert here.trained() == set(here.plan.runs) - teachers
    assert verify(here.place.folder / here.plan.results).problems == []


@pytest.mark.parametrize("age", [0, 50])
def test_a_student_of_another_teacher_is_named_and_trained_again(
    here: Tree, elsewhere: Path, age: int
) -> None:
    shutil.copytree(here.trainings.invented, here.runs)
    shutil.rmtree(here.runs / STUDENT)
    copy_run(STUDENT, elsewhere, here.runs)
    date(here.runs / STUDENT, age)
    (problem,) = verify(here.place.folder / here.plan.results).problems
    assert problem.endswith(f"{STUDENT}: it learned from another teacher than the one it lies in")
    here.call()
    assert here.trained() == {STUDENT}
    assert verify(here.place.folder / here.plan.results).problems == []


@pytest.mark.parametrize("age", [0, 50])
def test_a_student_exchanged_where_it_was_trained_is_named_with_what_to_do(
    here: Tree, elsewhere: Path, age: int
) -> None:
    here.call()
    copy_run(STUDENT, elsewhere, here.runs)
    date(here.runs / STUDENT, age)
    with pytest.raises(AssertionError):
        here.call()
    log = (here.place.folder / here.plan.results / "tables/table3.log").read_text(encoding="utf-8")
    assert f"{STUDENT}: learned from another teacher" in log
    assert "delete its run.json and call snakemake again" in log
    (here.runs / STUDENT / runs.RECORD).unlink()
    here.trained()
    here.call()
    assert here.trained() == {STUDENT}


def test_what_was_learned_from_an_exchanged_teacher_is_trained_again(
    here: Tree, elsewhere: Path
) -> None:
    here.call()
    copy_run(TEACHER, elsewhere, here.runs)
    date(here.runs / TEACHER, 50, below=False)
    students = [run.id for run in here.plan.runs.values() if TEACHER in (r.id for r in run.lineage)]
    output = here.call("--dry-run")
    assert re.search(rf"^train +{len(students)}$", output, re.M), output
    assert all(f"runs/{run}/run.json" in output for run in students)


def test_an_exchanged_teacher_with_the_same_weights_has_nothing_trained_again(here: Tree) -> None:
    here.call()
    copy_run(TEACHER, here.trainings.invented, here.runs)
    assert not re.search(r"^train ", here.call("--dry-run"), re.M)


def test_a_run_of_another_recipe_is_trained_again_or_named_with_what_to_do(
    here: Tree, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(elsewhere, here.runs)
    here.configure({**KEYS, "images": {"epochs": 7, "milestones": [5]}})
    output = here.call("--dry-run")
    students = [run for run in here.plan.runs.values() if run.teacher]
    assert re.search(rf"^train +{len(students)}$", output, re.M)
    monkeypatch.chdir(here.place.folder)
    with pytest.raises(InputError, match=r"another recipe; delete its run\.json and call snakem"):
        Measurements(here.plan).record(here.plan.runs[TEACHER])


def test_a_run_that_arrives_late_fills_its_cell_however_old_it_is(here: Tree) -> None:
    here.trainings.doom({STUDENT: ["fail"]})
    with pytest.raises(AssertionError):
        here.call("--keep-going")
    assert (here.table()["n"] == 0).sum() == 1
    copy_run(STUDENT, here.trainings.invented, here.runs)
    date(here.runs / TEACHER, 50)
    here.trained()
    here.call()
    assert here.trained() == set()
    assert (here.table()["n"] == 2).all()


def test_times_that_are_in_order_stay(
    here: Tree, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(elsewhere, here.runs)
    for number, run in enumerate(here.plan.runs):
        for file in (here.runs / run).glob("*.*"):
            os.utime(file, ns=(number * HOUR, number * HOUR))
    before = {file: file.stat().st_mtime_ns for file in here.runs.rglob("*.*")}
    here.settle(monkeypatch)
    assert {file: file.stat().st_mtime_ns for file in here.runs.rglob("*.*")} == before


def test_a_time_that_cannot_be_set_is_said_in_one_line(
    here: Tree, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(elsewhere, here.runs)
    date(here.runs / STUDENT, 50)

    def refuse(*arguments: object, **keys: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("replication.workflow.mtimes.os.utime", refuse)
    with pytest.raises(InputError, match=r"model.safetensors: its time cannot be set \(Operation"):
        here.settle(monkeypatch)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"teacher": "x"}', "\x00", "[" * 10_000])
def test_a_record_that_says_nothing_stops_nothing(
    here: Tree, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    shutil.copytree(elsewhere, here.runs)
    (here.runs / STUDENT / runs.RECORD).write_text(text, encoding="utf-8")
    (here.runs / TEACHER / runs.RECORD).write_bytes(b"\xff")
    here.settle(monkeypatch)
