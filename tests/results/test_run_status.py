"""Where a run stands, read from its folder."""

from pathlib import Path

import pytest
from support.plans import tiny_plan
from support.run_folders import fail, finish, hold

from replication.results.run_status import Measured, state_of

LABEL = "two_digit_numbers/densenet_90_60.label.0"
DAMAGE = {
    "half of it": b'{"recipe_hash": "',
    "not an object": b"[1, 2]",
    "not text": b"\xff\xfe\x00",
    "empty": b"",
    "nested": b"[" * 100_000,
}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_run_is_done_running_failed_or_missing() -> None:
    plan = tiny_plan()
    run = plan.run(LABEL)
    assert state_of(plan, run).name == "missing"
    fail(plan, run, "the loss is not finite")
    assert state_of(plan, run).name == "failed"
    assert state_of(plan, run).reason == "the loss is not finite"
    hold(plan, run)
    assert state_of(plan, run).name == "running"
    hold(plan, run, seconds_ago=60)
    assert state_of(plan, run).name == "failed"
    finish(plan, run, seconds=2.0, peak_memory_mib=300)
    assert state_of(plan, run).name == "done"
    assert state_of(plan, run).measured == Measured(2.0, 300)


def test_a_run_of_another_recipe_is_missing() -> None:
    plan, changed = tiny_plan(), tiny_plan(images={"epochs": 3})
    finish(plan, plan.run(LABEL), seconds=2.0)
    assert state_of(plan, plan.run(LABEL)).name == "done"
    assert state_of(changed, changed.run(LABEL)).name == "missing"


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_record_is_a_failure(content: bytes) -> None:
    plan = tiny_plan()
    run = plan.run(LABEL)
    plan.folder(run).mkdir(parents=True)
    (plan.folder(run) / "run.json").write_bytes(content)
    state = state_of(plan, run)
    assert (state.name, state.measured) == ("failed", None)
    assert "run.json: damaged; delete it" in state.reason


@pytest.mark.parametrize("value", [None, "fast", -1, 0, True, [1], {}, float("nan"), float("inf")])
def test_a_record_without_a_positive_number_is_not_a_measurement(value: object) -> None:
    plan = tiny_plan()
    finish(plan, plan.run(LABEL), seconds=value, peak_memory_mib=value)
    assert state_of(plan, plan.run(LABEL)).measured == Measured(None, None)
