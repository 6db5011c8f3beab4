"""Checks a scale's results, from whoever they come: do they follow from each other?

Nothing but the files of ``results/<scale>`` is needed: no plan, no scale file, no training data.
A run's files are those that its record names; its record is of the run that its folder is named
for, with the recipe that its hash says, from the teacher it lies in; its result follows from its
predictions; each number of ``cells.csv`` follows from the predictions of the runs it names; and
each line of the tables follows from ``cells.csv``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open

from replication import runs
from replication.errors import InputError
from replication.plan import hash_recipe
from replication.results import error, perplexity, read_cells
from replication.statistics import paired_difference, summarise, verdict
from replication.table import LINE

CLOSE = 1e-6
STATES = ("state.pt", "state.previous.pt")
ALIKE: dict[str, Callable[[Mapping[str, Any]], object]] = {
    "precision": lambda record: record["precision"],
    "device": lambda record: record.get("device"),
    "torch": lambda record: record.get("versions", {}).get("torch"),
    "commit of the code": lambda record: record.get("code", {}).get("commit"),
}


@dataclass
class Findings:
    """What does not fit, what a reader should know, and how much was looked at."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    runs: int = 0
    cells: int = 0
    tables: int = 0

    @property
    def counted(self) -> str:
        """How much was looked at, in words."""
        return f"{self.runs} runs, {self.cells} numbers of cells.csv, {self.tables} tables checked"


def verify(results: Path) -> Findings:
    """Check a folder ``results/<scale>``.

    Raises:
        InputError: it is no such folder.
    """
    if not (results / "runs").is_dir():
        raise InputError(f"{results}: no results: there is no folder runs in it; name another")
    found = Findings()
    records = _check_runs(results / "runs", found)
    _remark_on_mixtures(records, found)
    values = _check_cells(results, records, found)
    _check_tables(results, values, found)
    return found


Records = dict[str, dict[str, Any]]


def _check_runs(root: Path, found: Findings) -> Records:
    """Each run by itself and with its teacher, teachers first; the records that can be read."""
    records: Records = {}
    data: dict[str, dict[str, str]] = defaultdict(dict)
    folders = {file.parent for name in (runs.RECORD, runs.MODEL) for file in root.rglob(name)}
    folders |= {file.parent for file in root.rglob(runs.FAILURE)}
    for folder in sorted(folders):
        found.runs += 1
        run_id = folder.relative_to(root).as_posix()
        try:
            record = runs.read_record(folder)
        except InputError as problem:
            found.problems.append(str(problem))
            continue
        records[run_id] = record
        found.problems += [
            f"{folder}: {it}" for it in _run_problems(folder, run_id, record, records)
        ]
        recipe = record["recipe"]
        shown = str((recipe["dataset"], recipe["evaluate_on"]))
        first = data[shown].setdefault(record["dataset"]["sha256"], run_id)
        if len(data[shown]) > 1 and first == run_id:
            found.problems.append(
                f"{folder}: its data are not those of {next(iter(data[shown].values()))}, though"
                " both name them alike"
            )
        if any((folder / name).exists() for name in STATES):
            found.remarks.append(f"{folder}: a saved state lies beside the finished run")
    return records


def _run_problems(
    folder: Path, run_id: str, record: dict[str, Any], records: Records
) -> Iterator[str]:
    if record["run"] != run_id:
        yield f"its {runs.RECORD} is of {record['run']}"
    if hash_recipe(record["recipe"]) != record["recipe_hash"]:
        yield f"the recipe in its {runs.RECORD} is not the one whose hash stands there"
    for name, named in record["checksums"].items():
        try:
            if runs.checksum(folder / name) != named:
                yield f"{name} is not the file that {runs.RECORD} names"
        except InputError as problem:
            yield str(problem)
    above = run_id.rpartition("/")[0]
    if above.count("/"):
        if above not in records:
            yield "its teacher is not there, or cannot be read"
        else:
            try:
                runs.check_teacher(folder, record, records[above])
            except InputError:
                yield "it learned from another teacher than the one it lies in"
    elif record["teacher"] is not None:
        yield f"its {runs.RECORD} names a teacher, and it lies in none"
    for file in folder.glob("answers.*.safetensors"):
        try:
            with safe_open(file, "numpy") as stored:
                if (
                    runs.answers_of(stored.metadata()).get("teacher")
                    != record["checksums"][runs.MODEL]
                ):
                    yield f"{file.name} are the answers of other weights"
        except (OSError, SafetensorError) as problem:
            yield f"{file.name} is damaged ({problem})"
    try:
        yield from _result_problems(runs.read_predictions(folder), record)
    except InputError as problem:
        yield str(problem)


def _result_problems(predictions: dict[str, Any], record: dict[str, Any]) -> Iterator[str]:
    """Whether the result that is recorded is the one in the predictions."""
    if "logits" in predictions:
        evaluated = record["dataset"].get("evaluation")
        if predictions["logits"].shape != (evaluated, record["dataset"].get("classes")):
            yield f"predictions of shape {predictions['logits'].shape} are not of its data"
            return
        measured = [error(predictions["logits"][None], predictions["labels"])]
    else:
        measured = [perplexity(predictions[part]) for part in ("validation", "test")]
    recorded = list(record["result"].values())
    if len(recorded) != len(measured) or not np.allclose(recorded, measured, rtol=CLOSE):
        yield f"its result is recorded as {recorded}, and its predictions give {measured}"


