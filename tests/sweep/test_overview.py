"""What a plan costs and where a sweep stands, as numbers and as they are printed."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from support.plans import ROOT, TINY, tiny_plan
from support.run_folders import fail, finish, hold

from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.selection import parse_numbers, read_part
from replication.sweep.budget import budget
from replication.sweep.costs import Costs
from replication.sweep.overview import WIDTH, render_budget, render_status
from replication.sweep.status import Watch
from replication.training.run import train

LABEL = "digits/wide_resnet_28_1.label.0"
BAN = f"{LABEL}/wide_resnet_28_1.ban.0"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("tables", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "tables": ["table1", "table3"]}))
    return tmp_path


FILES = (Path("config/digits.yaml"), Path("tiny.yaml"))


def small(*tables: str) -> Plan:
    return tiny_plan(tables=tables or ["table1", "table3"])


def shown(renderable: object, width: int = WIDTH) -> str:
    console = Console(width=width, highlight=False, no_color=True)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_a_table_costs_what_the_tables_before_it_have_not_paid() -> None:
    plan = tiny_plan(tables=["table2", "table4", "table5"])
    found = budget(plan, [1])
    assert [(line.table, line.runs, line.new) for line in found.tables] == [
        ("table2", 31, 31), ("table4", 8, 7), ("table5", 15, 13),
    ]  # fmt: skip
    hours = [line.hours_left for line in found.tables]
    assert sum(hours) == pytest.approx(found.total.hours_left)
    costs = Costs(plan)
    assert found.total.hours_left == pytest.approx(
        sum(costs.of(run).hours for run in plan.runs.values())
    )
    assert sum(line.disk for line in found.tables) == found.total.disk


def test_the_cheapest_order_adds_least_at_each_step() -> None:
    plan = tiny_plan()
    steps = budget(plan, [1]).cheapest
    assert {step.table for step in steps} == set(plan.tables)
    costs = Costs(plan)
    seen: set[str] = set()
    for i, step in enumerate(steps):
        added = {
            other.table: sum(costs.of(run).hours for name, run in plan.needed(other.table).items()
                             if name not in seen)
            for other in steps[i:]
        }  # fmt: skip
        assert added[step.table] == min(added.values())
        assert step.hours_left == pytest.approx(added[step.table])
        seen |= plan.needed(step.table).keys()


def test_what_is_done_is_spent_and_no_longer_to_do() -> None:
    plan = small()
    before = budget(plan, [1])
    finish(plan, plan.run(LABEL), seconds=7200.0)
    after = budget(plan, [1])
    assert after.states == {"done": 1, "missing": len(plan.runs) - 1}
    assert after.total.hours_done == 2.0
    assert after.total.runs == before.total.runs
    assert after.tables[0].done == 1
    # All are scaled by that one run, and it is not among them any more.
    assert len(after.chain) == 2
    assert LABEL not in after.chain


def test_the_longest_chain_bounds_the_time_on_many_devices() -> None:
    found = budget(tiny_plan(tables=["table2"]), [1, 10_000])
    one, many = found.devices
    assert [name.rsplit("/", 1)[-1].split(".")[1] for name in found.chain] in (
        ["label", "ban", "ban", "ban"], ["label", "ban", "ban"])  # fmt: skip
    assert many.seconds == pytest.approx(found.chain_seconds)
    assert one.seconds == pytest.approx(found.total.hours_left * 3600)
    assert one.least == pytest.approx(one.seconds)


def test_numbers_are_named_one_by_one_or_as_ranges() -> None:
    assert parse_numbers("--seeds", "0-2, 7,1") == [0, 1, 2, 7]
    for wrong in ("", "a", "3-1", "1,,2", "-1", "1.5", "0-99999999"):
        with pytest.raises(InputError, match="--seeds"):
            parse_numbers("--seeds", wrong)


def test_a_part_has_these_tables_rows_and_seeds_and_the_teachers_they_need() -> None:
    plan = read_part(FILES, tables="2,table1", rows="densenet-9*", seeds="3-4")
    assert list(plan.tables) == ["table2", "table1"]
    assert {cell.row for cell in plan.cells} == {"densenet-90-60"}
    assert {run.seed % 1000 for run in plan.runs.values()} == {3, 4}
    assert len(plan.runs) == 2 * (8 + 2)
    for run in plan.runs.values():
        assert run.teacher is None or run.teacher.id in plan.runs


def test_a_part_is_the_scale_itself_where_nothing_is_named() -> None:
    assert read_part(FILES).runs == Plan.read(FILES).runs


def test_the_costs_are_readable_in_a_hundred_columns() -> None:
    plan = Plan.read([ROOT / "config/paper.yaml"])
    text = shown(render_budget(budget(plan, [1, 8, 64])))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "paper: 415 runs, 5 seeds:  0 done  415 missing" in text
    assert "GPU-hours spent" in text
    assert re.search(r"^all +415 +415 +0 +0 +\d+", text, re.M)
    assert re.search(r"^64 +\d+ h \d+ min .*the longest chain", text, re.M)
    # An assumption is called one.
    assert "No GPU was measured" in text
    finish(plan, plan.run("cifar10/wide_resnet_28_1.label.0"), seconds=900.0,
           peak_memory_mib=4000, peak_gpu_memory_mib=3000)  # fmt: skip
    text = shown(render_budget(budget(plan, [1])))
    assert "No GPU was measured" not in text
    assert "scaled: the estimate, corrected by finished runs of other networks." in text


def test_a_plan_that_is_done_has_no_chain_left() -> None:
    plan = small("table1")
    for run in plan.runs.values():
        finish(plan, run, seconds=1.0)
    text = shown(render_budget(budget(plan, [1])))
    assert f"{len(plan.runs)} done" in text
    assert "Longest chain" not in text


LOG = """wide_resnet_28_1.label.0: 2 epochs in float32 on a machine
epoch 1/2  train loss 0.5  train error 10  0.5 s each, 1 s left
"""


def test_the_status_has_cells_flights_failures_and_the_time_left() -> None:
    plan = small()
    wide = plan.run("digits/wide_resnet_28_2.label.0")
    broken = plan.run("digits/densenet_90_60.label.0")
    for run in (plan.run(BAN), plan.run(LABEL)):
        finish(plan, run, seconds=100.0)
    hold(plan, wide, log=LOG)
    fail(plan, broken, f"{broken.id}: the loss is not finite")
    found = Watch(plan).look()
    assert (found.tables[0].filled, found.tables[0].cells) == (2, 16)
    (active_run,) = found.active_runs
    assert (active_run.run, active_run.epoch, active_run.epochs, active_run.per_second) == (
        wide,
        1,
        2,
        400,
    )
    assert found.failed == {broken.id: f"{broken.id}: the loss is not finite"}
    assert found.states == {"done": 2, "running": 1, "failed": 1, "missing": 24}
    costs = Costs(plan)
    left = [
        run
        for run in plan.runs.values()
        if run not in (*plan.students(broken), broken, plan.run(LABEL), plan.run(BAN))
    ]
    expected = sum(costs.of(run).seconds for run in left) - costs.of(wide).seconds / 2
    assert found.seconds_left == pytest.approx(expected)
    text = shown(render_status(found))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "digits/wide_resnet_28_2.label.0  1 of 2" in text
    assert "digits/densenet_90_60.label.0  the loss is not finite" in text
    assert "left at what runs now" in text


@pytest.mark.parametrize(
    "log",
    ["", "2 epochs in float32", "epoch 1/2  tr", "epoch x/2  1 s each", "epoch 1/2  0 s each"],
)
def test_a_log_that_says_nothing_yet_is_no_progress(log: str) -> None:
    plan = small()
    hold(plan, plan.run(LABEL), log=log)
    (active_run,) = Watch(plan).look().active_runs
    assert active_run.per_second is None


def test_a_sweep_goes_on_under_the_eyes_of_who_watches() -> None:
    plan = small()
    watch, run = Watch(plan), plan.run(LABEL)
    assert watch.look().states == {"missing": len(plan.runs)}
    hold(plan, run)
    assert watch.look().states["running"] == 1
    finish(plan, run, seconds=3.0)
    assert watch.look().states["done"] == 1
    # Renewed by another recipe, whatever was known of it.
    time.sleep(0.01)
    finish(plan, run, recipe_hash="another")
    assert "done" not in watch.look().states


def test_nothing_runs_and_everything_is_done() -> None:
    plan = small("table1")
    assert shown(render_status(Watch(plan).look())).endswith("nothing is running\n")
    for run in plan.runs.values():
        finish(plan, run, seconds=1.0)
    text = shown(render_status(Watch(plan).look()))
    assert "16 of 16" in text
    assert text.endswith("everything is done\n")


def test_a_live_view_shows_some_lines_and_counts_the_rest() -> None:
    plan = small()
    for run in list(plan.runs.values())[:6]:
        hold(plan, run)
    for run in list(plan.runs.values())[6:12]:
        fail(plan, run, "no reason")
    text = shown(render_status(Watch(plan).look(), lines=4))
    assert text.count("and 2 more") == 2
    assert "more" not in shown(render_status(Watch(plan).look()))


def command(*arguments: str) -> list[str]:
    files = [part for file in FILES for part in ("--configfile", str(file))]
    return [sys.executable, "-m", "replication", *arguments, *files]


def tree(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_real_run_is_seen_and_looking_changes_nothing(folder: Path) -> None:
    plan = Plan.read(FILES)
    train(plan, plan.run(LABEL))
    before = tree(folder)
    for arguments in (["status"], ["plan", "--devices", "1,2"], ["plan", "--json"]):
        done = subprocess.run(command(*arguments), capture_output=True, text=True, check=True)
        if "--json" in arguments:
            costs = json.loads(done.stdout)
            assert costs["states"] == {"done": 1, "missing": 27}
            assert costs["tables"][0]["hours_done"] > 0
        else:
            assert done.stdout.startswith("tiny: 28 runs")
            assert "1 done" in done.stdout
            assert "\x1b" not in done.stdout
    assert tree(folder) == before


def test_a_run_of_this_moment_is_seen_with_its_epochs(folder: Path) -> None:
    longer = {**TINY, "tables": ["table1"], "images": {"epochs": 500, "milestones": [1]}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(longer), encoding="utf-8")
    plan = Plan.read(FILES)
    log = plan.folder(plan.run(LABEL)) / "train.log"
    log.parent.mkdir(parents=True)
    with log.open("w") as file:
        process = subprocess.Popen(command("train", LABEL), stderr=file, stdout=file)
    try:
        deadline = time.monotonic() + 120
        while "epoch 3/" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        (active_run,) = Watch(plan).look().active_runs
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert active_run.run.id == LABEL
    assert 3 <= active_run.epoch <= active_run.epochs == 500
    assert active_run.per_second
    # It goes on from its state, and counts the epochs from there.
    with log.open("w") as file:
        process = subprocess.Popen(command("train", LABEL), stderr=file, stdout=file)
    try:
        deadline = time.monotonic() + 120
        while "\nepoch " not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    found = re.search(r"^epoch (\d+)/500", log.read_text(), re.M)
    assert found is not None
    assert int(found[1]) > active_run.epoch


def test_a_terminal_shows_it_again_and_again_until_ctrl_c(folder: Path) -> None:
    plan = Plan.read(FILES)
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(command("status"), stdin=follower, stdout=follower, stderr=follower,
                          env=environment, start_new_session=True) as process:  # fmt: skip
        os.close(follower)
        seen = _read_until(leader, b"nothing is running")
        hold(plan, plan.run(LABEL), log=LOG)
        seen += _read_until(leader, b"1 of 2")
        process.send_signal(signal.SIGINT)
        _read_until(leader, None)
    os.close(leader)
    assert b"28 missing" in seen
    assert process.returncode == 0


def _read_until(terminal: int, wanted: bytes | None) -> bytes:
    """What a terminal shows until this, or to its end."""
    seen = b""
    while wanted is None or wanted not in seen:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # its other side is closed
            break
    return seen
