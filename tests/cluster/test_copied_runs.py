"""Run folders from several machines, copied into one tree."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.plans import ROOT
from support.stub_training import StubTraining, write_finished_runs
from support.workplace import Workplace, count_jobs

from replication.plan.plan import Plan
from replication.results.run_folder import RECORD
from replication.verify.verification import verify

pytestmark = pytest.mark.long

KEYS: dict[str, Any] = {"tables": ["table3"], "seeds": [0, 1]}
TEACHER = "cifar100/wide_resnet_28_1.label.0"
STUDENT = f"{TEACHER}/wide_resnet_28_1.ban.0"


class Tree:
    """A workplace at the paper's scale with stub trainings."""

    def __init__(self, folder: Path) -> None:
        (folder / "place").mkdir(parents=True)
        self.place = Workplace(folder / "place")
        self.place.configure(KEYS)
        files = [ROOT / "config/paper.yaml", self.place.folder / "mine.yaml"]
        self.plan = Plan.read(files, ROOT / "tables")
        self.trainings = StubTraining(folder, self.plan)
        self.results = self.place.folder / self.plan.results
        self.runs = self.results / "runs"

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        files = ["--configfile", "config/paper.yaml", "mine.yaml"]
        return subprocess.run(
            ["snakemake", "--cores", "8", "table3", *arguments, *files],
            cwd=self.place.folder,
            env=self.trainings.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def build(self, *arguments: str) -> set[str]:
        """Call Snakemake, which has to succeed; returns the runs that it trained."""
        done = self.call(*arguments)
        assert done.returncode == 0, done.stdout[-3000:]
        trained_runs = {run for run, _ in self.trainings.attempts()}
        self.trainings.log.write_text("", encoding="utf-8")
        return trained_runs

    def table(self) -> pd.DataFrame:
        return pd.read_csv(self.results / "tables/table3.csv")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "here")


def other_machine(tree: Tree, folder: Path, salt: int = 1) -> Path:
    """The folder ``runs`` of another machine, which has trained every run."""
    write_finished_runs(tree.plan, folder, salt)
    for file in folder.rglob("outcomes"):
        file.unlink()
    return folder


def copy_run(run: str, source: Path, target: Path) -> None:
    """Copy a run's own files, and nothing of its students'."""
    (target / run).mkdir(parents=True, exist_ok=True)
    for file in (source / run).iterdir():
        if file.is_file() and file.name != "outcomes":
            shutil.copy(file, target / run)


def test_seeds_from_two_machines_come_together_by_touch(tree: Tree, tmp_path: Path) -> None:
    sources = [other_machine(tree, tmp_path / f"machine{salt}", salt) for salt in (1, 2)]
    # Students first: their teachers are newer.
    for run in reversed(tree.plan.runs.values()):
        copy_run(run.id, sources[run.root_teacher.seed % 2], tree.runs)
    assert tree.build("--touch") == set()
    assert tree.build() == set()
    assert (tree.table()["n"] == 2).all()
    assert verify(tree.results).problems == []


def test_teachers_without_their_students_are_kept_and_the_students_trained(tree: Tree) -> None:
    teachers = {run.id for run in tree.plan.runs.values() if not run.teacher}
    for run in teachers:
        copy_run(run, tree.trainings.finished, tree.runs)
    assert tree.build() == set(tree.plan.runs) - teachers
    assert verify(tree.results).problems == []


def test_a_student_of_another_teacher_is_named_with_what_to_do(tree: Tree, tmp_path: Path) -> None:
    tree.build()
    copy_run(STUDENT, other_machine(tree, tmp_path / "elsewhere"), tree.runs)
    assert tree.call().returncode != 0
    log = (tree.results / "tables/table3.log").read_text(encoding="utf-8")
    assert f"{STUDENT}: " in log
    assert "a teacher other than the one" in log
    assert "run.json" in log
    (tree.runs / STUDENT / RECORD).unlink()
    assert tree.build() == {STUDENT}
    assert verify(tree.results).problems == []


def test_the_students_of_an_exchanged_teacher_are_trained_again(tree: Tree, tmp_path: Path) -> None:
    tree.build()
    copy_run(TEACHER, other_machine(tree, tmp_path / "elsewhere"), tree.runs)
    students = [run for run in tree.plan.runs.values() if TEACHER in (r.id for r in run.lineage)]
    assert count_jobs(tree.call("--dry-run"))["train"] == len(students)


def test_a_run_that_arrives_late_fills_its_cell_however_old_it_is(tree: Tree) -> None:
    tree.trainings.inject_failures({STUDENT: ["fail"]})
    assert tree.call("--keep-going").returncode != 0
    assert (tree.table()["n"] == 0).sum() == 1
    tree.build("--touch")
    copy_run(STUDENT, tree.trainings.finished, tree.runs)
    newest = max(file.stat().st_mtime for file in (tree.runs / TEACHER).glob("*.*"))
    for file in (tree.runs / STUDENT).glob("*.*"):
        os.utime(file, (newest, newest))
    assert tree.build() == set()
    assert (tree.table()["n"] == 2).all()
