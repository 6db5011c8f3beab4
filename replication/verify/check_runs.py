"""Checks run folders: each by itself, with its teacher, with the others, and with the plan.

A run's files have the checksums in its record. The record names the run of the folder, the plan's
recipe, and the teachers in whose folders it lies; the result follows from the predictions, and the
history from recipe and result. Runs on the same data have the same labels, and no two are copies.
"""

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open

from replication import files
from replication.analysis.measure import Predictions, measure
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.recipe import hash_recipe, hashed_part
from replication.plan.run import Run
from replication.results.run_folder import CONFIG, FAILURE, HISTORY, MODEL, RECORD, RETRAIN
from replication.results.run_record import (
    LOGITS_SUM,
    learned_from,
    logits_of,
    read_predictions,
    read_record,
)
from replication.verify.copies import (
    ENDS,
    Sample,
    find_copies,
    of_start,
    sample_predictions,
    sample_weights,
)
from replication.verify.findings import (
    CLOSE,
    Findings,
    Records,
    differing_values,
    nested,
    remark_on_differences,
)
from replication.verify.history import history_problems, time_problems
from replication.wording import counted

# What a network stores besides its parameters.
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def check_runs(plan: Plan, findings: Findings) -> Records:
    """Check each run, teachers first; returns the records that can be read."""
    root = plan.results / "runs"
    records: dict[str, dict[str, Any]] = {}
    on_data: dict[str, tuple[str, Predictions]] = {}
    samples: dict[str, dict[str, Sample]] = {"weights": {}, "predictions": {}}
    folders = {file.parent for name in (RECORD, MODEL, FAILURE) for file in root.rglob(name)}
    for folder in sorted(folders):
        findings.runs += 1
        run_id = folder.relative_to(root).as_posix()
        with findings.noting():
            records[run_id] = read_record(folder)
        if (record := records.get(run_id)) is None:
            continue
        for problem in chain(
            _record_problems(run_id, record),
            _lineage_problems(run_id, record, records),
            _file_problems(folder, record),
            time_problems(record),
        ):
            findings.problems.append(f"{folder}: {problem}")
        with findings.noting():
            for problem in history_problems(folder, record):
                findings.problems.append(f"{folder}: {problem}")
        with findings.noting():
            predictions = read_predictions(folder)
            data = str((record["recipe"].get("dataset"), record["recipe"].get("evaluate_on")))
            first, first_predictions = on_data.setdefault(data, (run_id, predictions))
            for problem in chain(
                _result_problems(record, predictions),
                _data_problems(record, predictions, records[first], first_predictions),
            ):
                findings.problems.append(f"{folder}: {problem}")
            samples["predictions"][run_id] = of_start(record, sample_predictions(data, predictions))
        with suppress(OSError, SafetensorError, ValueError):  # reported by its checksum
            samples["weights"][run_id] = of_start(record, sample_weights(folder / MODEL))
        if any(folder.glob("checkpoint*.pt")):
            findings.remarks.append(f"{folder}: the run is finished, but still has a checkpoint")
        findings.remarks += map(str, record.get("warnings", ()))
        if record.get("earlier"):
            findings.remarks.append(f"{folder}: resumed with different threads, versions or device")
        for name in [*record["checksums"], *(file.name for file in _logit_caches(folder))]:
            file = (folder / name).relative_to(plan.results)
            findings.mark(file, "checked against its checksum")
    for what, of_runs in samples.items():
        for copy, other in find_copies(what, of_runs):
            findings.problems.append(
                f"{root / copy}: its {what} are those of {other}, or nearly so"
            )
    _check_plan(plan, records, findings)
    remark_on_differences(_environments(records), findings)
    return records


def _environments(records: Records) -> pd.DataFrame:
    """What made each run, by the columns of ``runs.csv``."""
    return pd.DataFrame(
        [
            {
                **{name: record.get(name) for name in ("precision", "device", "threads")},
                "torch": nested(record, "versions", "torch"),
                "commit": nested(record, "code", "commit"),
                "dirty": bool(nested(record, "code", "dirty")),
            }
            for record in records.values()
        ],
        columns=["precision", "device", "threads", "torch", "commit", "dirty"],
    )


def _check_plan(plan: Plan, records: Records, findings: Findings) -> None:
    """Compare the runs with those of the plan."""
    treatments = {
        tuple(plan.recipe_hash(ancestor) for ancestor in run.with_lineage)
        for run in plan.runs.values()
    }
    others = 0
    for run_id, record in records.items():
        folder = plan.results / "runs" / run_id
        if run := plan.runs.get(run_id):
            for problem in _planned_problems(plan, run, record):
                findings.problems.append(f"{folder}: {problem}")
        elif _treatment(run_id, records) in treatments:
            findings.problems.append(
                f"{folder}: is of a seed that the scale leaves out; add the seed, or delete the run"
            )
        else:
            others += 1
    if others:
        findings.remarks.append(f"{counted(others, 'run')} outside the cells of the scale's tables")


