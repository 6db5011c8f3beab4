"""A table's csv file: one line per cell, with its statistics over the seeds and its verdict."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from replication.analysis.pooled_spread import Samples, summarise_together
from replication.analysis.statistics import agrees_with_paper, verdict
from replication.architectures.catalogue import TIMM, find_network
from replication.config.paper_tables import TableSpec
from replication.plan.cells import Cell
from replication.results.csv_columns import CELL_KEY, DIFFERENCES, LEVELS
from replication.results.schema import CSV_FILES

TABLE_COLUMNS = CSV_FILES["table"].names
"""Columns of a table's csv file."""
NUMBERS = [column.name for column in CSV_FILES["table"].columns if column.kind == "number"]
"""Float columns, also where every entry is missing."""
DIFFERENCE = "difference of "
"""How the metric of a contrast begins."""


class CellSamples(NamedTuple):
    """The values of a cell by seed, and those of its generation-0 teachers; empty if there is none.

    ``kind`` says what kind of network it shows, for the spread that cells share, and ``is_one_run``
    whether all of its seeds show the same run.
    """

    kind: str
    values: Mapping[int, float]
    teachers: Mapping[int, float]
    is_one_run: bool = False


class MeasuredCell(NamedTuple):
    """A cell with its values by seed, its teachers', and its parameters in millions.

    ``is_one_run``: all of its seeds show the same run.
    """

    cell: Cell
    values: Mapping[int, float] = {}
    teachers: Mapping[int, float] = {}
    params: float | None = None
    is_one_run: bool = False


def statistics_of_cells(cells: Sequence[CellSamples]) -> list[dict[str, Any]]:
    """Statistics of cells of one table and one metric, by the names of their columns.

    They are `LEVELS`, ``n``, `DIFFERENCES` and ``spread``. Differences are paired by seed: each
    student from the teacher of its own lineage. A number that does not exist is None, or NaN where
    there are too few seeds for it.
    """
    lines: list[dict[str, Any]] = [
        {"n": len(cell.values), "spread": None, **dict.fromkeys([*LEVELS, *DIFFERENCES])}
        for cell in cells
    ]
    measured = [place for place, cell in enumerate(cells) if cell.values]
    levels = summarise_together(
        [
            Samples(cells[place].kind, cells[place].values, cells[place].is_one_run)
            for place in measured
        ]
    )
    for place, (summary, spread) in zip(measured, levels, strict=True):
        lines[place] |= {"spread": spread, **dict(zip(LEVELS, summary[:4], strict=True))}
    students = [place for place in measured if cells[place].teachers]
    differences = summarise_together(
        [
            Samples(cells[place].kind, _differences(cells[place]), cells[place].is_one_run)
            for place in students
        ]
    )
    for place, (summary, _) in zip(students, differences, strict=True):
        numbers = (summary.mean, summary.low, summary.high, summary.p_value)
        lines[place] |= zip(DIFFERENCES, numbers, strict=True)
    return lines


def summary_lines(cells: Sequence[MeasuredCell]) -> list[dict[str, Any]]:
    """The lines of a table's csv, by `TABLE_COLUMNS`, in the order of its cells.

    A cell without values has a line without numbers.
    """
    lines: list[dict[str, Any]] = [{} for _ in cells]
    for metric in dict.fromkeys(measured.cell.metric for measured in cells):
        places = [place for place, measured in enumerate(cells) if measured.cell.metric == metric]
        samples = []
        for place in places:
            cell, values, teachers, _, is_one_run = cells[place]
            members = next(iter(cell.members.values()), ())
            kind = network_kind(members[-1].network, len(members)) if members else ""
            samples.append(CellSamples(kind, values, teachers, is_one_run))
        for place, statistics in zip(places, statistics_of_cells(samples), strict=True):
            lines[place] = _summary_line(cells[place], statistics)
    return lines


def contrast_lines(spec: TableSpec, cells: pd.DataFrame) -> list[dict[str, Any]]:
    """The lines of a table's contrasts, by `TABLE_COLUMNS`, from its lines of ``cells.csv``.

    Mean and interval are those of the weighted sums of the seeds, p is of their t-test against 0. A
    contrast's rows share its spread, like cells of one kind. A row without any measured cell has no
    contrasts.
    """
    lines, samples = [], []
    for row, in_row in cells.groupby("row", sort=False):
        values = in_row.pivot(index="seed", columns="column", values="value")
        for name in spec.contrasts_of(str(row)):
            weights = spec.contrasts[name]
            parts = values.reindex(columns=list(weights)).dropna()
            sums = parts.to_numpy() @ list(weights.values())
            samples.append(CellSamples(name, dict(zip(parts.index, sums, strict=True)), {}))
            line: dict[str, Any] = dict.fromkeys(TABLE_COLUMNS)
            line |= in_row.iloc[0][["table", "row"]]
            line |= {"column": name, "metric": DIFFERENCE + in_row.iloc[0]["metric"]}
            lines.append(line)
    # Without a teacher, the p-value is the contrast's own.
    compared = [sample._replace(teachers=dict.fromkeys(sample.values, 0.0)) for sample in samples]
    statistics = statistics_of_cells(compared)
    statistic_names = [*LEVELS, "n", "spread", "p_value"]
    return [
        line | {name: numbers[name] for name in statistic_names}
        for line, numbers in zip(lines, statistics, strict=True)
    ]


def show_one_run(lines: pd.DataFrame) -> bool:
    """Whether a cell's lines, one per seed, all show one run, as for weights from elsewhere."""
    return len(lines) > 1 and lines["run"].nunique() == 1


def network_kind(network: str, members: int = 1) -> str:
    """What kind of network a cell shows: a family, or timm's name, and whether it is an ensemble.

    Cells of one kind have the same spread over seeds.
    """
    known = find_network(network)
    family = network if known is None or known.family == TIMM else known.family
    return f"ensemble of {family}" if members > 1 else family


def verdict_counts(frame: pd.DataFrame, by: str, verdicts: Sequence[str]) -> pd.DataFrame:
    """Count verdicts: a line per value of the column `by`, a column per verdict, and totals."""
    judged = frame.dropna(subset="verdict")
    counts = pd.crosstab(judged[by], judged["verdict"]).reindex(
        index=judged[by].unique(), columns=list(verdicts), fill_value=0
    )
    counts.columns.name = None
    counts.loc["all"] = counts.sum()
    return counts.assign(total=counts.sum(axis=1))


def _differences(cell: CellSamples) -> dict[int, float]:
    """The difference from the teacher by seed."""
    return {seed: value - cell.teachers[seed] for seed, value in cell.values.items()}


def _summary_line(measured: MeasuredCell, statistics: Mapping[str, Any]) -> dict[str, Any]:
    """The line of one cell, by `TABLE_COLUMNS`."""
    cell = measured.cell
    line: dict[str, Any] = {"verdict": None, "agrees": None, "params": measured.params}
    line |= statistics
    for name in (*CELL_KEY, "metric", "reported", "params_reported"):
        line[name] = getattr(cell, name)
    if line["delta_ci_low"] is not None:
        line["verdict"] = verdict(line["delta_ci_low"], line["delta_ci_high"])
        if cell.reported_difference is not None and cell.reported_teacher is not None:
            printed = cell.reported_difference, cell.reported_teacher
            line["agrees"] = agrees_with_paper(line["verdict"], *printed)
    return {column: line[column] for column in TABLE_COLUMNS}
