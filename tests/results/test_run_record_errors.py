"""Damaged records and predictions of a run, and outputs that something is in the way of."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.project import (
    STUDENT,
    TABLE,
    TEACHER,
    TRAIN_STUDENT,
    TRAIN_TEACHER,
    Project,
    binary,
    make_folder,
    truncate,
)

Damage = Callable[[Project], object]
LOGITS, LABELS = np.zeros((100, 10), np.float32), np.zeros(100, np.int64)


@pytest.mark.parametrize(
    "damage", [truncate, binary, make_folder], ids=lambda damage: damage.__name__
)
def test_a_damaged_record_is_refused(damage: Callable[[Path], None], project: Project) -> None:
    damage(project.of(TEACHER, "run.json"))
    project.refuses(TRAIN_STUDENT, f"{TEACHER}/run.json: damaged", "delete it")


def test_a_deeply_nested_record_is_refused(project: Project) -> None:
    project.of(TEACHER, "run.json").write_text("[" * 100_000, encoding="utf-8")
    project.refuses(TRAIN_STUDENT, f"{TEACHER}/run.json: damaged", "delete it")


def test_a_missing_record_is_refused(project: Project) -> None:
    project.of(TEACHER, "run.json").unlink()
    # A failure that cannot be read explains nothing.
    binary(project.of(TEACHER, "failed.json"))
    project.refuses(TRAIN_STUDENT, "run.json: no such file", "run snakemake")


RECORDS_REFUSED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "of another version": ({"precision": ...}, ("run.json: lacks precision",)),
    "of another recipe": ({"recipe_hash": "0"}, ("another recipe", "run snakemake")),
    "without a checksum": ({"checksums": {}}, ("`checksums.model.safetensors`",)),
    "without a result": ({"result": {}}, ("`result`",)),
    "with a text for a result": (
        {"result": {"test error (%)": "low"}},
        ("`result.test error (%)`",),
    ),
}


@pytest.mark.parametrize("name", RECORDS_REFUSED)
def test_a_wrong_record_is_refused(name: str, project: Project) -> None:
    keys, says = RECORDS_REFUSED[name]
    project.change_record(TEACHER, **keys)
    project.refuses(TRAIN_STUDENT, TEACHER, *says)


def test_the_record_of_a_student_of_another_teacher_is_refused(project: Project) -> None:
    project.change_record(STUDENT, teacher={"run": TEACHER, "model_sha256": "0"})
    project.refuses(TABLE, STUDENT, "a teacher other than the one", "delete its run.json")


@pytest.mark.parametrize("damage", [truncate, make_folder], ids=lambda damage: damage.__name__)
def test_damaged_predictions_are_refused(damage: Callable[[Path], None], project: Project) -> None:
    damage(project.of(TEACHER, "predictions.safetensors"))
    project.refuses(TABLE, f"{TEACHER}/predictions.safetensors: damaged", "delete it")


def test_predictions_of_another_run_are_refused(project: Project) -> None:
    name = "predictions.safetensors"
    shutil.copy(project.of(STUDENT, name), project.of(TEACHER, name))
    project.refuses(TABLE, f"{name}: the checksum is not the one in run.json", "delete it")


PREDICTIONS_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "other tensors": ({"answers": LOGITS}, "unexpected tensors"),
    "not finite": ({"logits": LOGITS * np.nan, "labels": LABELS}, "not finite"),
    "fewer labels": (
        {"logits": LOGITS, "labels": LABELS[:50]},
        "labels of shape (50,)",
    ),
    "a label beyond the classes": (
        {"logits": LOGITS[:, :5], "labels": LABELS + 9},
        "labels up to 9 for logits of shape (100, 5)",
    ),
}


@pytest.mark.parametrize("name", PREDICTIONS_REFUSED)
def test_wrong_predictions_are_refused(name: str, project: Project) -> None:
    tensors, says = PREDICTIONS_REFUSED[name]
    save_file(
        {key: np.ascontiguousarray(value) for key, value in tensors.items()},
        project.of(TEACHER, "predictions.safetensors"),
    )
    project.update_checksum(TEACHER, "predictions.safetensors")
    project.refuses(TABLE, f"{TEACHER}/predictions.safetensors", says, "delete it")


def replace_by_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file", encoding="utf-8")


IN_THE_WAY: dict[str, tuple[list[str], Damage, tuple[str, ...]]] = {
    "a file in place of the results": (
        TRAIN_TEACHER,
        lambda p: replace_by_file(p / "results"),
        ("results", "cannot be written"),
    ),
    "a folder in place of a table": (
        TABLE,
        lambda p: make_folder(p.results / "tables/small.md"),
        ("tables/small.md: cannot be written",),
    ),
    "a folder in place of the weights": (
        TRAIN_TEACHER,
        lambda p: make_folder(p.of(TEACHER, "model.safetensors")),
        ("model.safetensors: cannot be written",),
    ),
    "a folder in place of the lock": (
        TRAIN_TEACHER,
        lambda p: make_folder(p.of(TEACHER, "train.lock")),
        ("cannot be written", "move away"),
    ),
}


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_an_output_with_something_in_its_place_is_refused(name: str, project: Project) -> None:
    arguments, damage, says = IN_THE_WAY[name]
    damage(project)
    project.refuses(arguments, *says)
