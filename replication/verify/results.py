"""Checks a scale's results, from whoever they come: do they follow from each other?

Nothing but the files of ``results/<scale>`` is needed: no plan, no scale file, no training data.
A run's files are those that its record names; its record is of the run that its folder is named
for, with the recipe that its hash says, from the teachers it lies in; its result follows from its
predictions; each number of ``cells.csv`` follows from the predictions of the runs it names; and
each line of the tables follows from ``cells.csv`` (`verified_cells`, `verified_tables`). The
paper's numbers and the claims are checked where ``tables/`` is at hand.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from replication import files
from replication.analysis.measure import error, perplexity
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.plan.plan import hash_recipe
from replication.runs import record as runs
from replication.verify.cells import CLOSE, check_cells
from replication.verify.findings import Findings, Records, within
from replication.verify.tables import check_claims, check_tables

STATES = ("checkpoint.pt", "checkpoint.previous.pt")
ALIKE = {
    "precision": ("precision",),
    "device": ("device",),
    "threads": ("threads",),
    "torch": ("versions", "torch"),
    "commit of the code": ("code", "commit"),
}
# What a network keeps beside its parameters.
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def verify(results: Path, tables: Path = TABLES) -> Findings:
    """Check a folder ``results/<scale>``, and against ``tables`` where it has them.

    Raises:
        InputError: it is no such folder, or ``tables`` are wrong.
    """
    if not (results / "runs").is_dir():
        raise InputError(f"{results}: no results: there is no folder runs in it; name another")
    found = Findings()
    records = _check_runs(results / "runs", found)
    _remark_on_mixtures(records, found)
    if (results / "cells.csv").exists():
        cells, values = check_cells(results, records, found)
        check_tables(results, tables, cells, values, found)
        check_claims(results, tables, cells, found)
    else:
        found.remarks.append(f"{results / 'cells.csv'}: not there, so no table could be checked")
    return found


def _check_runs(root: Path, found: Findings) -> Records:
    """Each run by itself and with its teacher, teachers first; the records that can be read."""
    records: dict[str, dict[str, Any]] = {}
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
        problems = (
            *_record_problems(run_id, record, records),
            *_file_problems(folder, record),
            *_result_problems(folder, record),
        )
        found.problems += [f"{folder}: {problem}" for problem in problems]
        recipe = record["recipe"]
        shown = str((recipe.get("dataset"), recipe.get("evaluate_on")))
        first = data[shown].setdefault(record["dataset"]["sha256"], run_id)
        if len(data[shown]) > 1 and first == run_id:
            found.problems.append(
                f"{folder}: its data are not those of {next(iter(data[shown].values()))}, though"
                " both name them alike"
            )
        if any((folder / name).exists() for name in STATES):
            found.remarks.append(f"{folder}: a saved state lies beside the finished run")
        if record.get("earlier"):
            found.remarks.append(f"{folder}: went on under other threads, versions or device")
    return records


def _record_problems(run_id: str, record: dict[str, Any], records: Records) -> Iterator[str]:
    """Whether a record is of the run that its folder is named for, and of its teachers."""
    if record["run"] != run_id:
        yield f"its {runs.RECORD} is of {record['run']}"
    if hash_recipe(record["recipe"]) != record["recipe_hash"]:
        yield f"the recipe in its {runs.RECORD} is not the one whose hash stands there"
    dataset, *above, own = run_id.split("/")
    network, _, rest = own.partition(".")
    objective, seed = rest.split(".")[0], rest.rpartition(".")[2]
    for value, *keys in (
        (dataset, "dataset", "name"),
        (dataset, "recipe", "dataset", "name"),
        (network, "network", "name"),
        (network, "recipe", "network", "name"),
        (objective, "objective"),
        (objective, "recipe", "objective"),
        (seed, "seed"),
        (str(len(above)), "generation"),
    ):
        if str(written := within(record, *keys)) != value:
            yield f"its {runs.RECORD} has {written} for `{'.'.join(keys)}`, and its name {value}"
    if not above:
        if record["teacher"] is not None:
            yield f"its {runs.RECORD} names a teacher, and it lies in none"
        return
    teachers = ["/".join([dataset, *above[: n + 1]]) for n in range(len(above))]
    if teachers[-1] not in records:
        yield "its teacher is not there, or cannot be read"
    elif not runs.learned_from(record, records[teachers[-1]]):
        yield "it learned from another teacher than the one it lies in"
    elif all(teacher in records for teacher in teachers):
        lineage = [
            {"run": it, "model_sha256": records[it]["checksums"][runs.MODEL]} for it in teachers
        ]
        if record.get("lineage") != lineage:
            yield f"its {runs.RECORD} has another lineage than the one it lies in"


def _file_problems(folder: Path, record: dict[str, Any]) -> Iterator[str]:
    """Whether the files are those that the record names."""
    for name in (runs.HISTORY, runs.CONFIG):
        if (folder / name).exists() and name not in record["checksums"]:
            yield f"its {runs.RECORD} has no checksum of {name}"
    for name, named in record["checksums"].items():
        try:
            if files.checksum(folder / name) != named:
                yield f"{name} is not the file that {runs.RECORD} names"
        except InputError as problem:
            yield str(problem)
    try:
        with safe_open(folder / runs.MODEL, "numpy") as model:
            sizes = [
                int(np.prod(model.get_slice(key).get_shape()))
                for key in model.keys()  # noqa: SIM118
                if not key.endswith(BUFFERS)
            ]
        if sum(sizes) != record["parameters"]:
            yield f"its weights have {sum(sizes)} parameters, and {runs.RECORD} says otherwise"
    except (OSError, SafetensorError):
        pass  # its checksum has said so
    for file in folder.glob("teacher_logits.*.safetensors"):
        try:
            with safe_open(file, "numpy") as stored:
                answers = runs.logits_of(stored.metadata())
            if answers.get("teacher") != record["checksums"][runs.MODEL]:
                yield f"{file.name} are the answers of other weights"
            elif answers.get(runs.LOGITS_SUM) != files.payload_checksum(file):
                yield f"{file.name} has other numbers than it was written with"
        except (OSError, SafetensorError) as problem:
            yield f"{file.name} is damaged ({problem})"


def _result_problems(folder: Path, record: dict[str, Any]) -> Iterator[str]:
    """Whether the result that is recorded is the one in the predictions."""
    try:
        predictions = runs.read_predictions(folder)
    except InputError as problem:
        yield str(problem)
        return
    if "logits" in predictions:
        shape = (within(record, "dataset", "evaluation"), within(record, "dataset", "classes"))
        if predictions["logits"].shape != shape:
            yield f"predictions of shape {predictions['logits'].shape} are not of its data"
            return
        measured = [error(predictions["logits"][None], predictions["labels"])]
    else:
        measured = [perplexity(predictions[part]) for part in ("validation", "test")]
    recorded = list(record["result"].values())
    if len(recorded) != len(measured) or not np.allclose(recorded, measured, rtol=CLOSE):
        yield f"its result is recorded as {recorded}, and its predictions give {measured}"


def _remark_on_mixtures(records: Records, found: Findings) -> None:
    for what, keys in ALIKE.items():
        count: dict[str, int] = defaultdict(int)
        for record in records.values():
            count[str(within(record, *keys))] += 1
        if len(count) > 1:
            parts = ", ".join(f"{n} with {value}" for value, n in count.items())
            found.remarks.append(f"runs differ in {what}: {parts}")
    dirty = sum(bool(within(record, "code", "dirty")) for record in records.values())
    if dirty:
        found.remarks.append(f"{dirty} runs were trained by code that no commit holds")
