"""A table's csv file: one line per cell, with its statistics over the seeds and its verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from replication.analysis.cells_csv import CELL
from replication.analysis.statistics import agreement, paired_difference, summarise, verdict
from replication.config.paper_tables import TableSpec
from replication.plan.cells import Cell

LEVELS = ["mean", "std", "ci_low", "ci_high"]
DIFFERENCES = ["delta_vs_teacher", "delta_ci_low", "delta_ci_high", "p_value"]
COLUMNS = [
    *(*CELL, "metric", "reported", *LEVELS, "n", *DIFFERENCES),
    *("params", "params_reported", "verdict", "agrees"),
]
DIFFERENCE = "difference of "
"""Before the metric of a contrast."""
# Float columns, also where every entry is missing.
NUMBERS = ["reported", *LEVELS, *DIFFERENCES, "params", "params_reported"]


def cell_statistics(
    values: Mapping[int, float], teachers: Mapping[int, float]
) -> dict[str, float | None]:
    """Statistics of a cell by its values per seed and its teachers', both empty if there are none.

    A number that does not exist is None, or NaN where there are too few seeds for it.
    """
    found: dict[str, float | None] = {"n": len(values), **dict.fromkeys([*LEVELS, *DIFFERENCES])}
    if values:
        found |= zip(LEVELS, summarise(list(values.values()))[:4], strict=True)
    if values and teachers:
        mean, _, low, high, p_value = paired_difference(values, teachers)
        found |= zip(DIFFERENCES, (mean, low, high, p_value), strict=True)
    return found


def summary_line(
    cell: Cell, values: Mapping[int, float], teachers: Mapping[int, float], params: float | None
) -> dict[str, object]:
    """The line of a cell in its table's csv, by `COLUMNS`; without values that of an empty cell.

    `params` is in millions.
    """
    line: dict[str, Any] = dict.fromkeys(("verdict", "agrees")) | cell_statistics(values, teachers)
    line["params"] = params
    for name in (*CELL, "metric", "reported", "params_reported"):
        line[name] = getattr(cell, name)
    if line["delta_ci_low"] is not None:
        line["verdict"] = verdict(line["delta_ci_low"], line["delta_ci_high"])
        if cell.reported_difference is not None and cell.reported_teacher is not None:
            printed = cell.reported_difference, cell.reported_teacher
            line["agrees"] = agreement(line["verdict"], *printed)
    return {column: line[column] for column in COLUMNS}


def contrast_lines(spec: TableSpec, cells: pd.DataFrame) -> list[dict[str, object]]:
    """The lines of a table's contrasts, by `COLUMNS`, from its lines of ``cells.csv``.

    Mean and interval are those of the weighted sums of the seeds, p is of their t-test against 0.
    A row without any measured cell has no contrasts.
    """
    lines = []
    for row, in_row in cells.groupby("row", sort=False):
        values = in_row.pivot(index="seed", columns="column", values="value")
        for name in spec.contrasts_of(str(row)):
            weights = spec.contrasts[name]
            parts = values.reindex(columns=list(weights)).dropna()
            sums = list(parts.to_numpy() @ list(weights.values()))
            line = dict.fromkeys(COLUMNS) | cell_statistics(dict(enumerate(sums)), {})
            line |= in_row.iloc[0][["table", "row"]]
            line |= {"column": name, "metric": DIFFERENCE + in_row.iloc[0]["metric"]}
            lines.append(line | {"p_value": summarise(sums).p_value if sums else None})
    return lines


def verdict_counts(frame: pd.DataFrame, by: str, verdicts: Sequence[str]) -> pd.DataFrame:
    """Count verdicts: a line per value of the column `by`, a column per verdict, and totals."""
    judged = frame.dropna(subset="verdict")
    counts = pd.crosstab(judged[by], judged["verdict"]).reindex(
        index=judged[by].unique(), columns=list(verdicts), fill_value=0
    )
    counts.columns.name = None
    counts.loc["all"] = counts.sum()
    return counts.assign(total=counts.sum(axis=1))
