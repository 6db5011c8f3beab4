"""One line of progress: on a terminal, in a log, and with failed jobs."""

import io
import logging
from pathlib import Path
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from replication.workflow import progress
from replication.workflow.progress import ProgressLine, describe_failure, format_seconds


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def strftime(self, form: str) -> str:
        return "12:00:00"


class Output(io.StringIO):
    """A stream that is a terminal, or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def show(stream: Output) -> ProgressLine:
    line = ProgressLine(logging.StreamHandler(stream))
    send(line, "Job stats", LogEvent.RUN_INFO)
    return line


def send(line: ProgressLine, message: str, event: LogEvent | None = None, **fields: Any) -> None:
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, message, None, None)
    record.__dict__.update(fields, event=event)
    line.handle(record)


def test_a_terminal_shows_one_line_with_the_time_left(clock: Clock) -> None:
    stream = Output(terminal=True)
    line = show(stream)
    for done in (1, 2):
        clock.now += 30
        send(line, f"job {done}", LogEvent.JOB_FINISHED)
        send(line, "", LogEvent.PROGRESS, done=done, total=10)
    assert stream.getvalue().endswith("\r2 of 10 steps done, about 4 min left\x1b[K")
    assert stream.getvalue().count("\n") == 1
    send(line, "a warning")
    assert "\r\x1b[Ka warning\n\r2 of 10 steps done" in stream.getvalue()
    line.close()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_log_gets_the_line_once_a_minute_and_at_the_end(clock: Clock) -> None:
    stream = Output(terminal=False)
    line = show(stream)
    for done in range(1, 11):
        clock.now += 13
        send(line, "", LogEvent.PROGRESS, done=done, total=10)
    line.close()
    assert stream.getvalue().splitlines() == [
        "Job stats",
        "[12:00:00] 5 of 10 steps done, about 1 min left",
        "[12:00:00] 10 of 10 steps done",
    ]


def test_a_failed_job_is_shown_and_counted(clock: Clock, tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("epoch 1\nerror: no teacher\n", encoding="utf-8")
    stream = Output(terminal=False)
    line = show(stream)
    send(line, "", LogEvent.JOB_ERROR, rule_name="train", log=[str(log)])
    clock.now += 100
    send(line, "", LogEvent.PROGRESS, done=1, total=2)
    assert stream.getvalue().splitlines()[1:] == [
        f"failed: train: {log}: error: no teacher",
        "[12:00:00] 1 of 2 steps done, about 2 min left, 1 failed",
    ]


def test_a_finished_job_shows_what_it_warns_of(clock: Clock, tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("epoch 1\nwarning: another normalisation\nnote: fine\n", encoding="utf-8")
    stream = Output(terminal=False)
    line = show(stream)
    send(line, "", LogEvent.JOB_INFO, jobid=7, log=[str(log), "missing.log"])
    assert "warning" not in stream.getvalue()
    send(line, "", LogEvent.JOB_FINISHED, job_id=7)
    assert stream.getvalue().splitlines()[-1] == "warning: another normalisation"


def test_the_reason_of_a_failed_notebook_is_its_last_line_without_colours(tmp_path: Path) -> None:
    log = tmp_path / "tables.log"
    log.write_text("Traceback\n\x1b[31mInputError\x1b[39m: no such file\n\n", encoding="utf-8")
    notebook = str(log.with_suffix(".ipynb"))
    text = describe_failure({"rule_name": "notebook_tables", "log": [notebook, str(log)]})
    assert text == f"failed: notebook_tables: {notebook}: {log}: InputError: no such file"


@pytest.mark.parametrize("log", [[], ["missing.log"], ["notebook.ipynb"]])
def test_a_failed_job_without_a_text_to_show(log: list[str]) -> None:
    expected = ": ".join(["failed: table", *log])
    assert describe_failure({"rule_name": "table", "log": log}) == expected


@pytest.mark.parametrize(
    ("seconds", "text"), [(5.4, "5 s"), (90, "2 min"), (3599, "1 h 0 min"), (9000, "2 h 30 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
