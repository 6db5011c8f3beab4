"""Checks run folders: each by itself, with its teacher, with the others, and with the plan.

A run's files have the checksums in its record. The record names the run of the folder, the plan's
recipe, and the teachers in whose folders it lies; the result follows from the predictions, and the
history from recipe and result. Runs on the same data have the same labels, and no two are copies.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from replication import files
from replication.analysis.measure import Predictions, measure
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.recipe import hash_recipe
from replication.plan.run import network_tag, objective_tag
from replication.results.run_folder import CONFIG, FAILURE, HISTORY, MODEL, RECORD, RETRAIN
from replication.results.run_record import (
    LOGITS_SUM,
    learned_from,
    logits_of,
    read_predictions,
    read_record,
)
from replication.verify.copies import ENDS, Sample, find_copies, sample_predictions, sample_weights
from replication.verify.findings import CLOSE, Findings, Records, differences, nested
from replication.verify.history import history_problems, time_problems

# What a network stores besides its parameters.
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def check_runs(plan: Plan, found: Findings) -> Records:
    """Check each run, teachers first; returns the records that can be read."""
    root = plan.results / "runs"
    records: dict[str, dict[str, Any]] = {}
    on_data: dict[str, tuple[str, Predictions]] = {}
    samples: dict[str, dict[str, Sample]] = {"weights": {}, "predictions": {}}
    folders = {file.parent for name in (RECORD, MODEL, FAILURE) for file in root.rglob(name)}
    for folder in sorted(folders):
        found.runs += 1
        run_id = folder.relative_to(root).as_posix()
        with found.noting():
            records[run_id] = read_record(folder)
        if (record := records.get(run_id)) is None:
            continue
        for problem in chain(
            _record_problems(run_id, record, records),
            _file_problems(folder, record),
            time_problems(record),
        ):
            found.problems.append(f"{folder}: {problem}")
        with found.noting():
            for problem in history_problems(folder, record):
                found.problems.append(f"{folder}: {problem}")
        with found.noting():
            predictions = read_predictions(folder)
            shown = str((record["recipe"].get("dataset"), record["recipe"].get("evaluate_on")))
            first, theirs = on_data.setdefault(shown, (run_id, predictions))
            for problem in chain(
                _result_problems(record, predictions),
                _data_problems(record, predictions, records[first], theirs),
            ):
                found.problems.append(f"{folder}: {problem}")
            samples["predictions"][run_id] = sample_predictions(shown, predictions)
        with suppress(OSError, SafetensorError, ValueError):  # reported by its checksum
            samples["weights"][run_id] = sample_weights(folder / MODEL)
        if any(folder.glob("checkpoint*.pt")):
            found.remarks.append(f"{folder}: the run is finished, but still has a checkpoint")
        if record.get("earlier"):
            found.remarks.append(f"{folder}: resumed with other threads, versions or device")
    for what, of_runs in samples.items():
        for copy, other in find_copies(what, of_runs):
            found.problems.append(f"{root / copy}: its {what} are those of {other}, or nearly so")
    _check_plan(plan, records, found)
    return records


def _check_plan(plan: Plan, records: Records, found: Findings) -> None:
    """Compare the runs with those of the plan."""
    treatments, others = {_treatment(run) for run in plan.runs}, 0
    for run_id, record in records.items():
        folder = plan.results / "runs" / run_id
        if run := plan.runs.get(run_id):
            wanted = json.loads(json.dumps(plan.recipe(run)))
            found.problems += [
                f"{folder}: its recipe has {own} for `{key}`, the scale {it}"
                for key, own, it in differences(record["recipe"], wanted)
            ]
            if plan.scale.precision not in ("auto", record["precision"]):
                found.problems.append(
                    f"{folder}: its precision is {record['precision']}, the scale's"
                    f" {plan.scale.precision}"
                )
            if run.share_ends and not _same_ends(folder / MODEL, folder.parent / MODEL):
                found.problems.append(f"{folder}: its first and last layer are not its teacher's")
        elif _treatment(run_id) in treatments:
            found.problems.append(
                f"{folder}: is of a seed that the scale leaves out; add the seed, or delete the run"
            )
        else:
            others += 1
    if others:
        found.remarks.append(f"{others} runs belong to no cell of the scale's tables")


def _treatment(run_id: str) -> str:
    """A run's id without its seeds."""
    return re.sub(r"\.\d+(?=/|$)", "", run_id)


def _same_ends(file: Path, teacher: Path) -> bool:
    try:
        with safe_open(file, "numpy") as own, safe_open(teacher, "numpy") as theirs:
            ends = [key for key in own.keys() if key.startswith(ENDS)]  # noqa: SIM118
            return all(np.array_equal(own.get_tensor(it), theirs.get_tensor(it)) for it in ends)
    except (OSError, SafetensorError):
        return False


