"""What a training holds while it runs: the lock of its folder, signal handlers, a device.

One process trains a run at a time: it holds a lock file in the run's folder. The file is created
exclusively, which also works on network file systems, and its holder touches it every ten seconds.
A dead holder is detected at once on its own machine, by its process id, and from any other machine
after half a minute without a touch.
"""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import torch
from filelock import LeaseCompromise, SoftFileLease, Timeout

from replication.config.scale import Scale
from replication.errors import STOPPING_SIGNALS, InputError, Interrupted
from replication.files import remove, write_text
from replication.plan.run import Run
from replication.results.run_folder import FAILURE, LOCK
from replication.results.run_status import LEASE
from replication.runtime.conditions import find_device

ATTEMPTS = 10
"""How often a lock is looked at before it counts as lost, a tenth of a second apart."""


class RunLockedError(InputError):
    """Another process is training this run."""


class RunLock:
    """A run's lock while it is held; ``lost`` is the reason if another process has taken it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lost: str | None = None
        self.lease = SoftFileLease(
            str(folder / LOCK), lease_duration=LEASE, on_compromise=self._note, is_singleton=False
        )

    def _note(self, compromise: LeaseCompromise) -> None:
        self.lost = compromise.reason

    def verify(self) -> None:
        """Check the lock file itself; call this before writing to the folder.

        Raises:
            RunLockedError: another process has taken the run over, after this one was suspended.
        """
        # A process that checks whether this one is alive moves the lock file away for a moment.
        for _ in range(ATTEMPTS):
            if self.lost or self._is_ours():
                break
            time.sleep(0.1)
        else:
            self.lost = "held by another process"
        self.raise_if_lost()

    def raise_if_lost(self) -> None:
        """Check what the heartbeat thread has noticed so far, which costs a step nothing.

        Raises:
            RunLockedError: as `verify`.
        """
        if self.lost:
            raise RunLockedError(
                f"{self.folder}: this process was suspended and lost {LOCK} ({self.lost}); it stops"
                " without writing, because another process may be training the run"
            )

    def _is_ours(self) -> bool:
        owner = self.lease.owner
        return owner is not None and owner.token == self.lease.token


@contextmanager
def acquire_lock(folder: Path) -> Iterator[RunLock]:
    """Hold the lock of a run's folder, which is created if necessary.

    Raises:
        RunLockedError: another process holds it; the message says which.
        InputError: the folder cannot be written.
    """
    lock = RunLock(folder)
    lease = lock.lease
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lease.acquire(timeout=0)
        except Timeout:
            # Only its next touch tells whether a process on another machine is alive.
            print(
                f"{folder}: locked by {_holder(lease)}; checking that it is alive", file=sys.stderr
            )
            lease.acquire(timeout=1.2 * LEASE, poll_interval=LEASE / 60)
    except Timeout:
        raise RunLockedError(
            f"{folder}: {_holder(lease)} is training this run; let it finish, or stop it and try"
            " again"
        ) from None
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); free disk space, give write"
            " permission, or move away what is in its place"
        ) from None
    try:
        # Left behind by a process that was killed while it wrote: only the holder writes here.
        remove(*folder.glob(".*.part"))
        yield lock
    finally:
        lease.release()


def _holder(lease: SoftFileLease) -> str:
    owner = lease.owner
    return f"process {owner.pid} on {owner.hostname}" if owner else "another process"


class SignalHandler:
    """Raises `Interrupted` when a signal arrives; while deferred, only records the signal."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.deferring = False

    def __enter__(self) -> Self:
        # Only the main thread may set handlers.
        in_main = threading.current_thread() is threading.main_thread()
        self.previous = {
            number: signal.signal(number, self._handle) for number in STOPPING_SIGNALS if in_main
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        if not self.deferring:
            raise Interrupted(self.received.name)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within this context, a signal is only recorded in ``received``."""
        self.deferring = True
        try:
            yield
        finally:
            self.deferring = False


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
    with (
        SignalHandler() as signals,
        acquire_lock(folder) as lock,
        _failure_recorded(folder),
        errors_explained(run.id),
        _device_held(scale, run) as device,
    ):
        yield Session(folder, device, lock, signals)


@contextmanager
def _device_held(scale: Scale, run: Run) -> Iterator[torch.device]:
    """The scale's device; of a GPU, as many slots as the run's network needs."""
    device = find_device(scale)
    if device.type != "cuda":
        yield device
        return
    from replication.runtime.gpu_slots import acquire_gpu

    with acquire_gpu(scale.resources(run.network).gpu_slots) as gpu:
        yield gpu


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
def errors_explained(training: str) -> Iterator[None]:
    """Turn torch's errors about memory and batch size into ones that name the fix.

    ``training`` is what the message calls the training: the id of its run.

    Raises:
        InputError: memory ran out, or a batch has a single image and the network normalises over
            the batch.
    """
    try:
        yield
    except (MemoryError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        full = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if full or "can't allocate memory" in reason:
            raise InputError(
                f"{training}: out of memory ({reason}); lower `batch_size`, use a smaller network"
                " (in a scale: a smaller `width_ratio`), or train on a larger machine"
            ) from None
        if "more than 1 value per channel" in reason:
            raise InputError(
                f"{training}: the last batch of an epoch has one image, too few for batch"
                " normalisation; change `batch_size`, or the number of training images, by one"
            ) from None
        raise
