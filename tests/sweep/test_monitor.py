"""Where a sweep stands, as numbers."""

from pathlib import Path

import pytest
from support.plans import tiny_plan
from support.run_folders import fail, finish, hold

from replication.sweep.costs import Costs
from replication.sweep.monitor import poll
from replication.training.train_run import train

LABEL = "digits/wide_resnet_28_1.label.0"
BAN = f"{LABEL}/wide_resnet_28_1.ban.0"
LOG = "wide_resnet_28_2.label.0: 2 epochs\nepoch 1/2  train loss 0.5  0.5 s each, 1 s left\n"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_cells_active_runs_failures_and_the_time_left_are_counted() -> None:
    plan = tiny_plan(tables=["table1"])
    active = plan.run("digits/wide_resnet_28_2.label.0")
    broken = plan.run("digits/densenet_90_60.label.0")
    for name in (LABEL, BAN):
        finish(plan, plan.run(name), seconds=100.0)
    hold(plan, active, log=LOG)
    fail(plan, broken, "the loss is not finite")
    status = poll(plan)
    assert status.states == {"done": 2, "running": 1, "failed": 1, "missing": 12}
    assert status.cells == {"table1": (2, 16)}
    (run,) = status.active_runs
    assert (run.run, run.epoch, run.epochs, run.epoch_seconds) == (active, 1, 2, 0.5)
    assert status.failed == {broken: "the loss is not finite"}
    # One run at a time; half of it is done, and the failed one has a student.
    costs = Costs(plan)
    excluded = {LABEL, BAN, broken.id, *(student.id for student in plan.students(broken))}
    each = [costs.of(run).seconds or 0 for name, run in plan.runs.items() if name not in excluded]
    assert status.seconds_left == pytest.approx(sum(each) - (costs.of(active).seconds or 0) / 2)


@pytest.mark.parametrize("log", ["", "2 epochs in float32", "epoch 1/2  tr", "epoch x/2  1 s each"])
def test_a_log_without_a_whole_epoch_is_no_progress(log: str) -> None:
    plan = tiny_plan(tables=["table1"])
    hold(plan, plan.run(LABEL), log=log)
    (run,) = poll(plan).active_runs
    assert (run.epoch, run.epoch_seconds) == (0, None)


def test_the_log_and_record_of_a_real_run_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    plan = tiny_plan(tables=["table1"])
    run = plan.run(LABEL)
    record = train(plan, run)
    assert Costs(plan).of(run) == (record["seconds"], "measured")
    (plan.folder(run) / "run.json").unlink()
    hold(plan, run, log=capsys.readouterr().err)
    (active,) = poll(plan).active_runs
    assert active.epoch == active.epochs == 2
    assert active.epoch_seconds
