"""Checks that what a scale asks of an image data set is there, and fits into memory."""

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from replication.data.specs import ImageSpec
from replication.errors import InputError

BYTES = 4
"""Of a pixel of one channel in float32."""
COPIES = 3
"""Training images as they are read, normalised, and padded for random crops."""
LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux says how much memory a container may use: number of bytes, or ``max``."""
NAMED = 5
"""So many classes are named in a message."""


def check_pool(name: str, shape: Sequence[int], pool: int) -> None:
    """Raise InputError if ``pool`` does not divide the sides of (channels, height, width)."""
    _, height, width = shape
    if height % pool or width % pool:
        raise InputError(
            f"{name}: `pool`: {pool} does not divide the sides of {height} × {width} images"
        )


def check_count(name: str, key: str, count: int, total: int) -> None:
    """Raise InputError if a ``key`` asks for more images than the ``total`` that is there."""
    if count > total:
        raise InputError(
            f"{name}: `{key}` asks for {count} images, the data set has {total}; lower it"
        )


def check_classes(name: str, part: str, labels: Tensor, spec: ImageSpec, remedy: str) -> None:
    """Check that a part of a data set has images of every class.

    Args:
        name: of the data set.
        part: what its images are for: ``training``, ``test`` or ``validation``.
        labels: of the images (n,).
        spec: of the data set, which says how many classes there are and may have their names.
        remedy: what to do, for the message.

    Raises:
        InputError: with the names of the classes that have none.
    """
    numbers = torch.bincount(labels, minlength=spec.classes)
    missing = [
        spec.class_names[label] if spec.class_names else str(label)
        for label in (numbers == 0).nonzero().flatten().tolist()
    ]
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise InputError(
            f"{name}: no {part} image of class {', '.join(missing[:NAMED])}{more}; {remedy}"
        )


def check_memory(name: str, shape: Sequence[int], train: int, test: int) -> None:
    """Check that images of this ``shape`` (channels, height, width) can be trained on here.

    Raises:
        InputError: the memory of this machine is less than what they take.
    """
    size = " × ".join(map(str, shape))
    check_bytes(
        f"{name}: {train:,} training and {test:,} test images of {size}",
        BYTES * math.prod(shape) * (COPIES * train + test),
    )


def check_bytes(what: str, needed: int) -> None:
    """Raise InputError if this number of bytes, which ``what`` takes, is not there."""
    memory = memory_bytes()
    if needed > memory:
        raise InputError(
            f"{what} take {_readable(needed)} of memory, this machine has {_readable(memory)}; use"
            " fewer (`train`, `test`) or smaller ones (`pool`)"
        )


def _readable(number: int) -> str:
    return f"{number / 1e9:,.1f} GB" if number >= 1e8 else f"{number / 1e6:,.1f} MB"


def memory_bytes() -> int:
    """Main memory in bytes: the machine's, or less where a container or job has a limit."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in LIMITS:
        with suppress(OSError, ValueError):
            memory = min(memory, int(file.read_text()))
    return memory
