"""Teachers whose weights or logits are damaged or do not fit."""

from collections.abc import Callable

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.project import (
    TEACHER,
    TRAIN_STUDENT,
    WRONG,
    Project,
    flip_bit,
    make_folder,
    truncate,
)

Damage = Callable[[Project], object]
MODEL, LOGITS = "model.safetensors", "teacher_logits.9-views.safetensors"

WEIGHTS_REFUSED: dict[str, Damage] = {
    "truncated": lambda p: truncate(p.of(TEACHER, MODEL)),
    "missing": lambda p: p.of(TEACHER, MODEL).unlink(),
}


@pytest.mark.parametrize("name", WEIGHTS_REFUSED)
def test_damaged_weights_are_refused(name: str, project: Project) -> None:
    WEIGHTS_REFUSED[name](project)
    project.refuses(TRAIN_STUDENT, MODEL, "delete it")


def with_other_names(project: Project) -> None:
    save_file({"a": np.zeros(3, np.float32)}, project.of(TEACHER, MODEL))


def with_other_shapes(project: Project) -> None:
    file = project.of(TEACHER, MODEL)
    save_file({key: value[None] for key, value in load_file(file).items()}, file)


@pytest.mark.parametrize(
    "change",
    [with_other_names, with_other_shapes],
    ids=["names", "shapes"],
)
def test_weights_that_match_their_checksum_and_no_network_are_refused(
    change: Damage, project: Project
) -> None:
    change(project)
    project.update_checksum(TEACHER, MODEL)
    # Without the logit cache the student loads the teacher itself.
    project.override(logit_cache_limit_gib=0)
    project.refuses([*TRAIN_STUDENT, *WRONG], f"{MODEL}: damaged", "delete it")


LOGITS_REFUSED: dict[str, Damage] = {
    "truncated": lambda p: truncate(p.of(TEACHER, LOGITS)),
    "a folder": lambda p: make_folder(p.of(TEACHER, LOGITS)),
    "other tensors": lambda p: save_file(
        {"answers": np.zeros((100, 10), np.float32)}, p.of(TEACHER, LOGITS)
    ),
    "without metadata": lambda p: save_file(
        load_file(p.of(TEACHER, LOGITS)), p.of(TEACHER, LOGITS)
    ),
    "a flipped bit": lambda p: flip_bit(p.of(TEACHER, LOGITS)),
}


@pytest.mark.parametrize("name", LOGITS_REFUSED)
def test_damaged_teacher_logits_are_refused(name: str, project: Project) -> None:
    LOGITS_REFUSED[name](project)
    project.refuses(TRAIN_STUDENT, LOGITS, "delete it")
