"""Which lines the csv files of a scale must have, according to its plan.

Ids of runs are only names. A pooled folder may have two runs for one planned run, trained on
different processors, each with students of its own; the second has an id that is not planned.
Which planned run a line of ``runs.csv`` is, is therefore decided by its columns and its teacher's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from replication.analysis.collect import describe_planned_run
from replication.analysis.quality import ERROR
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.wording import counted

ALONE = ("nll", "brier", "ece")
WITH_TEACHER = (*ALONE, "agreement", "kl")
IDS = ("run", "teacher", "root_teacher")
"""Columns of ``runs.csv`` that are names of runs."""

Key = tuple[Any, ...]


def find_planned_ids(plan: Plan, runs: pd.DataFrame) -> dict[str, str]:
    """The planned run that each line of ``runs.csv`` is, by their ids.

    A line with the id of a planned run is that run. Any other is the planned run that has the same
    columns and whose teacher is its teacher; a line that is none has its own id.
    """
    described = {_described(plan, run): run.id for run in plan.runs.values()}
    lines = {line["run"]: line for line in runs.to_dict("records")}
    planned: dict[str, str] = {}

    def find(run: str, students: tuple[str, ...] = ()) -> str:
        if run not in planned and (run in plan.runs or run not in lines or run in students):
            planned[run] = run
        if run not in planned:
            line = lines[run]
            teacher = line["teacher"]
            teacher_id = None if pd.isna(teacher) else find(teacher, (*students, run))
            values = tuple(
                None if pd.isna(value := line[name]) else value for name in _columns(plan)
            )
            planned[run] = described.get((*values, teacher_id), run)
        return planned[run]

    return {run: find(run) for run in lines}


def _columns(plan: Plan) -> list[str]:
    """The columns of ``runs.csv`` that the plan knows, without ids of runs."""
    first = next(iter(plan.runs.values()))
    return [name for name in describe_planned_run(plan, first) if name not in IDS]


def _described(plan: Plan, run: Run) -> Key:
    """What the plan says of a run, and its teacher's id."""
    line = describe_planned_run(plan, run)
    return (*(line[name] for name in line if name not in IDS), line["teacher"])


def keys_of(frame: pd.DataFrame, key: list[str]) -> list[Key]:
    """The entries of some columns, a tuple for each line."""
    return [*frame[key].itertuples(index=False, name=None)]


def planned_cells(plan: Plan) -> dict[Key, int]:
    """The keys of the lines of ``cells.csv``, each with its seed."""
    return {(*cell_key(cell), seed): seed for cell in plan.cells for seed in cell.members}


def planned_quality(plan: Plan) -> dict[Key, int]:
    """The keys of the lines of ``quality.csv.gz`` with their metrics, each with its seed."""
    return {
        (*cell_key(cell), seed, metric): seed
        for cell in plan.cells
        if cell.metric.endswith(ERROR)
        for seed, members in cell.members.items()
        for metric in (WITH_TEACHER if members[-1].teacher else ALONE)
    }


def cell_key(cell: Cell) -> tuple[str, str, str]:
    """Table, row and column of a cell."""
    return cell.table, cell.row, cell.column


def line_problems(planned: Mapping[Key, int], present: Iterable[Key]) -> Iterator[str]:
    """Where the lines are not those that are planned, a sentence for each seed."""
    counts = Counter(present)
    missing = [key for key in planned if key not in counts]
    for seed in dict.fromkeys(planned[key] for key in missing):
        names = [", ".join(map(str, key)) for key in missing if planned[key] == seed]
        yield f"seed {seed}: {counted(len(names), 'line')} missing; the first is {names[0]}"
    for key in counts:
        if key not in planned:
            yield f"{', '.join(map(str, key))}: the scale has no such line"
