"""One process trains a run at a time: it holds a lock file in the run's folder.

The file is created exclusively, which also works on network file systems, and its holder touches it
every ten seconds. A dead holder is detected at once on its own machine, by its process id, and from
any other machine after half a minute without a touch.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import LeaseCompromise, SoftFileLease, Timeout

from replication.errors import InputError
from replication.files import remove
from replication.results.run_folder import LOCK
from replication.results.run_status import LEASE

ATTEMPTS = 10


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
def acquire(folder: Path) -> Iterator[RunLock]:
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
        # Left behind by a process that was killed while it wrote.
        remove(*folder.glob(".*.part"))
        yield lock
    finally:
        lease.release()


def _holder(lease: SoftFileLease) -> str:
    owner = lease.owner
    return f"process {owner.pid} on {owner.hostname}" if owner else "another process"
