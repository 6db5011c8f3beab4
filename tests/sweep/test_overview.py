"""What `replication plan` and `replication status` print."""

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from support.plans import ROOT, TINY, tiny_plan
from support.run_folders import fail, finish, hold

from replication.plan.plan import Plan
from replication.sweep.costs import summarise_costs
from replication.sweep.monitor import poll
from replication.sweep.overview import WIDTH, render_costs, render_status

LABEL = "digits/wide_resnet_28_1.label.0"
FILES = (Path("config/digits.yaml"), Path("tiny.yaml"))


@pytest.fixture(autouse=True)
def in_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("tables", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump({**TINY, "tables": ["table1", "table3"]}))


def shown(renderable: object) -> str:
    console = Console(width=WIDTH, highlight=False, no_color=True)
    with console.capture() as capture:
        console.print(renderable)
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= WIDTH
    return "\n".join(" ".join(line.split()) for line in lines)


def command(*arguments: str) -> list[str]:
    files = [part for file in FILES for part in ("--configfile", str(file))]
    return [sys.executable, "-m", "replication", *arguments, *files]


def test_the_costs_say_what_they_are_based_on() -> None:
    plan = tiny_plan(tables=["table1"])
    text = shown(render_costs(summarise_costs(plan, [1, 64])))
    assert "tiny: 16 runs, 1 seed: 0 done 16 missing" in text
    assert "hours are those at --tflops N" in text
    assert "Longest chain: 2 training runs: " in text
    assert "at once" not in text
    assert "with 64 training runs at once" in shown(
        render_costs(summarise_costs(plan, [64], tflops=1))
    )
    finish(plan, plan.run(LABEL), seconds=7200.0)
    text = shown(render_costs(summarise_costs(plan)))
    assert "table1 16 16 1 2 " in text
    assert "scaled: finished runs of other networks" in text
    assert "--tflops" not in text
    for run in plan.runs.values():
        finish(plan, run, seconds=3600.0)
    text = shown(render_costs(summarise_costs(plan)))
    assert "all 16 16 16 16 0" in text
    assert "Longest chain" not in text


def test_the_status_has_cells_active_runs_failures_and_the_time_left() -> None:
    plan = tiny_plan(tables=["table1"])
    assert "nothing is running" in shown(render_status(poll(plan)))
    hold(plan, plan.run(LABEL), log="epoch 1/2  train loss 0.5  0.5 s each, 1 s left\n")
    broken = plan.run("digits/densenet_90_60.label.0")
    fail(plan, broken, f"{broken.id}: the loss is not finite")
    text = shown(render_status(poll(plan)))
    assert f"{LABEL} 1 of 2 " in text
    assert f"{broken.id} the loss is not finite" in text
    assert "time left: known when the first run is finished" in text
    finish(plan, plan.run("digits/wide_resnet_28_2.label.0"), seconds=100.0)
    assert "left with as many runs at once" in shown(render_status(poll(plan)))
    for run in plan.runs.values():
        finish(plan, run, seconds=1.0)
    text = shown(render_status(poll(plan)))
    assert "table1 16 of 16 " in text
    assert "all runs are done" in text


def test_the_commands_write_nothing_and_need_no_torch_where_all_runs_are_finished() -> None:
    plan = Plan.read(FILES)
    for run in plan.runs.values():
        finish(plan, run, seconds=90.0)
    before = {path: path.stat().st_mtime_ns for path in Path("results").rglob("*")}
    code = (
        "import sys; from replication.cli import run_command; code = run_command(sys.argv[1:]);"
        "sys.exit(code or 'torch' in sys.modules)"
    )
    outputs = [
        subprocess.check_output([sys.executable, "-c", code, *command(*arguments)[3:]], text=True)
        for arguments in (["status"], ["plan", "--devices", "1,2"], ["plan", "--json"])
    ]
    assert all(text.startswith("tiny: 28 runs") for text in outputs[:2])
    assert json.loads(outputs[2])["total"]["hours_spent"] == 28 * 90 / 3600
    assert before == {path: path.stat().st_mtime_ns for path in Path("results").rglob("*")}


def test_a_terminal_is_updated_until_ctrl_c() -> None:
    plan, (leader, follower) = Plan.read(FILES), pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(command("status"), stdin=follower, stdout=follower, stderr=follower,
                          env=environment, start_new_session=True) as process:  # fmt: skip
        os.close(follower)
        seen = _read_until(leader, b"nothing is running")
        hold(plan, plan.run(LABEL), log="epoch 1/2  train loss 0.5  0.5 s each\n")
        seen += _read_until(leader, b"1 of 2")
        process.send_signal(signal.SIGINT)
        _read_until(leader, b"what it never prints")
    os.close(leader)
    assert b"28 missing" in seen
    assert process.returncode == 0


def _read_until(terminal: int, text: bytes) -> bytes:
    """Read a terminal's output until this text, or until the process closes it."""
    seen = b""
    with suppress(OSError):
        while text not in seen:
            seen += os.read(terminal, 4096)
    return seen
