"""The statistics of a table, from ``cells.csv`` and ``runs.csv`` alone."""

import pandas as pd

from replication.analysis.collect import result_column
from replication.analysis.summary import NUMBERS, contrast_lines, summary_line
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.results.csv_files import split_members


def table_statistics(
    plan: Plan, table: str, cells: pd.DataFrame, runs: pd.DataFrame
) -> pd.DataFrame:
    """The lines of ``tables/<table>.csv``: one per cell and contrast.

    ``cells`` has the lines of ``cells.csv``, of this table or of all, and ``runs`` is ``runs.csv``,
    indexed by run. A cell without lines stays empty: it has 0 seeds.
    """
    of_table = cells[cells["table"] == table]
    by_cell = dict(iter(of_table.groupby(["row", "column"], sort=False)))
    lines = [
        _cell_line(cell, by_cell.get((cell.row, cell.column)), runs)
        for cell in plan.table_cells(table)
    ]
    lines += contrast_lines(plan.tables[table], of_table)
    return pd.DataFrame(lines).astype(dict.fromkeys(NUMBERS, float))


def missing_cells(plan: Plan, table: str, cells: pd.DataFrame) -> list[str]:
    """The cells of a table that have no line, as ``row, column``."""
    of_table = cells[cells["table"] == table]
    measured = set(of_table[["row", "column"]].itertuples(index=False, name=None))
    return [
        f"{cell.row}, {cell.column}"
        for cell in plan.table_cells(table)
        if (cell.row, cell.column) not in measured
    ]


def _cell_line(cell: Cell, lines: pd.DataFrame | None, runs: pd.DataFrame) -> dict[str, object]:
    """A cell's line, with the difference to generation 0 of the lineages of its runs."""
    if lines is None:
        return summary_line(cell, {}, {}, None)
    last_members = lines["run"].map(lambda run: split_members(run)[-1])
    root_teachers = last_members.map(runs["root_teacher"])
    teacher_values = root_teachers.map(runs[result_column(cell.metric)])
    seeds = [int(seed) for seed in lines["seed"]]
    values = dict(zip(seeds, lines["value"].tolist(), strict=True))
    teachers = dict(zip(seeds, teacher_values.tolist(), strict=True))
    parameters = runs["parameters"].reindex(last_members.iloc[:1]).iloc[0]
    return summary_line(
        cell,
        values,
        teachers if teacher_values.notna().all() else {},
        None if pd.isna(parameters) else parameters / 1e6,
    )
