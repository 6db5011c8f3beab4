"""Writes a table of the replication in four formats, from its measured cells and its runs.

Everything here follows from ``cells/<table>.csv``, ``cells/<table>.runs.csv`` and the table's file,
so that a table can be written again without any run folder.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from replication import files
from replication.analysis.collect import measure_table, result_column
from replication.analysis.pooled_spread import describe_spread
from replication.analysis.summary import NUMBERS, MeasuredCell, contrast_lines, summary_lines
from replication.data.specs import DATASETS
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.report.rendering import render
from replication.results.csv_files import csv_text, root_teachers, split_members
from replication.results.schema import CSV_FILES

PRINTED_DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "ptb": "Penn Treebank"}
"""How the paper calls the data sets that a scale's ones stand for."""

Reasons = Mapping[tuple[str, str], str]
"""Why a cell is empty, by its row and column."""
NO_REASONS: Reasons = {}


@dataclass(frozen=True)
class BuiltTable:
    """A table as it was written, and one line for each empty cell that says why it is empty."""

    frame: pd.DataFrame
    reasons: list[str]


def build_table(plan: Plan, name: str) -> BuiltTable:
    """Measure a table's cells and write its parts of cells and runs and its four formats.

    Raises:
        InputError: the scale does not have the table, or a file cannot be written.
    """
    measured = measure_table(plan, name)
    measured.write(plan, name)
    runs = measured.runs.set_index("run", drop=False)
    frame = table_from_cells(plan, name, measured.cells, runs)
    for ending, text in table_texts(plan, name, frame, measured.reasons).items():
        files.write_text(plan.results / "tables" / f"{name}.{ending}", text)
    return BuiltTable(frame, _reason_lines(measured.reasons))


def table_from_cells(
    plan: Plan, name: str, cells: pd.DataFrame, runs: pd.DataFrame
) -> pd.DataFrame:
    """The lines of ``tables/<name>.csv``: statistics of each cell, and the table's contrasts.

    `cells` are the table's lines of ``cells.csv``; `runs` are lines of ``runs.csv``, indexed by
    run, for at least the runs of these cells and generation 0 of their lineages. A cell without
    lines has 0 seeds and no numbers.
    """
    by_cell = dict(iter(cells.groupby(["row", "column"], sort=False)))
    measured = [
        _measured_cell(cell, by_cell.get((cell.row, cell.column)), runs)
        for cell in plan.table_cells(name)
    ]
    lines = summary_lines(measured) + contrast_lines(plan.tables[name], cells)
    return pd.DataFrame(lines, columns=CSV_FILES["table"].names).astype(
        dict.fromkeys(NUMBERS, float)
    )


def _measured_cell(cell: Cell, of_cell: pd.DataFrame | None, runs: pd.DataFrame) -> MeasuredCell:
    """A cell with the values in its lines of ``cells.csv``, one per seed, if it has any."""
    if of_cell is None:
        return MeasuredCell(cell)
    teachers = root_teachers(of_cell["run"], runs)
    teacher_values = teachers.map(runs[result_column(cell.metric)])
    *_, last_member = split_members(of_cell["run"].iloc[0])
    return MeasuredCell(
        cell,
        dict(zip(of_cell["seed"], of_cell["value"], strict=True)),
        dict(zip(of_cell["seed"], teacher_values, strict=True)) if teachers.notna().all() else {},
        float(runs["parameters"][last_member]) / 1e6,
    )


def table_texts(
    plan: Plan, name: str, frame: pd.DataFrame, reasons: Reasons = NO_REASONS
) -> dict[str, str]:
    """The files of a table by their endings: csv, md, html and tex.

    `frame` is that of `table_from_cells`. The note below the table says why cells are empty.
    """
    spec, below = plan.tables[name], note(plan, name, frame["spread"], reasons)
    rendered = render(frame, spec.title, below, spec.shown, spec.transposed)
    return {"csv": csv_text("table", frame), **rendered}


def note(plan: Plan, name: str, spreads: Iterable[object], reasons: Reasons = NO_REASONS) -> str:
    """The sentences below a table that are its own.

    They say which data stand for the paper's, what the table's file notes, what the intervals rest
    on where there are few seeds (``spreads``, a column of the table), and why cells are empty.
    """
    spec = plan.tables[name]
    used = []
    for role in dict.fromkeys(spec.role(row) for row in spec.rows):
        dataset = plan.scale.datasets[role].name
        label = DATASETS[dataset].label if dataset in DATASETS else dataset
        printed = PRINTED_DATASETS.get(role, label)
        used.append(label if label == printed else f"{label} for {printed}")
    data = f"Scale {plan.scale.scale}: {', '.join(used)}."
    empty_cells = [f"Empty cell: {line}." for line in _reason_lines(reasons)]
    pooled = describe_spread(spreads)
    return " ".join([data, *spec.notes, *([pooled] if pooled else []), *empty_cells])


def _reason_lines(reasons: Reasons) -> list[str]:
    return [f"{row}, {column}: {reason}" for (row, column), reason in reasons.items()]
