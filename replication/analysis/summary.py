"""A table's csv file: one line per cell, with its statistics over the seeds and its verdict."""

from collections.abc import Mapping

import pandas as pd

from replication.analysis.cells_csv import CELL
from replication.analysis.statistics import paired_difference, summarise, verdict
from replication.plan.cells import Cell

VERDICTS = ("replicated", "contradicted", "inconclusive")
DIFFERENCE = ["delta_vs_teacher", "delta_ci_low", "delta_ci_high", "p_value"]
# Float columns, also where every entry is missing.
NUMBERS = [
    *("reported", "mean", "std", "ci_low", "ci_high", "params", "params_reported"),
    *DIFFERENCE,
]
COLUMNS = [
    *(*CELL, "metric", "reported", "mean", "std", "ci_low", "ci_high", "n"),
    *(*DIFFERENCE, "params", "params_reported", "verdict"),
]


def cell_statistics(
    values: Mapping[int, float], teachers: Mapping[int, float]
) -> dict[str, float | None]:
    """Statistics of a cell by its values per seed and its teachers', both empty if there are none.

    A number that does not exist is None, or NaN where there are too few seeds for it.
    """
    names = ["mean", "std", "ci_low", "ci_high", *DIFFERENCE]
    found: dict[str, float | None] = {"n": len(values), **dict.fromkeys(names)}
    if values:
        level = summarise(list(values.values()))
        found |= {"mean": level.mean, "std": level.std, "ci_low": level.low, "ci_high": level.high}
    if values and teachers:
        mean, _, low, high, p_value, _ = paired_difference(values, teachers)
        found |= zip(DIFFERENCE, (mean, low, high, p_value), strict=True)
    return found


def summary_line(
    cell: Cell,
    values: Mapping[int, float],
    teachers: Mapping[int, float],
    params: float | None,
) -> dict[str, object]:
    """The line of a cell in its table's csv, by `COLUMNS`; without values that of an empty cell.

    `params` is in millions.
    """
    found = cell_statistics(values, teachers)
    decided = None
    low, high = found["delta_ci_low"], found["delta_ci_high"]
    reported = cell.reported_difference
    if low is not None and high is not None and reported is not None:
        decided = verdict(low, high, reported)
    line = {
        "table": cell.table,
        "row": cell.row,
        "column": cell.column,
        "metric": cell.metric,
        "reported": cell.reported,
        "params": params,
        "params_reported": cell.params_reported,
        "verdict": decided,
        **found,
    }
    return {column: line[column] for column in COLUMNS}


def verdict_counts(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Count verdicts: a line per value of the column `by`, a column per verdict, and totals."""
    judged = frame.dropna(subset="verdict")
    counts = pd.crosstab(judged[by], judged["verdict"]).reindex(
        index=judged[by].unique(), columns=list(VERDICTS), fill_value=0
    )
    counts.columns.name = None
    counts.loc["all"] = counts.sum()
    return counts.assign(total=counts.sum(axis=1))
