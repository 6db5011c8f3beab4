"""The statistics of a table, from ``cells.csv`` and ``runs.csv`` alone."""

import pandas as pd

from replication.analysis.collect import result_column
from replication.analysis.summary import (
    NUMBERS,
    MeasuredCell,
    contrast_lines,
    show_one_run,
    summary_lines,
)
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.results.csv_files import root_teachers, split_members
from replication.results.schema import CSV_FILES


def table_statistics(
    plan: Plan, table: str, cells: pd.DataFrame, runs: pd.DataFrame
) -> pd.DataFrame:
    """The lines of ``tables/<table>.csv``: one per cell, and one per contrast of a row.

    ``cells`` has the lines of ``cells.csv``, of this table or of all. ``runs`` has lines of
    ``runs.csv``, indexed by run, for at least the runs of these cells and generation 0 of their
    lineages. A cell without lines stays empty: it has 0 seeds and no numbers.
    """
    of_table = cells[cells["table"] == table]
    by_cell = dict(iter(of_table.groupby(["row", "column"], sort=False)))
    measured = [
        _measured_cell(cell, by_cell.get((cell.row, cell.column)), runs)
        for cell in plan.table_cells(table)
    ]
    lines = summary_lines(measured) + contrast_lines(plan.tables[table], of_table)
    frame = pd.DataFrame(lines, columns=CSV_FILES["table"].names)
    return frame.astype(dict.fromkeys(NUMBERS, float))


def missing_cells(plan: Plan, table: str, cells: pd.DataFrame) -> list[str]:
    """The cells of a table's trained rows that have no line in ``cells``, as ``row, column``."""
    of_table = cells[cells["table"] == table]
    measured = set(of_table[["row", "column"]].itertuples(index=False, name=None))
    return [
        f"{cell.row}, {cell.column}"
        for cell in plan.table_cells(table)
        if cell.members and (cell.row, cell.column) not in measured
    ]


def _measured_cell(cell: Cell, of_cell: pd.DataFrame | None, runs: pd.DataFrame) -> MeasuredCell:
    """A cell with the values in its lines of ``cells.csv``, one per seed, if it has any.

    Its teachers are generation 0 of the lineages of its runs, its parameters those of the last
    member of an ensemble.
    """
    if of_cell is None:
        return MeasuredCell(cell)
    teachers = root_teachers(of_cell["run"], runs)
    teacher_values = teachers.map(runs[result_column(cell.metric)])
    seeds = [int(seed) for seed in of_cell["seed"]]
    *_, last_member = split_members(of_cell["run"].iloc[0])
    return MeasuredCell(
        cell,
        dict(zip(seeds, of_cell["value"].tolist(), strict=True)),
        dict(zip(seeds, teacher_values.tolist(), strict=True)) if teachers.notna().all() else {},
        float(runs["parameters"][last_member]) / 1e6,
        show_one_run(of_cell),
    )
