"""A teacher's answers: its logits on everything that a student will be shown, computed once.

In evaluation mode a teacher's output depends on its input alone, and crops and flips give an image
finitely many views; a language model reads the same words in every epoch. So the answers are
computed when the teacher has been trained, kept in a file beside it, and shared by all its
students, who then never run it. They are half-precision numbers, shifted so that the largest of
each is 0: objectives see softmax(t), which a shift leaves as it is, and so the probabilities keep
three digits or more. Where the answers would be larger than the scale's limit, the teacher runs
live.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from replication import files
from replication.errors import InputError
from replication.runs import record as runs

DELETE = "delete it: the next student has it written anew"


@dataclass(frozen=True)
class TeacherLogits:
    """Logits (views, samples, classes) in float16, each sample's largest 0."""

    logits: Tensor

    def __call__(self, index: Tensor | slice, views: Tensor | int = 0) -> Tensor:
        """The answers on samples ``index`` (b,) in their ``views`` (b,): (b, classes), float32.

        They come to the device of ``index``; a slice names consecutive samples.
        """
        found = (
            self.logits[views, index] if isinstance(index, slice) else self._gather(index, views)
        )
        return found.float()

    def _gather(self, index: Tensor, views: Tensor | int) -> Tensor:
        if index.device == self.logits.device:
            return self.logits[views, index]
        # Too large for the device, the answers stay mapped from the file.
        views = views.to("cpu") if isinstance(views, Tensor) else views
        return self.logits[views, index.to("cpu")].to(index.device)

    def to(self, device: torch.device) -> "TeacherLogits":
        """The answers on a device that has room for them, else as they are."""
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if self.logits.nbytes > free // 4:
                return self
        return TeacherLogits(self.logits.to(device))


Identity = dict[str, str]
"""What answers belong to: the teacher's weights and the training data, by their checksums, and the
precision that they were computed in."""


def path(folder: Path, n: int, of: Literal["view", "column"] = "view") -> Path:
    """The file of a teacher's answers.

    The number of views tells one augmentation from another, and that of the columns in which a text
    is read one order of words from another.
    """
    return folder / f"teacher_logits.{n}-{of}{'s' * (n > 1)}.safetensors"


def compute(shape: tuple[int, int, int], parts: Iterator[Tensor]) -> TeacherLogits:
    """TeacherLogits of ``shape`` from logits (n, classes) that come in their order, view by view."""
    views, samples, classes = shape
    logits = torch.empty((views * samples, classes), dtype=torch.float16)
    start = 0
    for part in parts:
        shifted = part.float() - part.float().amax(-1, keepdim=True)
        logits[start : start + len(part)] = shifted.half()
        start += len(part)
    assert start == len(logits)
    return TeacherLogits(logits.view(shape))


def write(file: Path, answers: TeacherLogits, identity: Identity) -> None:
    """Write answers whole or not at all.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    # In one entry: safetensors would put several into another order each time.
    digest = hashlib.sha256(answers.logits.contiguous().numpy().data).hexdigest()
    metadata = {runs.LOGITS_OF: json.dumps({**identity, runs.LOGITS_SUM: digest})}
    files.write_atomically(
        file, lambda part: save_file({"logits": answers.logits}, part, metadata=metadata)
    )


def read(file: Path, shape: tuple[int, int, int], identity: Identity) -> TeacherLogits:
    """Map a teacher's answers from their file, which is read through once for its checksum.

    Raises:
        InputError: the file is damaged, or holds answers of another teacher, to other data, or in
            another precision.
    """
    try:
        with safe_open(file, "pt") as stored:
            found, logits = runs.logits_of(stored.metadata()), stored.get_tensor("logits")
        intact = found.pop(runs.LOGITS_SUM, None) == files.payload_checksum(file)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{file}: damaged ({error}); {DELETE}") from None
    if found != identity or logits.shape != shape or logits.dtype != torch.float16:
        raise InputError(
            f"{file}: answers of another teacher, to other data or in another precision; {DELETE}"
        )
    if not intact:
        raise InputError(f"{file}: damaged (not the numbers that it was written with); {DELETE}")
    return TeacherLogits(logits)


def read_or_write(
    file: Path,
    shape: tuple[int, int, int],
    identity: Identity,
    parts: Callable[[], Iterator[Tensor]],
) -> TeacherLogits:
    """The answers in the file, which is written first where there is none.

    Raises:
        InputError: as `read` and `write`.
    """
    if not file.exists():
        write(file, compute(shape, parts()), identity)
    return read(file, shape, identity)
