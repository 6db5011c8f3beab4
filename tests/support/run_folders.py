"""Folders of runs as trainings leave them, without a training."""

import json
import os
import time
from typing import Any

from replication.plan.plan import Plan
from replication.plan.run import Run


def finish(plan: Plan, run: Run, **measured: Any) -> None:
    """Leave the record of a finished run; ``measured`` is what else stands in it."""
    folder = plan.folder(run)
    folder.mkdir(parents=True, exist_ok=True)
    record = {"run": run.id, "recipe_hash": plan.recipe_hash(run), "threads": 1, **measured}
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")


def hold(plan: Plan, run: Run, seconds_ago: float = 0.0, log: str = "") -> None:
    """Leave a lock that was touched so long ago, and a log."""
    folder = plan.folder(run)
    folder.mkdir(parents=True, exist_ok=True)
    touched = time.time() - seconds_ago
    (folder / "train.lock").write_text("a process\n", encoding="utf-8")
    os.utime(folder / "train.lock", (touched, touched))
    (folder / "train.log").write_text(log, encoding="utf-8")


def fail(plan: Plan, run: Run, reason: str) -> None:
    """Leave the reason why a run has failed."""
    folder = plan.folder(run)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "failed.json").write_text(json.dumps({"reason": reason}), encoding="utf-8")
