"""Whether runs are up to date: by what their records say, and not by when their files were written.

Snakemake trains a student again when its teacher's weights are newer than the student's files, and
leaves it alone when they are older. Files that come from another machine have times in any order:
of the copying, or of a clock that is not this one's. So before Snakemake looks at times, they are
made to say what the records do.

Pure Python: Snakemake loads this at every start, so neither torch nor pandas is imported.
"""

import csv
import json
import os
from pathlib import Path
from typing import NamedTuple

from replication.errors import InputError
from replication.plan.plan import Plan
from replication.runs.folder import HISTORY, MODEL, PREDICTIONS, RECORD

OUTPUTS = (MODEL, PREDICTIONS, HISTORY, RECORD)
SECOND = 10**9
"""In nanoseconds: older by that much is older on every file system."""


class Origin(NamedTuple):
    """What a record says of where a run comes from: its recipe, its weights, its teacher's."""

    recipe: str
    weights: str
    taught_by: str | None


def sync_mtimes(plan: Plan) -> None:
    """Put the times of a plan's results in the order that Snakemake takes for up to date, or not.

    A student with the plan's recipe that learned from the teacher in whose folder it lies is made
    no older than that teacher's weights; any other student is made older. A table with an empty
    cell, or with such another student, is made older than its runs. For what is up to date only
    weights of teachers are set back, on which nothing but their students depends.

    Raises:
        InputError: a file's time cannot be set.
    """
    origins = {run.id: _origin(plan.folder(run)) for run in plan.runs.values()}
    others = {}
    # Students before teachers: what is set back may have to go behind its own teacher.
    for run in reversed(plan.runs.values()):
        own, teacher = origins[run.id], origins[run.teacher.id] if run.teacher else None
        if own is None or run.teacher is None or teacher is None:
            continue
        if own.recipe == plan.recipe_hash(run) and own.taught_by == teacher.weights:
            times = [_time(plan.folder(run) / name) for name in OUTPUTS]
            if found := [time for time in times if time is not None]:
                _set_back(plan.folder(run.teacher) / MODEL, min(found))
        else:
            others[run] = run.teacher
    for run, above in others.items():
        weights = _time(plan.folder(above) / MODEL)
        if weights is not None:
            _set_back(plan.folder(run) / HISTORY, weights - SECOND)
    for name in plan.tables:
        shown = {run for cell in plan.table_cells(name) for run in cell.runs()}
        if not shown.isdisjoint(others) or _has_empty_cell(plan, name):
            times = [_time(plan.folder(run) / RECORD) for run in shown]
            if found := [time for time in times if time is not None]:
                _set_back(plan.results / "tables" / f"{name}.tex", min(found) - SECOND)


def _origin(folder: Path) -> Origin | None:
    """None where there is no record, or none that can be read: tables say what is to be done."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        taught_by = record["teacher"]["model_sha256"] if record["teacher"] else None
        return Origin(record["recipe_hash"], record["checksums"][MODEL], taught_by)
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None


def _time(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None


def _set_back(file: Path, latest: int) -> None:
    """Make a file, if it is there, no younger than that."""
    time = _time(file)
    if time is None or time <= latest:
        return
    try:
        os.utime(file, ns=(latest, latest))
    except OSError as error:
        raise InputError(
            f"{file}: its time cannot be set ({error.strerror}), and Snakemake goes by it; make the"
            " file yours, by a copy that takes its place"
        ) from None


def _has_empty_cell(plan: Plan, table: str) -> bool:
    """Whether a table was written with a cell that could not be measured."""
    try:
        with (plan.results / "tables" / f"{table}.csv").open(encoding="utf-8", newline="") as lines:
            return any(line.get("n") == "0" for line in csv.DictReader(lines))
    except (OSError, ValueError, csv.Error):
        return False
