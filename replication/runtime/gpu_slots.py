"""Claims a GPU for a training run; small runs share one by slots.

A GPU has eight slots, and a run takes as many as the scale's `resources` say. Snakemake starts no
more runs than there are slots in total, but does not pick devices. So each run locks slots of one
device, with files of this machine that the operating system unlocks when the process
ends, however it ends. Devices are identified by UUID, because their indices differ between jobs.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from replication.config.job_settings import GPU_SLOTS
from replication.errors import InputError

PAUSE = 1.0
"""Seconds between two attempts to claim a device."""


@contextmanager
def acquire_gpu(slots: int) -> Iterator[torch.device]:
    """Hold ``slots`` of one of the visible GPUs, waiting for them if need be.

    Raises:
        InputError: as `acquire_slots`.
    """
    devices = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    with acquire_slots([str(properties.uuid) for properties in devices], slots) as number:
        torch.cuda.set_device(number)
        yield torch.device("cuda", number)


@contextmanager
def acquire_slots(uuids: Sequence[str], slots: int, folder: Path | None = None) -> Iterator[int]:
    """Hold ``slots`` of one device, waiting for them if need be; yields the device's index.

    A request for more slots than a device has takes all of them. Among devices with room, the
    fullest is taken, so that others stay free for large runs. The lock files' ``folder`` is
    per user and machine.

    Raises:
        InputError: the folder belongs to another user, or cannot be created.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"replication-gpus-{os.getuid()}"
    _make(folder)
    reported = False
    while (claim := _try(uuids, min(slots, GPU_SLOTS), folder)) is None:
        if not reported:
            print(f"waiting for {slots} of {GPU_SLOTS} slots of a GPU", file=sys.stderr)
            reported = True
        time.sleep(PAUSE)
    number, held = claim
    with held:
        yield number


def _try(uuids: Sequence[str], slots: int, folder: Path) -> tuple[int, ExitStack] | None:
    """Lock the slots if a device has room: the device's index, and the stack that unlocks them."""
    # One process at a time: two that probe together would each see slots the other only tries.
    with ExitStack() as probing:
        probing.enter_context(FileLock(folder / "probing.lock"))
        free = {
            number: [lock for lock in _slots(folder, uuid) if _lock(lock, probing)]
            for number, uuid in enumerate(uuids)
        }
        with_room = [number for number in free if len(free[number]) >= slots]
        if not with_room:
            return None
        number = min(with_room, key=lambda number: len(free[number]))
        held = ExitStack()
        for lock in free[number][:slots]:
            # Acquired once more, so that the end of probing leaves it locked.
            held.enter_context(lock)
        return number, held


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        usable = folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        usable = False
    if not usable:
        raise InputError(f"{folder}: cannot hold the lock files of GPUs; remove it, or set TMPDIR")


def _slots(folder: Path, uuid: str) -> list[FileLock]:
    return [FileLock(folder / f"{uuid}.{slot}.lock") for slot in range(GPU_SLOTS)]


def _lock(lock: FileLock, probing: ExitStack) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    probing.callback(lock.release)
    return True
