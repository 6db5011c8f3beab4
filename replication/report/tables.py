"""A table of the replication: the contract's one line per cell, written in four formats."""

from collections.abc import Sequence

import pandas as pd

from replication import files
from replication.analysis.cells_csv import COLUMNS, read_cells
from replication.analysis.measure import Measurements
from replication.analysis.statistics import paired_difference, summarise, verdict
from replication.data.specs import DATASETS
from replication.errors import InputError
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.report.rendering import render

LINE = [
    *("table", "row", "column", "metric", "reported", "mean", "std", "ci_low", "ci_high", "n"),
    *("delta_vs_teacher", "delta_ci_low", "delta_ci_high", "p_value", "params", "params_reported"),
    "verdict",
]
# A column in which no line has a number is still one of numbers.
NUMBERS = [
    *("reported", "mean", "std", "ci_low", "ci_high", "params", "params_reported"),
    *("delta_vs_teacher", "delta_ci_low", "delta_ci_high", "p_value"),
]


def build_table(plan: Plan, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Measure a table's cells and write ``tables/<name>.{csv,md,html,tex}`` and its cells.

    A cell that lacks a run, or has one that is damaged or unlike the others, stays empty: with 0
    seeds, and the reason below the table. Returns the table, and those reasons.

    Raises:
        InputError: the table is unknown, or a file cannot be written.
    """
    cells, measurements = plan.table_cells(name), Measurements(plan)
    tidy, lines, holes = [], [], []
    for cell in cells:
        try:
            rows = measurements.rows(cell)
            line = summary_line(cell, measurements, rows)
        except InputError as error:
            rows, line = [], _empty_line(cell)
            holes.append(f"{cell.row}, {cell.column}: {error}")
        tidy += rows
        lines.append(line)
    frame = pd.DataFrame(lines).astype(dict.fromkeys(NUMBERS, float))
    spec = plan.tables[name]
    measured = pd.DataFrame(tidy, columns=COLUMNS)
    files.write_text(plan.results / "cells" / f"{name}.csv", measured.to_csv(index=False))
    texts = {"csv": frame.to_csv(index=False), **render(frame, spec.title, note(plan, name, holes))}
    for suffix, text in texts.items():
        files.write_text(plan.results / "tables" / f"{name}.{suffix}", text)
    return frame, holes


def _empty_line(cell: Cell) -> dict[str, object]:
    """The contract's line of a cell that could not be measured."""
    numbers = dict.fromkeys(NUMBERS)
    known = {"reported": cell.reported, "params_reported": cell.params_reported, "n": 0}
    places = {"table": cell.table, "row": cell.row, "column": cell.column, "metric": cell.metric}
    line = {**numbers, **places, **known, "verdict": None}
    return {column: line[column] for column in LINE}


def summary_line(
    cell: Cell, measurements: Measurements, rows: list[dict[str, object]]
) -> dict[str, object]:
    """The contract's line of a cell; numbers that do not exist are None."""
    values = {int(str(row["seed"])): float(str(row["value"])) for row in rows}
    level = summarise(list(values.values()))
    teachers = measurements.teachers(cell)
    difference = paired_difference(values, teachers) if teachers else None
    decided = None
    if difference and cell.reported is not None and cell.reported_teacher is not None:
        reported = cell.reported - cell.reported_teacher
        decided = verdict(difference.low, difference.high, reported)
    return {
        "table": cell.table,
        "row": cell.row,
        "column": cell.column,
        "metric": cell.metric,
        "reported": cell.reported,
        "mean": level.mean,
        "std": level.std,
        "ci_low": level.low,
        "ci_high": level.high,
        "n": level.n,
        "delta_vs_teacher": difference.mean if difference else None,
        "delta_ci_low": difference.low if difference else None,
        "delta_ci_high": difference.high if difference else None,
        "p_value": difference.p_value if difference else None,
        "params": measurements.parameters(cell) / 1e6,
        "params_reported": cell.params_reported,
        "verdict": decided,
    }


def note(plan: Plan, name: str, holes: Sequence[str] = ()) -> str:
    """What stands in for the paper's data, the table's own notes, and why cells are empty."""
    spec = plan.tables[name]
    used = DATASETS[getattr(plan.scale.datasets, spec.dataset).name].label
    printed = PRINTED[spec.dataset]
    data = f"Scale {plan.scale.scale}: {used}"
    return " ".join(
        [
            data + (f" for {printed}." if used != printed else "."),
            *spec.notes,
            *(f"Empty cell: {hole}." for hole in holes),
        ]
    )


PRINTED = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "ptb": "Penn Treebank"}


def collect_cells(plan: Plan) -> pd.DataFrame:
    """Write ``cells.csv`` out of the tables' parts.

    Raises:
        InputError: a part is missing or damaged, or the file cannot be written.
    """
    parts = [read_cells(plan.results / "cells" / f"{name}.csv") for name in plan.tables]
    cells = pd.concat(parts, ignore_index=True)
    files.write_text(plan.results / "cells.csv", cells.to_csv(index=False))
    return cells
