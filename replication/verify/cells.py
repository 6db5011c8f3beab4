"""Checks that each number of ``cells.csv`` follows from the runs that it names."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from replication.analysis.cells_csv import CELL, KEY, read_cells
from replication.analysis.measure import Average, Predictions, measure
from replication.config.paper_claims import CellKey
from replication.errors import InputError
from replication.runs.record import read_predictions
from replication.verify.findings import CLOSE, Findings, Records

Values = dict[CellKey, dict[int, tuple[float, float | None]]]
"""For each cell and seed its value, and that of its generation-0 teacher if it has one."""


def check_cells(results: Path, records: Records, found: Findings) -> tuple[pd.DataFrame, Values]:
    """Check each number with the runs it names; returns lines and values.

    Raises InputError if ``cells.csv`` is damaged.
    """
    file = results / "cells.csv"
    cells = read_cells(file)
    _check_parts(results, cells, found)
    for twice in cells[cells.duplicated(KEY)].itertuples():
        found.problems.append(f"{file}: {twice.row}, {twice.column} has seed {twice.seed} twice")
    values: Values = defaultdict(dict)
    predictions: dict[str, Predictions] = {}
    for line in cells.to_dict("records"):
        found.cells += 1
        at = line["table"], line["row"], line["column"]
        with found.noting(f"{file}: {', '.join(at)}, seed {line['seed']}: "):
            values[at][line["seed"]] = _measure(line, results / "runs", records, predictions)
    for (table, row, column), lines in cells.groupby(CELL, sort=False):
        wrong = _inconsistencies(lines, cells[cells["table"] == table], records)
        found.problems += [f"{file}: {table}, {row}, {column}: {it}" for it in wrong]
    return cells, values


def _check_parts(results: Path, cells: pd.DataFrame, found: Findings) -> None:
    for part in sorted((results / "cells").glob("*.csv")):
        with found.noting():
            collected = cells[cells["table"] == part.stem]
            if read_cells(part).to_csv(index=False) != collected.to_csv(index=False):
                raise InputError(f"{part}: differs from the lines of that table in cells.csv")


def _measure(
    line: Mapping[Any, Any], root: Path, records: Records, predictions: dict[str, Predictions]
) -> tuple[float, float | None]:
    """The checked value of a line, and that of its generation-0 teacher if it has one."""
    members = line["run"].split(";")
    root_teacher = "/".join(members[-1].split("/")[:2])
    for run in (*members, root_teacher):
        if run not in records:
            raise InputError(f"{run} is missing")
        if line["metric"] not in records[run]["result"]:
            raise InputError(f"{run} has no {line['metric']}")
        if run not in predictions:
            predictions[run] = read_predictions(root / run)
    own = _measured([predictions[run] for run in members], line["metric"])
    if not any(np.isclose(line["value"], value, rtol=CLOSE) for value in own):
        raise InputError(f"has {line['value']}, its runs give {own[0]}")
    if root_teacher == members[-1]:
        return line["value"], None
    return line["value"], _measured([predictions[root_teacher]], line["metric"])[0]


def _measured(members: list[Predictions], metric: str) -> list[float]:
    """The value of a run; of several, by the mean of their probabilities and of their logits."""
    first, part = members[0], metric.partition(" ")[0]
    averages: tuple[Average, ...] = ("probabilities", "logits")
    if "logits" not in first:
        if part not in first:
            raise InputError(f"its predictions have no {metric}")
        averages = ("probabilities",)
    elif any(not np.array_equal(it.get("labels", ()), first["labels"]) for it in members):
        raise InputError("its runs were evaluated on different items")
    return [measure(members, part, average) for average in averages]


def _inconsistencies(lines: pd.DataFrame, table: pd.DataFrame, records: Records) -> Iterator[str]:
    """Compare a cell's seeds with those of the table, and its runs between the seeds."""
    if missing := set(table["seed"]) - set(lines["seed"]):
        yield f"lacks seed {', '.join(map(str, sorted(missing)))}, which other cells have"
    if lines["run"].duplicated().any():
        yield "has the same run for several seeds"
    shapes, recipes, precisions = set(), set(), set()
    for line in lines.to_dict("records"):
        members = line["run"].split(";")
        shapes.add(tuple(_treatment(run, line["seed"]) for run in members))
        known = [records[run] for run in members if run in records]
        recipes.add(tuple(record["recipe_hash"] for record in known))
        precisions |= {record["precision"] for record in known}
    if len(shapes) > 1:
        yield "has different treatments in different seeds"
    if len(recipes) > 1:
        yield "mixes runs of different recipes"
    if len(precisions) > 1:
        yield f"mixes runs of different precision ({', '.join(sorted(precisions))})"


def _treatment(run: str, seed: int) -> tuple[str, ...]:
    """A run's id with its seeds relative to that of the cell."""
    parts = (part.rpartition(".") for part in run.split("/"))
    return tuple(
        f"{name}.{int(own) - seed}" if name and own.isdigit() else own for name, _, own in parts
    )
