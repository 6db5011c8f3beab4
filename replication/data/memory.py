"""Whether a data set fits into the memory of this machine.

Importing this module loads no torch, because a plan asks prepared images for their sizes.
"""

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from replication.errors import InputError

BYTES = 4
"""Bytes of one channel of a pixel in float32."""
COPIES = 3
"""Copies of the training images that their preparation holds at once, at most.

They are held in float32 as they were read and as they are normalised; one channel is also held in
double precision while its mean and standard deviation are computed.
"""
LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
"""Where Linux says how much memory a container may use: number of bytes, or ``max``."""


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
    """Raise InputError if this number of bytes, which ``what`` takes, is not available."""
    memory = memory_bytes()
    if needed > memory:
        raise InputError(
            f"{what} take {_readable(needed)} of memory, but this machine has {_readable(memory)};"
            " use fewer (`train`, `test`) or smaller ones (`pool`)"
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
