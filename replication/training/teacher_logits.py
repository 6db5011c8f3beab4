"""A teacher's logits on everything that a student will see, computed once and stored.

In evaluation mode a teacher's output depends on its input alone, and crops and flips give an image
finitely many views; a language model reads the same words in every epoch. So the logits are
computed when the teacher has been trained, stored beside it, and shared by all its students, which
then never run it. They are half-precision numbers, shifted so that each sample's largest is 0:
objectives use softmax(t), which a shift does not change. Cached logits differ from live ones by up
to 0.008, a relative error of 0.8 % in a probability.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from replication import files
from replication.errors import InputError
from replication.results.run_record import LOGITS_OF, LOGITS_SUM, logits_of

DELETE = "delete it, and the next student writes it again"
BYTES = 2

Shape = tuple[int, int, int]
"""Views, samples, classes."""
Identity = dict[str, str]
"""What logits belong to: checksums of the teacher's weights and the training data, and the
precision that they were computed in."""


@dataclass(frozen=True)
class TeacherLogits:
    """Logits (views, samples, classes) in float16, each sample's largest 0."""

    logits: Tensor

    def __call__(self, index: Tensor | slice, views: Tensor | int = 0) -> Tensor:
        """The logits on samples ``index`` (b,) in their ``views`` (b,): (b, classes), float32.

        They are on the device of ``index``; a slice names consecutive samples.
        """
        found = (
            self.logits[views, index] if isinstance(index, slice) else self._gather(index, views)
        )
        return found.float()

    def _gather(self, index: Tensor, views: Tensor | int) -> Tensor:
        if index.device == self.logits.device:
            return self.logits[views, index]
        # Too large for the device, they stay memory-mapped from the file.
        views = views.to("cpu") if isinstance(views, Tensor) else views
        return self.logits[views, index.to("cpu")].to(index.device)

    def to(self, device: torch.device) -> "TeacherLogits":
        """The logits on a device that has room for them, else as they are."""
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if self.logits.nbytes > free // 4:
                return self
        return TeacherLogits(self.logits.to(device))


def within_limit(shape: Shape, limit_gib: float) -> bool:
    """Whether logits of this shape are no larger than the limit."""
    return BYTES * math.prod(shape) <= limit_gib * 2**30


def path(folder: Path, n: int, of: Literal["view", "column"] = "view") -> Path:
    """The file of a teacher's logits.

    The number of views distinguishes augmentations; the number of columns in which a text is read
    distinguishes the orders of its words.
    """
    return folder / f"teacher_logits.{n}-{of}{'s' * (n > 1)}.safetensors"


def compute(shape: Shape, parts: Iterator[Tensor]) -> TeacherLogits:
    """Logits of ``shape`` from parts (n, classes) that arrive in order, view by view."""
    views, samples, classes = shape
    logits = torch.empty((views * samples, classes), dtype=torch.float16)
    start = 0
    for part in parts:
        shifted = part.float() - part.float().amax(-1, keepdim=True)
        logits[start : start + len(part)] = shifted.half()
        start += len(part)
    assert start == len(logits)
    return TeacherLogits(logits.view(shape))


def write(file: Path, teacher_logits: TeacherLogits, identity: Identity) -> None:
    """Write logits whole or not at all.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    # One metadata entry: safetensors would write several in a different order each time.
    digest = hashlib.sha256(teacher_logits.logits.contiguous().numpy().data).hexdigest()
    metadata = {LOGITS_OF: json.dumps({**identity, LOGITS_SUM: digest})}
    tensors = {"logits": teacher_logits.logits}
    files.write_atomically(file, lambda part: save_file(tensors, part, metadata=metadata))


def read(file: Path, shape: Shape, identity: Identity) -> TeacherLogits:
    """Map a teacher's logits from their file, which is read through once for its checksum.

    Raises:
        InputError: the file is damaged, or belongs to another teacher, other data, or another
            precision.
    """
    try:
        with safe_open(file, "pt") as stored:
            found, logits = logits_of(stored.metadata()), stored.get_tensor("logits")
        intact = found.pop(LOGITS_SUM, None) == files.payload_checksum(file)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{file}: damaged ({error}); {DELETE}") from None
    if found != identity or logits.shape != shape or logits.dtype != torch.float16:
        raise InputError(
            f"{file}: logits of another teacher, on other data or in another precision; {DELETE}"
        )
    if not intact:
        raise InputError(f"{file}: damaged (wrong checksum); {DELETE}")
    return TeacherLogits(logits)
