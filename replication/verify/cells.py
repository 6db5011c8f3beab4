"""Checks that each number of ``cells.csv`` follows from the runs that it names."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.analysis.cells_csv import read_cells
from replication.analysis.measure import error, perplexity
from replication.errors import InputError
from replication.runs import record as runs
from replication.verify.findings import Findings, Records

CLOSE = 1e-6
KEY = ["table", "row", "column"]

Key = tuple[str, str, str]
Values = dict[Key, dict[int, tuple[float, float | None]]]
"""By table, row and column: for each seed the cell's value, and its root_teacher's where it has one."""
Predictions = dict[str, dict[str, NDArray[Any]]]


def check_cells(results: Path, records: Records, found: Findings) -> tuple[pd.DataFrame, Values]:
    """Check each number of ``cells.csv`` against the runs it names; the lines, and their values.

    Raises:
        InputError: the file is damaged.
    """
    file = results / "cells.csv"
    cells = read_cells(file)
    _check_parts(results, cells, found)
    for twice in cells[cells.duplicated([*KEY, "seed"])].itertuples():
        found.problems.append(f"{file}: {twice.row}, {twice.column} has seed {twice.seed} twice")
    values: Values = defaultdict(dict)
    predictions: Predictions = {}
    for line in cells.to_dict("records"):
        found.cells += 1
        try:
            own, teacher = _measure(line, results / "runs", records, predictions)
        except InputError as problem:
            found.problems.append(
                f"{file}: {line['table']}, {line['row']}, {line['column']}, seed {line['seed']}:"
                f" {problem}"
            )
            continue
        values[line["table"], line["row"], line["column"]][line["seed"]] = (own, teacher)
    for (table, row, column), lines in cells.groupby(KEY, sort=False):
        wrong = _mixtures(lines, cells[cells["table"] == table], records)
        found.problems += [f"{file}: {table}, {row}, {column}: {it}" for it in wrong]
    return cells, values


def _check_parts(results: Path, cells: pd.DataFrame, found: Findings) -> None:
    for part in sorted((results / "cells").glob("*.csv")):
        try:
            own = read_cells(part)
        except InputError as problem:
            found.problems.append(str(problem))
            continue
        collected = cells[cells["table"] == part.stem].reset_index(drop=True)
        if own.to_csv(index=False) != collected.to_csv(index=False):
            found.problems.append(f"{part}: has other lines than cells.csv of that table")


def _measure(
    line: Mapping[Any, Any], root: Path, records: Records, predictions: Predictions
) -> tuple[float, float | None]:
    """The value of a line, which its runs have, and their root_teacher's where that is another."""
    members = line["run"].split(";")
    root_teacher = "/".join(members[-1].split("/")[:2])
    for run in (*members, root_teacher):
        if run not in records:
            raise InputError(f"{run} is not there")
        if line["metric"] not in records[run]["result"]:
            raise InputError(f"{line['metric']} is nothing that {run} was tested for")
        if run not in predictions:
            predictions[run] = runs.read_predictions(root / run)
    own = _reached([predictions[run] for run in members], line["metric"])
    if not any(np.isclose(line["value"], value, rtol=CLOSE) for value in own):
        raise InputError(f"says {line['value']}, its runs give {own[0]}")
    if root_teacher == members[-1]:
        return line["value"], None
    return line["value"], _reached([predictions[root_teacher]], line["metric"])[0]


def _reached(members: list[dict[str, NDArray[Any]]], metric: str) -> list[float]:
    """The value of a run; of several, by the mean of their probabilities and of their logits."""
    first = members[0]
    if "logits" not in first:
        if (part := metric.partition(" ")[0]) not in first:
            raise InputError(f"{metric} is nothing that its predictions have")
        return [perplexity(first[part])]
    if any(not np.array_equal(it.get("labels", ()), first["labels"]) for it in members):
        raise InputError("its runs were tested on different items")
    logits = np.stack([member["logits"] for member in members])
    return [
        error(logits, first["labels"], "probabilities"),
        error(logits, first["labels"], "logits"),
    ]


def _mixtures(lines: pd.DataFrame, table: pd.DataFrame, records: Records) -> Iterator[str]:
    """Whether a cell's seeds are the table's, and its runs the same treatment in every seed."""
    if missing := set(table["seed"]) - set(lines["seed"]):
        yield f"has no seed {', '.join(map(str, sorted(missing)))}, which other cells have"
    if lines["run"].duplicated().any():
        yield "shows one run for several seeds"
    shapes, recipes, precisions = set(), set(), set()
    for line in lines.to_dict("records"):
        members = line["run"].split(";")
        shapes.add(tuple(_treatment(run, line["seed"]) for run in members))
        known = [records[run] for run in members if run in records]
        recipes.add(tuple(record["recipe_hash"] for record in known))
        precisions |= {record["precision"] for record in known}
    if len(shapes) > 1:
        yield "shows other treatments in one seed than in another"
    if len(recipes) > 1:
        yield "mixes runs of different recipes"
    if len(precisions) > 1:
        yield f"mixes runs of different precision ({', '.join(sorted(precisions))})"


def _treatment(run: str, seed: int) -> tuple[str, ...]:
    """A run's id with its seeds counted from the cell's."""
    parts = (part.rpartition(".") for part in run.split("/"))
    return tuple(
        f"{name}.{int(own) - seed}" if name and own.isdigit() else own for name, _, own in parts
    )
