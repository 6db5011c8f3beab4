"""Where a run stands, read from its folder without torch and without writing anything."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs.folder import FAILURE, LOCK, RECORD

LEASE = 30.0
"""Seconds without a touch after which a lock's holder counts as gone."""


@dataclass(frozen=True)
class Measured:
    """What a finished run took: its seconds, and its threads and peaks of memory in MiB.

    A number that the record lacks is None; only a run on GPUs has `gpu_mib`.
    """

    seconds: float | None
    threads: int
    host_mib: float | None
    gpu_mib: float | None


@dataclass(frozen=True)
class State:
    """Where a run stands; `measured` where it is done, `reason` where it has failed."""

    name: Literal["done", "running", "failed", "missing"]
    measured: Measured | None = None
    reason: str = ""


MISSING, RUNNING = State("missing"), State("running")


def state_of(plan: Plan, run: Run) -> State:
    """Where a run stands: done with the plan's recipe, or in training, failed, or none of these.

    A record of another recipe counts as missing, as Snakemake renews it; one that is damaged has
    failed.
    """
    folder = plan.folder(run)
    try:
        record = json.loads((folder / RECORD).read_bytes())
        if record["recipe_hash"] == plan.recipe_hash(run):
            return State("done", _measured(record))
    except OSError:
        pass
    except (ValueError, LookupError, TypeError, RecursionError):
        return State("failed", reason=f"{folder / RECORD}: damaged; delete it")
    if _is_held(folder / LOCK):
        return RUNNING
    return _failure(folder / FAILURE)


def _measured(record: Mapping[str, Any]) -> Measured:
    return Measured(
        _positive(record.get("seconds")),
        math.ceil(_positive(record.get("threads")) or 1),
        _positive(record.get("peak_memory_mib")),
        _positive(record.get("peak_gpu_memory_mib")),
    )


def _positive(value: object) -> float | None:
    """A record's number; None where it is none that can be reckoned with."""
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
    except (ValueError, LookupError, TypeError, RecursionError):
        return State("failed", reason=f"{file}: damaged")