def _remark_on_mixtures(records: Records, found: Findings) -> None:
    for what, of in ALIKE.items():
        count: dict[object, int] = defaultdict(int)
        for record in records.values():
            count[of(record)] += 1
        if len(count) > 1:
            parts = ", ".join(f"{n} with {value}" for value, n in count.items())
            found.remarks.append(f"runs differ in {what}: {parts}")
    dirty = sum(bool(record.get("code", {}).get("dirty")) for record in records.values())
    if dirty:
        found.remarks.append(f"{dirty} runs were trained by code that no commit holds")


Key = tuple[str, str, str]
Values = dict[Key, dict[int, tuple[float, float | None]]]
"""By table, row and column: for each seed the cell's value, and its founder's where it has one."""


def _check_cells(results: Path, records: Records, found: Findings) -> Values:
    file = results / "cells.csv"
    values: Values = defaultdict(dict)
    if not file.exists():
        found.remarks.append(f"{file}: not there, so no table could be checked")
        return values
    cells = read_cells(file)
    keys = ["table", "row", "column", "seed"]
    for twice in cells[cells.duplicated(keys)].itertuples():
        found.problems.append(f"{file}: {twice.row}, {twice.column} has seed {twice.seed} twice")
    predictions: dict[str, Any] = {}
    for line in cells.to_dict("records"):
        found.cells += 1
        here = f"{file}: {line['table']}, {line['row']}, {line['column']}, seed {line['seed']}"
        members = line["run"].split(";")
        founder = "/".join(members[-1].split("/")[:2])
        try:
            for run in (*members, founder):
                if run not in records:
                    raise InputError(f"{run} is not there")
                if run not in predictions:
                    predictions[run] = runs.read_predictions(results / "runs" / run)
        except InputError as problem:
            found.problems.append(f"{here}: {problem}")
            continue
        own = _measure([predictions[run] for run in members], line["metric"])
        if not any(np.isclose(line["value"], value, rtol=CLOSE) for value in own):
            found.problems.append(f"{here}: says {line['value']}, its runs give {own[0]}")
        has_teacher = founder != members[-1]
        teacher = _measure([predictions[founder]], line["metric"])[0] if has_teacher else None
        values[line["table"], line["row"], line["column"]][line["seed"]] = (line["value"], teacher)
    return values


def _measure(members: list[dict[str, Any]], metric: str) -> list[float]:
    """The value of a run; of several, by the mean of their probabilities and of their logits."""
    if "logits" not in members[0]:
        return [perplexity(members[0][metric.split()[0]])]
    logits, labels = np.stack([member["logits"] for member in members]), members[0]["labels"]
    return [error(logits, labels), error(logits, labels, "logits")]


def _check_tables(results: Path, values: Values, found: Findings) -> None:
    for file in sorted((results / "tables").glob("*.csv")):
        found.tables += 1
        try:
            table = pd.read_csv(file)
        except (OSError, ValueError) as problem:
            found.problems.append(f"{file}: damaged ({problem})")
            continue
        if list(table.columns) != LINE:
            found.problems.append(f"{file}: other columns than a table has")
            continue
        if not values:
            continue
        for line in table.to_dict("records"):
            measured = values.get((line["table"], line["row"], line["column"]), {})
            for what, expected in _summary(line, measured).items():
                if not _same(line[what], expected):
                    found.problems.append(
                        f"{file}: {line['row']}, {line['column']}: {what} is {line[what]}, and"
                        f" cells.csv gives {expected}"
                    )


def _summary(
    line: Mapping[Any, Any], measured: Mapping[int, tuple[float, float | None]]
) -> dict[str, object]:
    """What a line of a table has to hold, by the values of its seeds."""
    if not measured:
        return {"n": 0, "mean": np.nan}
    own = {seed: value for seed, (value, _) in measured.items()}
    level = summarise(list(own.values()))
    expected: dict[str, object] = {
        "n": level.n,
        "mean": level.mean,
        "std": level.std,
        "ci_low": level.low,
        "ci_high": level.high,
    }
    teachers = {seed: teacher for seed, (_, teacher) in measured.items() if teacher is not None}
    if teachers:
        difference = paired_difference(own, teachers)
        expected |= {
            "delta_vs_teacher": difference.mean,
            "delta_ci_low": difference.low,
            "delta_ci_high": difference.high,
            "p_value": difference.p_value,
        }
        if isinstance(line["verdict"], str):
            sides = {verdict(difference.low, difference.high, side) for side in (-1.0, 0.0, 1.0)}
            expected["verdict"] = line["verdict"] if line["verdict"] in sides else min(sides)
    return expected


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, str) or isinstance(found, str):
        return bool(found == expected)
    return bool(np.isclose(found, expected, rtol=1e-5, atol=1e-9, equal_nan=True))
