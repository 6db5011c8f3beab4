"""A sweep of 1,030 stub trainings: no run is lost when trainings fail and Snakemake is killed."""

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from support.plans import ROOT, runs_per_seed
from support.stub_training import StubTraining
from support.workplace import PATH, Workplace

from benchmarks.costs import PEAK
from replication.plan.plan import Plan
from replication.verify.verification import verify

pytestmark = pytest.mark.long

TABLES = [*(f"table{number}" for number in range(1, 7)), "sensitivity"]
SEEDS = 10
KEYS = {"tables": TABLES, "seeds": list(range(SEEDS))}
FILES = ["--configfile", "config/paper.yaml", "mine.yaml"]
RUNS = SEEDS * runs_per_seed(TABLES)
# Four threads a training: sixteen at a time.
AT_ONCE = 16
SWEEP = ["snakemake", "--cores", str(4 * AT_ONCE), "--retries", "3", "tables", *FILES]
FAILING = 0.1


@dataclass(frozen=True)
class Sweep:
    """A workplace with a finished sweep, and the stub trainings that it ran."""

    place: Workplace
    plan: Plan
    trainings: StubTraining
    outcomes: dict[str, list[str]]
    killed_after: int


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """The paper scale with ten seeds: every tenth run fails up to three times, and Snakemake is
    killed in the middle."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "place").mkdir()
    place = Workplace(folder / "place")
    place.configure(KEYS)
    plan = Plan.read([ROOT / "config/paper.yaml", place.folder / "mine.yaml"], ROOT / "tables")
    trainings = StubTraining(folder, plan)
    chance = random.Random(0)
    outcomes = {
        run: chance.choices(["fail", "stop", "half"], k=chance.randint(1, 3))
        for run in plan.runs
        if chance.random() < FAILING
    }
    trainings.inject_failures(outcomes)
    killed_after = kill_in_the_middle(place.folder, trainings)
    call(place.folder, trainings, "--unlock")
    call(place.folder, trainings)
    return Sweep(place, plan, trainings, outcomes, killed_after)


def call(folder: Path, trainings: StubTraining, *arguments: str) -> str:
    done = subprocess.run(
        [*SWEEP, *arguments],
        cwd=folder,
        env=trainings.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def kill_in_the_middle(folder: Path, trainings: StubTraining) -> int:
    """Start the sweep, and kill it and its jobs halfway; returns how many attempts there were."""
    with subprocess.Popen(
        SWEEP,
        cwd=folder,
        env=trainings.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while len(trainings.attempts()) < RUNS / 2:
            assert process.poll() is None
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    return len(trainings.attempts())


def test_the_dry_run_of_a_sweep_takes_less_than_a_gigabyte(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.configure({**KEYS, "seeds": list(range(2 * SEEDS))})
    done = subprocess.run(
        [*PEAK, *SWEEP, "--dry-run"],
        cwd=tmp_path,
        env={**os.environ, "PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-3000:]
    assert re.search(rf"^train +{2 * RUNS}$", output, re.M)
    assert 1024 * int(done.stdout.split()[-1]) < 1e9


def test_a_sweep_ends_with_every_run_in_its_place(sweep: Sweep) -> None:
    runs = sweep.place.folder / sweep.plan.results / "runs"
    finished_runs = {file.parent.relative_to(runs).as_posix() for file in runs.rglob("run.json")}
    assert len(finished_runs) == RUNS
    assert finished_runs == set(sweep.plan.runs)


def test_a_run_is_trained_once_unless_it_was_training_when_the_kill_came(sweep: Sweep) -> None:
    attempts = sweep.trainings.attempts()
    done = Counter(run for run, outcome in attempts if outcome == "done")
    assert set(done) == set(sweep.plan.runs)
    again = {run for run, times in done.items() if times > 1}
    before = [run for run, _ in attempts[: sweep.killed_after]]
    # Those in training, and those that Snakemake had not yet recorded as finished.
    assert again <= set(before[-4 * AT_ONCE :])
    assert max(done.values()) <= 2


def test_a_failed_run_is_tried_until_it_succeeds(sweep: Sweep) -> None:
    attempts: dict[str, list[str]] = {}
    for run, outcome in sweep.trainings.attempts():
        attempts.setdefault(run, []).append(outcome)
    assert len(sweep.outcomes) > 50
    for run, outcomes in sweep.outcomes.items():
        assert attempts[run][: len(outcomes) + 1] == [*outcomes, "done"]


def test_every_cell_of_a_sweep_has_all_its_seeds(sweep: Sweep) -> None:
    results = sweep.place.folder / sweep.plan.results
    for name in TABLES:
        assert (pd.read_csv(results / f"tables/{name}.csv")["n"] == SEEDS).all()
    cells = pd.read_csv(results / "cells.csv")
    assert len(cells) == SEEDS * len(sweep.plan.cells)


def test_after_a_sweep_nothing_is_left_to_do(sweep: Sweep) -> None:
    assert "Nothing to be done" in call(sweep.place.folder, sweep.trainings, "--dry-run")


def test_the_results_of_a_sweep_are_consistent(sweep: Sweep) -> None:
    findings = verify(sweep.place.folder / sweep.plan.results)
    assert findings.problems == []
    assert (findings.runs, findings.tables) == (RUNS, len(TABLES))
