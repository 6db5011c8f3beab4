"""Memory and time of a training: from the scale, and from finished runs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.plans import tiny_plan
from support.run_folders import finish

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_status import State, state_of
from replication.workflow.rules import Rules

LABEL = "two_digit_numbers/densenet_90_60.label.0"
BAN = f"{LABEL}/densenet_90_60.ban.0"
OTHER = "two_digit_numbers/densenet_80_80.label.0"
TABLE = {"default": {"memory_mb": 2000, "minutes": 30}, "densenet_80_80": {"minutes": 90}}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def job_of(run: str) -> Any:
    return SimpleNamespace(run=run)


def given(plan: Plan, run: str, attempt: int = 1) -> tuple[int, int]:
    rules, job = Rules(plan), job_of(run)
    return rules.mem_mb(job, attempt), rules.runtime(job, attempt)


def test_the_first_attempt_is_given_the_table_s_values_and_each_further_one_double() -> None:
    plan = tiny_plan(resources=TABLE)
    assert given(plan, LABEL) == (2000, 30)
    assert given(plan, OTHER) == (2000, 90)
    assert [given(plan, LABEL, attempt) for attempt in (2, 3)] == [(4000, 60), (8000, 120)]


def test_finished_runs_of_the_same_network_raise_it_and_never_lower_it() -> None:
    plan = tiny_plan(resources=TABLE, seeds=[0, 1, 2])
    for seed, hours in enumerate((1, 2, 9)):
        run = plan.run(LABEL.removesuffix("0") + str(seed))
        finish(plan, run, seconds=3600 * hours, peak_memory_mib=10_000)
    finish(plan, plan.run(OTHER), seconds=1, peak_memory_mib=1)
    # The median run took two hours and 10,486 MB; a student is given as much as its teacher.
    assert given(plan, LABEL) == given(plan, BAN) == (15_729, 360)
    assert given(plan, OTHER) == (2000, 90)


def test_each_run_is_read_once_however_many_jobs_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, read = tiny_plan(resources=TABLE, seeds=[0, 1, 2]), []

    def counted(plan: Plan, run: Run) -> State:
        read.append(run.id)
        return state_of(plan, run)

    monkeypatch.setattr("replication.workflow.rules.state_of", counted)
    rules = Rules(plan)
    for job in map(job_of, plan.runs):
        assert min(rules.mem_mb(job, 1), rules.runtime(job, 1)) > 0
    assert sorted(read) == sorted(plan.runs)