def _planned_problems(plan: Plan, run: Run, record: Mapping[str, Any]) -> Iterator[str]:
    """Compare a record with the run that the plan has in its folder."""
    planned = {
        "dataset.name": run.dataset.name,
        "network.name": run.network,
        "objective": run.objective,
        "seed": run.seed,
        "generation": run.generation,
        "teacher.run": run.teacher.id if run.teacher else None,
    }
    for key, expected in planned.items():
        if (value := nested(record, *key.split("."))) != expected:
            yield f"its {RECORD} has {value} for `{key}`, but the scale has {expected}"
    recipe = hashed_part(json.loads(json.dumps(plan.recipe(run))))
    for key, value, expected in differing_values(hashed_part(record["recipe"]), recipe):
        yield f"its recipe has {value} for `{key}`, but the scale has {expected}"
    if plan.scale.precision not in ("auto", record["precision"]):
        yield f"its precision is {record['precision']}, but the scale's is {plan.scale.precision}"
    folders = [plan.folder(relative) for relative in run.with_lineage[-2:]]
    if run.share_ends and not _same_ends(*(folder / MODEL for folder in folders)):
        yield "its first and last layer are not its teacher's"


def _treatment(run_id: str, records: Records) -> tuple[str, ...]:
    """The recipes of a run's teachers, generation 0 first, and its own: all but the seeds."""
    lineage = [*_teachers(run_id, records), run_id]
    return tuple(str(records[name]["recipe_hash"]) for name in lineage)


def _teachers(run_id: str, records: Records) -> list[str]:
    """The runs in whose folders the folder of a run lies, generation 0 first."""
    outer_folders = [folder.as_posix() for folder in Path(run_id).parents]
    return [name for name in reversed(outer_folders) if name in records]


def _same_ends(teacher: Path, student: Path) -> bool:
    """Whether two files of weights have the same first and last layer."""
    try:
        with safe_open(student, "numpy") as own, safe_open(teacher, "numpy") as other:
            ends = [key for key in own.keys() if key.startswith(ENDS)]  # noqa: SIM118
            return all(np.array_equal(own.get_tensor(key), other.get_tensor(key)) for key in ends)
    except (OSError, SafetensorError):
        return False


def _record_problems(run_id: str, record: Mapping[str, Any]) -> Iterator[str]:
    """Compare a record with the place of its folder, and its fields with each other."""
    if record["run"] != run_id:
        yield f"its {RECORD} belongs to {record['run']}"
    if hash_recipe(record["recipe"]) != record["recipe_hash"]:
        yield f"the recipe in its {RECORD} does not match recipe_hash"
    for key in ("dataset.name", "network.name", "objective"):
        value = nested(record, *key.split("."))
        in_recipe = nested(record["recipe"], *key.split("."))
        # A data set of one's own has no name in the recipe.
        if in_recipe != value and not (key == "dataset.name" and in_recipe is None):
            yield f"its {RECORD} has {value} for `{key}`, but its recipe has {in_recipe}"


def _lineage_problems(run_id: str, record: Mapping[str, Any], records: Records) -> Iterator[str]:
    """Compare a record with those of the teachers in whose folders its folder lies."""
    teachers, parent = _teachers(run_id, records), Path(run_id).parent.as_posix()
    if record["teacher"] is None:
        if teachers:
            yield f"its {RECORD} names no teacher, but its folder is in that of {teachers[-1]}"
        return
    if parent not in records:
        yield "its teacher is missing or cannot be read"
        return
    teacher = records[parent]
    if not learned_from(record, teacher):
        yield "it learned from a teacher other than the one whose folder it is in"
        return
    if nested(record, "teacher", "run") != parent:
        yield f"its {RECORD} names a teacher other than the one whose folder it is in"
    if nested(record, "dataset", "name") != nested(teacher, "dataset", "name"):
        yield "its data set is not its teacher's"
    complete = records[teachers[0]]["teacher"] is None
    lineage = [
        {"run": name, "model_sha256": records[name]["checksums"][MODEL]} for name in teachers
    ]
    if complete and (record.get("lineage"), record.get("generation")) != (lineage, len(teachers)):
        yield f"its {RECORD} has a different lineage from its folder"


def _logit_caches(folder: Path) -> list[Path]:
    """The files of a run's cached logits."""
    return [*folder.glob("teacher_logits.*.safetensors")]


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
            yield f"its weights have {size} parameters, which is not the number in {RECORD}"
    except (OSError, SafetensorError):
        pass  # reported by its checksum
    for file in _logit_caches(folder):
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
        yield f"its result is recorded as {recorded}, but its predictions give {measured}"


def _data_problems(
    record: Mapping[str, Any],
    predictions: Predictions,
    first: Mapping[str, Any],
    first_predictions: Predictions,
) -> Iterator[str]:
    """Compare data and labels with those of the first run on the same data."""
    if any(differing_values(record["dataset"], first["dataset"])):
        yield f"its data are not those of {first['run']}, under the same name"
    if not np.array_equal(predictions.get("labels", ()), first_predictions.get("labels", ())):
        yield f"its labels are not those of {first['run']}"