def _record_problems(run_id: str, record: dict[str, Any], records: Records) -> Iterator[str]:
    """Compare a record with the name of its folder and with its teachers."""
    if record["run"] != run_id:
        yield f"its {RECORD} belongs to {record['run']}"
    if hash_recipe(record["recipe"]) != record["recipe_hash"]:
        yield f"the recipe in its {RECORD} does not match recipe_hash"
    dataset, *above, own = run_id.split("/")
    network, _, rest = own.partition(".")
    objective, seed = rest.split(".")[0], rest.rpartition(".")[2]
    # A data set of one's own has no name in the recipe.
    known = "name" in (nested(record, "recipe", "dataset") or {})
    parameters = nested(record, "recipe", "parameters") or {}
    for value, *keys in (
        (dataset, "dataset", "name"),
        *([(dataset, "recipe", "dataset", "name")] if known else []),
        (network, "network", "name"),
        (network, "recipe", "network", "name"),
        (objective, "objective"),
        (objective, "recipe", "objective"),
        (seed, "seed"),
        (str(len(above)), "generation"),
    ):
        written = str(nested(record, *keys))
        tagged = (
            objective_tag(written, parameters) if keys[-1] == "objective" else network_tag(written)
        )
        if tagged != value:
            yield f"its {RECORD} has {written} for `{'.'.join(keys)}`, its folder has {value}"
    if not above:
        if record["teacher"] is not None:
            yield f"its {RECORD} names a teacher, but its folder is in none"
        return
    teachers = ["/".join([dataset, *above[: n + 1]]) for n in range(len(above))]
    if teachers[-1] not in records:
        yield "its teacher is missing or cannot be read"
    elif not learned_from(record, records[teachers[-1]]):
        yield "it learned from another teacher than the one its folder is in"
    elif all(teacher in records for teacher in teachers):
        lineage = [{"run": it, "model_sha256": records[it]["checksums"][MODEL]} for it in teachers]
        if record.get("lineage") != lineage:
            yield f"its {RECORD} has another lineage than its folder"


def _file_problems(folder: Path, record: dict[str, Any]) -> Iterator[str]:
    """Compare the files with the checksums in the record."""
    for name in (HISTORY, CONFIG):
        if (folder / name).exists() and name not in record["checksums"]:
            yield f"its {RECORD} has no checksum of {name}"
    for name, named in record["checksums"].items():
        try:
            if files.checksum(folder / name, RETRAIN) != named:
                yield f"{name} is not the file that {RECORD} names"
        except InputError as problem:
            yield str(problem)
    try:
        with safe_open(folder / MODEL, "numpy") as model:
            names = [key for key in model.keys() if not key.endswith(BUFFERS)]  # noqa: SIM118
            size = sum(math.prod(model.get_slice(name).get_shape()) for name in names)
        if size != record["parameters"]:
            yield f"its weights have {size} parameters, not as many as in {RECORD}"
    except (OSError, SafetensorError):
        pass  # reported by its checksum
    for file in folder.glob("teacher_logits.*.safetensors"):
        try:
            with safe_open(file, "numpy") as stored:
                belongs = logits_of(stored.metadata())
            if belongs.get("teacher") != record["checksums"][MODEL]:
                yield f"{file.name} belongs to other weights"
            elif belongs.get(LOGITS_SUM) != files.payload_checksum(file):
                yield f"{file.name} does not have the checksum in its header"
        except (OSError, SafetensorError) as problem:
            yield f"{file.name} is damaged ({problem})"


def _result_problems(record: dict[str, Any], predictions: Predictions) -> Iterator[str]:
    """Compare the recorded result with that of the predictions."""
    parts = ["validation", "test"]
    if "logits" in predictions:
        parts = ["logits"]
        shape = (nested(record, "dataset", "evaluation"), nested(record, "dataset", "classes"))
        if predictions["logits"].shape != shape:
            yield f"predictions of shape {predictions['logits'].shape} do not fit its data"
            return
    measured = [measure([predictions], part) for part in parts]
    recorded = list(record["result"].values())
    if len(recorded) != len(measured) or not np.allclose(recorded, measured, rtol=CLOSE):
        yield f"its result is recorded as {recorded}, its predictions give {measured}"


def _data_problems(
    record: dict[str, Any], predictions: Predictions, other: Any, theirs: Predictions
) -> Iterator[str]:
    """Compare data and labels with those of the first run on the same data."""
    if any(differences(record["dataset"], other["dataset"])):
        yield f"its data are not those of {other['run']}, under the same name"
    if not np.array_equal(predictions.get("labels", ()), theirs.get("labels", ())):
        yield f"its labels are not those of {other['run']}"
