"""Snakemake's progress as one line with the time left, instead of a description of every job."""

import logging
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

SECONDS_BETWEEN_LINES = 60  # without a terminal
ANSI = re.compile(r"\x1b\[[0-9;]*m")
"""The colours of a traceback."""
WARNING = "warning: "
"""Prefix of the lines of a log that are shown although its job has succeeded."""
PER_JOB = (LogEvent.PROGRESS, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.JOB_ERROR)


def show_progress(workflow: Any) -> None:
    """Replace Snakemake's own terminal output, where a profile or ``--quiet rules`` asks for it."""
    settings = workflow.output_settings
    if not workflow.is_main_process or settings.dryrun or Quietness.RULES not in settings.quiet:
        return
    for handler in list(logger.handlers):
        if isinstance(handler, logging.StreamHandler) and handler.name == "DefaultStreamHandler":
            logger.removeHandler(handler)
            logger.addHandler(ProgressLine(handler))


class ProgressLine(logging.Handler):
    """Shows the steps done, the time left, each failed job, and what finished jobs warn of.

    Other messages are passed on. A job warns by a line of its log that begins with ``warning:``. On
    a terminal the line stays at the bottom; elsewhere it is printed every minute.
    """

    def __init__(self, messages: "logging.StreamHandler[TextIO]") -> None:
        super().__init__()
        self.messages, self.stream = messages, messages.stream
        self.terminal = self.stream.isatty()
        self.started = self.printed = time.monotonic()
        self.line = ""
        self.failed = 0
        self.logs: dict[object, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Update the line, or print a message above it."""
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self.logs[record.__dict__["jobid"]] = record.__dict__["log"]
        if event == LogEvent.RUN_INFO:
            self.started = self.printed = time.monotonic()
        if event == LogEvent.PROGRESS:
            self._update(record.__dict__["done"], record.__dict__["total"])
        elif event == LogEvent.JOB_FINISHED:
            for warning in warnings_in(self.logs.pop(record.__dict__.get("job_id"), [])):
                self._print(warning)
        elif event == LogEvent.JOB_ERROR:
            self.failed += 1
            self._print(describe_failure(record.__dict__))
        elif event not in PER_JOB and record.msg != "Select jobs to execute...":
            self._erase()
            self.messages.handle(record)
        if self.terminal and self.line:
            self._write(f"\r{self.line}\x1b[K")

    def close(self) -> None:
        """End the line, so that a shell's prompt does not follow it."""
        self._erase()
        self.messages.close()
        super().close()

    def _update(self, done: int, total: int) -> None:
        now = time.monotonic()
        self.line = f"{done} of {total} steps done"
        if done < total:
            left = (now - self.started) / done * (total - done)
            self.line += f", about {format_seconds(left)} left"
        if self.failed:
            self.line += f", {self.failed} failed"
        if not self.terminal and (done == total or now - self.printed >= SECONDS_BETWEEN_LINES):
            self.printed = now
            self._print(f"[{time.strftime('%H:%M:%S')}] {self.line}")

    def _print(self, text: str) -> None:
        self._erase()
        self._write(f"{text}\n")

    def _erase(self) -> None:
        if self.terminal and self.line:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def describe_failure(job: dict[str, Any]) -> str:
    """The rule and the logs of a failed job, with the last line of its text, which says why."""
    text = f"failed: {job['rule_name']}"
    for log in map(Path, job["log"]):
        text += f": {log}"
        with suppress(OSError, IndexError):
            if log.suffix == ".log":
                lines = ANSI.sub("", log.read_text(encoding="utf-8", errors="replace")).split("\n")
                text += ": " + [line.strip() for line in lines if line.strip()][-1]
    return text


def warnings_in(logs: Sequence[str]) -> list[str]:
    """The lines of a job's logs that warn of something."""
    warnings = []
    for log in map(Path, logs):
        if log.suffix == ".log":
            with suppress(OSError):
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
                warnings += [line for line in lines if line.startswith(WARNING)]
    return warnings


def format_seconds(seconds: float) -> str:
    """A duration to the minute, or in seconds below one minute."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
