"""Checkpoints that are damaged, or belong to another training."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.project import TEACHER, TRAIN_TEACHER, Project, flip_tensor_bit, make_folder, truncate

from replication.training.checkpoint import CONTENT, _DamagedError, _read

Content = dict[str, Any]

REFUSED: dict[str, tuple[Callable[[Content], object], str]] = {
    "another format": (lambda c: c["identity"].update(format=99), "another format"),
    "another recipe": (lambda c: c["identity"].update(recipe="0"), "another recipe"),
    "another network": (lambda c: c["trainer"]["network"].popitem(), "does not fit"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_checkpoint_of_another_training_is_refused(name: str, project: Project) -> None:
    change, says = REFUSED[name]
    content = torch.load(project / "checkpoints/checkpoint.pt", weights_only=True)
    change(content)
    torch.save(content, project.of(TEACHER, "checkpoint.pt"))
    project.refuses(TRAIN_TEACHER, f"{TEACHER}/checkpoint.pt", says, "delete it")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": truncate,
    "a flipped bit": flip_tensor_bit,
    "another object": lambda file: torch.save([1, 2], file),
    "a folder": make_folder,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_training_resumes_from_the_previous_checkpoint_when_the_last_is_damaged(
    damage: str, project: Project
) -> None:
    weights = project.of(TEACHER, "model.safetensors").read_bytes()
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        shutil.copy(project / "checkpoints" / name, project.of(TEACHER, name))
    DAMAGE[damage](project.of(TEACHER, "checkpoint.pt"))
    status, stderr = project.call(TRAIN_TEACHER)
    assert f"{TEACHER}/checkpoint.pt: damaged (" in stderr
    assert f"{TEACHER}/checkpoint.previous.pt after epoch 1/2" in stderr
    if damage == "a folder":  # which cannot be overwritten
        assert stderr.splitlines()[-1].startswith("error: ")
        assert status == 1
    else:
        assert status == 0
        assert project.of(TEACHER, "model.safetensors").read_bytes() == weights


def test_every_bit_of_a_checkpoint_is_checked(prepared: Path, tmp_path: Path) -> None:
    content = (prepared / "checkpoints/checkpoint.pt").read_bytes()
    positions = np.random.default_rng(0).integers(len(content), size=40)
    file = tmp_path / "flipped.pt"
    for position in [*positions, *range(8), *range(len(content) - 22, len(content))]:
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        file.write_bytes(flipped)
        try:
            checkpoint = _read(file)
        except _DamagedError:
            continue
        # Bits of the zip archive's own bookkeeping, which say nothing of its content.
        assert checkpoint.keys() == {*CONTENT, "conditions"}
