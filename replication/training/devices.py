"""Which GPU a training computes on: it claims a device, and small trainings share one by slots.

A GPU has eight slots; how many a training takes is the scale's (`training_takes`). Snakemake lets
no more trainings run than there are slots in all, and knows nothing of devices. So each training
locks slots of one device, by files of this machine that the system unlocks when their process ends,
however it ends. A device goes by its UUID: its number differs between jobs of a cluster.
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

from replication.errors import InputError
from replication.scale import GPU_SLOTS
from replication.training.parallel import ALONE, Group

PAUSE = 1.0
"""Seconds between two looks for a free device."""


@contextmanager
def claimed(device: torch.device, slots: int, group: Group = ALONE) -> Iterator[torch.device]:
    """Hold ``slots`` of one of the visible GPUs, after waiting for them, where the device is CUDA.

    A CPU is given back as it is. Of several processes each has a GPU; the first one of a machine
    holds them all, because processes that wait for each other's would wait for ever.
    """
    if device.type != "cuda":
        yield device
        return
    numbers = torch.zeros(group.size, dtype=torch.int64)
    with ExitStack() as held:
        if group.local_rank == 0:
            properties = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
            uuids = [str(found.uuid) for found in properties]
            mine = held.enter_context(claim(uuids, slots, group.local_size))
            numbers[group.rank : group.rank + group.local_size] = torch.tensor(mine)
        number = int(group.largest(numbers)[group.rank])
        torch.cuda.set_device(number)
        yield torch.device("cuda", number)


@contextmanager
def claim(
    uuids: Sequence[str], slots: int, count: int = 1, folder: Path | None = None
) -> Iterator[tuple[int, ...]]:
    """Hold ``slots`` of each of ``count`` devices, after waiting for them; gives their numbers.

    More slots than a device has are all of them. Of the devices with room the fullest is taken, so
    that others stay whole for whom they are. The locks' ``folder`` is one of the user's on this
    machine.

    Raises:
        InputError: the folder is somebody else's, or cannot be made.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"replication-gpus-{os.getuid()}"
    _make(folder)
    said = False
    while (found := _try(uuids, min(slots, GPU_SLOTS), count, folder)) is None:
        if not said:
            print(f"waiting for {slots} of {GPU_SLOTS} slots on {count} GPU", file=sys.stderr)
            said = True
        time.sleep(PAUSE)
    numbers, held = found
    with held:
        yield numbers


def _try(
    uuids: Sequence[str], slots: int, count: int, folder: Path
) -> tuple[tuple[int, ...], ExitStack] | None:
    """Lock what is asked for, if there is room: the devices' numbers, and what unlocks them."""
    # One at a time: two that look together would each see the slots that the other only tries.
    with ExitStack() as looking:
        looking.enter_context(FileLock(folder / "looking.lock"))
        free = {
            number: [lock for lock in _slots(folder, uuid) if _lock(lock, looking)]
            for number, uuid in enumerate(uuids)
        }
        roomy = sorted((n for n in free if len(free[n]) >= slots), key=lambda n: len(free[n]))
        if len(roomy) < count:
            return None
        numbers, held = tuple(roomy[:count]), ExitStack()
        for lock in (lock for number in numbers for lock in free[number][:slots]):
            # Held once more, so that looking's end leaves it locked.
            held.enter_context(lock)
        return numbers, held


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        own = folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK | os.X_OK)
    except OSError:
        own = False
    if not own:
        raise InputError(
            f"{folder}: cannot hold the locks of GPUs; remove it, or name another folder by TMPDIR"
        )


def _slots(folder: Path, uuid: str) -> list[FileLock]:
    return [FileLock(folder / f"{uuid}.{slot}.lock") for slot in range(GPU_SLOTS)]


def _lock(lock: FileLock, looking: ExitStack) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    looking.callback(lock.release)
    return True
