"""What surrounds a training: its run's lock, signals, device, and the report of a failure."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from replication.config.scale import Scale
from replication.errors import InputError
from replication.files import remove, write_text
from replication.plan.run import Run
from replication.results.run_folder import FAILURE
from replication.runtime.gpu_slots import acquire_device
from replication.runtime.lock import RunLock, RunLockedError, acquire
from replication.runtime.precision import find_device
from replication.runtime.signals import SignalHandler


@dataclass(frozen=True)
class Session:
    """The resources that a training holds while it runs."""

    folder: Path
    device: torch.device
    lock: RunLock
    signals: SignalHandler


@contextmanager
def open_session(scale: Scale, run: Run, folder: Path) -> Iterator[Session]:
    """Handle signals, lock the run's folder, and claim a device, until the training ends.

    A training that fails leaves the reason in ``failed.json`` for the tables to report.

    Raises:
        InputError: another process trains the run, the folder cannot be written, CUDA is requested
            and not available, or the training ran out of memory.
    """
    slots = scale.resources(run.network).gpu_slots
    with (
        SignalHandler() as signals,
        acquire(folder) as lock,
        _failure_recorded(folder),
        _errors_explained(run),
        acquire_device(find_device(scale), slots) as device,
    ):
        yield Session(folder, device, lock, signals)


@contextmanager
def _failure_recorded(folder: Path) -> Iterator[None]:
    remove(folder / FAILURE)
    try:
        yield
    except RunLockedError:
        raise  # the folder belongs to another process
    except InputError as error:
        with suppress(InputError):  # a full disk has no room for this either
            write_text(folder / FAILURE, json.dumps({"reason": str(error)}) + "\n")
        raise


@contextmanager
def _errors_explained(run: Run) -> Iterator[None]:
    """Turn torch's errors about memory and batch size into ones that name the fix."""
    try:
        yield
    except (MemoryError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        full = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if full or "can't allocate memory" in reason:
            raise InputError(
                f"{run.id}: out of memory ({reason}); lower `batch_size` or the network's"
                " `width_ratio` in the scale, or train on a larger machine"
            ) from None
        if "more than 1 value per channel" in reason:
            raise InputError(
                f"{run.id}: a batch of one image is too small for batch normalisation; change"
                " `images.batch_size` or the data set's `train` by one"
            ) from None
        raise
