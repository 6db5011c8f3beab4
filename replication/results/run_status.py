"""Where a run stands, read from its folder without torch and without writing anything."""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from replication.files import JSON_ERRORS
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.prepared_data import data_problem
from replication.results.run_folder import FAILURE, LOCK, RECORD

LEASE = 30.0
"""Seconds after which a lock that was not touched counts as abandoned."""


@dataclass(frozen=True)
class Measured:
    """Seconds and peak memory of a finished run; None where its record lacks the number."""

    seconds: float | None
    memory_mib: float | None


@dataclass(frozen=True)
class State:
    """Where a run stands; ``measured`` is that of a finished run.

    ``reason`` says why a run has failed, or why a finished one counts as missing.
    """

    name: Literal["done", "running", "failed", "missing"]
    measured: Measured | None = None
    reason: str = ""


MISSING, RUNNING = State("missing"), State("running")


def state_of(plan: Plan, run: Run) -> State:
    """Where a run stands.

    A run with a record of another recipe is missing, because Snakemake trains it again, and so is
    one that was trained on data other than those that are prepared now. A run with a damaged record
    has failed.
    """
    folder = plan.folder(run)
    try:
        record = json.loads((folder / RECORD).read_bytes())
        if record["recipe_hash"] == plan.recipe_hash(run):
            if problem := data_problem(plan, run, record):
                return State("missing", reason=problem)
            seconds, memory = record.get("seconds"), record.get("peak_memory_mib")
            return State("done", Measured(_positive(seconds), _positive(memory)))
    except OSError:
        pass
    except JSON_ERRORS:
        return State("failed", reason=f"{folder / RECORD}: damaged; delete it")
    if _is_held(folder / LOCK):
        return RUNNING
    return _failure(folder / FAILURE)


def _positive(value: object) -> float | None:
    """The value if it is a finite positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 < value < math.inf else None


def _is_held(lock: Path) -> bool:
    try:
        return time.time() - lock.stat().st_mtime < LEASE
    except OSError:
        return False


def _failure(file: Path) -> State:
    try:
        return State("failed", reason=str(json.loads(file.read_bytes())["reason"]))
    except OSError:
        return MISSING
    except JSON_ERRORS:
        return State("failed", reason=f"{file}: damaged")
