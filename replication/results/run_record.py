"""The record and predictions in a run's folder, read without torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from replication.errors import InputError
from replication.files import JSON_ERRORS
from replication.results.run_folder import FAILURE, MODEL, PREDICTIONS, RECORD, RETRAIN

LOGITS_OF, LOGITS_SUM = "logits_of", "logits_sha256"


class _Teacher(BaseModel):
    run: str
    model_sha256: str


class _Dataset(BaseModel):
    sha256: str


class _Checksums(BaseModel):
    model: str = Field(alias=MODEL)
    predictions: str = Field(alias=PREDICTIONS)


class _Record(BaseModel):
    """The fields of ``run.json`` that other packages read; older files may have fewer."""

    model_config = ConfigDict(strict=True)

    run: str
    recipe: dict[str, Any]
    recipe_hash: str
    teacher: _Teacher | None
    dataset: _Dataset
    precision: str
    parameters: int
    result: Annotated[dict[str, float], Field(min_length=1)]
    checksums: _Checksums


def read_record(folder: Path) -> dict[str, Any]:
    """Read a run's ``run.json``.

    Raises:
        InputError: it is missing, damaged, or another version's; or the run has failed.
    """
    file = folder / RECORD
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; {why_missing(folder)}") from None
    except JSON_ERRORS as error:
        raise InputError(f"{file}: damaged ({error}); {RETRAIN}") from None
    if not isinstance(record, dict):
        raise InputError(f"{file}: damaged (not a JSON object); {RETRAIN}")
    if missing := [key for key in _Record.model_fields if key not in record]:
        raise InputError(
            f"{file}: lacks {', '.join(missing)}, because another version wrote it; {RETRAIN}"
        )
    try:
        _Record.model_validate(record)
    except ValidationError as error:
        details, *_ = error.errors()
        key = ".".join(map(str, details["loc"]))
        raise InputError(f"{file}: damaged (`{key}`: {details['msg']}); {RETRAIN}") from None
    return record


def learned_from(record: Mapping[str, Any], teacher: Mapping[str, Any]) -> bool:
    """Whether a run learned from this teacher, by both their records."""
    named = (record["teacher"] or {}).get("model_sha256")
    return bool(named == teacher["checksums"][MODEL])


def check_teacher(folder: Path, record: Mapping[str, Any], teacher: Mapping[str, Any]) -> None:
    """Check that a run learned from the teacher whose folder it is in, by both their records.

    Raises:
        InputError: it learned from another.
    """
    if not learned_from(record, teacher):
        raise InputError(
            f"{folder}: trained by a teacher other than the one whose folder it is in; delete its"
            f" {RECORD} and run snakemake again"
        )


def logits_of(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """What a file of teacher logits belongs to, by its metadata; nothing where it does not say."""
    try:
        identity = json.loads((metadata or {}).get(LOGITS_OF, ""))
    except ValueError:
        return {}
    return identity if isinstance(identity, dict) else {}


def why_missing(folder: Path) -> str:
    """Why a run has no record: the reason that its training left, or that there was none."""
    try:
        reason = json.loads((folder / FAILURE).read_text(encoding="utf-8"))["reason"]
    except JSON_ERRORS:
        return "the run is not trained: run snakemake"
    return f"the run has failed: {reason}"


def read_predictions(folder: Path) -> dict[str, NDArray[Any]]:
    """Read a run's predictions.

    Image runs hold ``logits`` (n, classes) in float32 and ``labels`` (n,) in int64; language runs
    hold ``validation`` and ``test``, the log-likelihood (n,) of each word in nats.

    Raises:
        InputError: the file is missing, damaged, or holds something else.
    """
    file = folder / PREDICTIONS
    try:
        tensors = load_file(file)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; the run is not trained: run snakemake") from None
    except (*JSON_ERRORS, SafetensorError) as error:
        raise InputError(f"{file}: damaged ({error}); {RETRAIN}") from None
    if set(tensors) not in ({"logits", "labels"}, {"validation", "test"}):
        raise InputError(f"{file}: damaged (unexpected tensors {sorted(tensors)}); {RETRAIN}")
    if problem := _shape_problem(tensors):
        raise InputError(f"{file}: damaged ({problem}); {RETRAIN}")
    if any(len(t) == 0 or not np.isfinite(t).all() for t in tensors.values()):
        raise InputError(f"{file}: empty or not finite; {RETRAIN}")
    return tensors


def _shape_problem(tensors: Mapping[str, NDArray[Any]]) -> str | None:
    for name, tensor in tensors.items():
        kind = "i" if name == "labels" else "f"
        if tensor.ndim != 1 + (name == "logits") or tensor.dtype.kind != kind:
            return f"{name} of shape {tensor.shape} in {tensor.dtype}"
    if "labels" in tensors:
        logits, labels = tensors["logits"], tensors["labels"]
        if len(labels) != len(logits):
            return f"labels of shape {labels.shape} for logits of shape {logits.shape}"
        if len(labels) and not 0 <= labels.min() <= labels.max() < logits.shape[1]:
            return f"labels up to {labels.max()} for logits of shape {logits.shape}"
    return None
