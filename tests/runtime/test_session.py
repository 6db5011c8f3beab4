"""The lock of a run's folder: one process trains a run at a time."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from support.plans import tiny_plan
from support.trainings import WIDE, fork, status

from replication.plan.plan import Plan
from replication.runtime import session
from replication.training.train_run import train


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return tiny_plan(images={"epochs": 1, "milestones": [1]})


@pytest.fixture
def lease(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(session, "LEASE", 1.0)
    return session.LEASE


def hold(folder: Path, host: str | None = None, seconds: float = 60) -> int:
    """Hold a folder in a child process, on this machine or as if on another; its id."""

    def work() -> None:
        if host:
            socket.gethostname = lambda: host  # type: ignore[assignment]
        with session.acquire_lock(folder):
            (folder / "held").touch()
            time.sleep(seconds)
            os._exit(0)  # without releasing the lock

    pid = fork(work)
    while not (folder / "held").exists():
        time.sleep(0.01)
    return pid


@pytest.mark.parametrize("host", [None, "elsewhere"])
def test_a_run_that_another_process_trains_is_refused(
    plan: Plan, host: str | None, lease: float
) -> None:
    folder = plan.folder(plan.run(WIDE))
    holder = hold(folder, host)
    place = host or socket.gethostname()
    try:
        with pytest.raises(
            session.RunLockedError, match=f"process {holder} on {place}.* is training this"
        ):
            train(plan, plan.run(WIDE))
        assert {path.name for path in folder.iterdir()} == {session.LOCK, "held"}
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)


@pytest.mark.parametrize("host", [None, "elsewhere"])
def test_the_lock_of_a_dead_process_is_taken_over(
    plan: Plan, host: str | None, lease: float
) -> None:
    folder = plan.folder(plan.run(WIDE))
    status(hold(folder, host, seconds=0))
    assert (folder / session.LOCK).exists()
    train(plan, plan.run(WIDE))
    assert not (folder / session.LOCK).exists()
