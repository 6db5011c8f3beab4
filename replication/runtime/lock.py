"""One writer: a run's folder is occupied while it is trained.

The lock is a file that is created exclusively, which holds over network file systems too, and that
its holder touches every ten seconds. A holder that has died is recognised on its own machine by its
process, at once, and from any other by half a minute without a touch.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import LeaseCompromise as Loss
from filelock import SoftFileLease, Timeout

from replication import files
from replication.errors import InputError
from replication.runs.folder import LOCK
from replication.runs.status import LEASE

LOOKS = 10


class RunLockedError(InputError):
    """Another process is training this run."""


class RunLock:
    """A folder's lock while it is held; ``lost`` says how it went, if it did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lost: str | None = None
        self.lease = SoftFileLease(
            str(folder / LOCK), lease_duration=LEASE, on_compromise=self._note, is_singleton=False
        )

    def _note(self, loss: Loss) -> None:
        self.lost = loss.reason

    def check(self) -> None:
        """See that the folder is still ours, by the lock itself: call it before writing there.

        Raises:
            RunLockedError: another process has taken it over, after this one stood still for too long.
        """
        # Whoever looks whether this process is alive puts its lock aside for a moment.
        for _ in range(LOOKS):
            if self.lost or self._is_ours():
                break
            time.sleep(0.1)
        else:
            self.lost = "another process's"
        self.look()

    def look(self) -> None:
        """The same, by what the lock's checkpointer has noticed so far: it costs a step nothing.

        Raises:
            RunLockedError: as `check`.
        """
        if self.lost:
            raise RunLockedError(
                f"{self.folder}: this process stood still, and another may have taken the run over"
                f" ({LOCK}: {self.lost}); it stops without writing. Let the other one finish"
            )

    def _is_ours(self) -> bool:
        owner = self.lease.owner
        return owner is not None and owner.token == self.lease.token


@contextmanager
def acquire(folder: Path) -> Iterator[RunLock]:
    """Hold a run's folder, which is made if need be.

    Raises:
        RunLockedError: another process holds it; the message says which.
        InputError: the folder cannot be written.
    """
    run_lock = RunLock(folder)
    lease = run_lock.lease
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lease.acquire(timeout=0)
        except Timeout:
            # Whether a process of another machine is alive, only its next touch tells.
            print(f"{folder}: waiting for {_holder(lease)} to show a sign of life", file=sys.stderr)
            lease.acquire(timeout=1.2 * LEASE, poll_interval=LEASE / 60)
    except Timeout:
        raise RunLockedError(
            f"{folder}: {_holder(lease)} is training this run; let it finish, or stop it and call"
            " again"
        ) from None
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); make room, give write permission, or"
            " move away what is in its place"
        ) from None
    try:
        # What a process left that was killed while it wrote: nobody else writes here now.
        files.remove(*folder.glob(".*.part"))
        yield run_lock
    finally:
        lease.release()


def _holder(lease: SoftFileLease) -> str:
    owner = lease.owner
    return f"process {owner.pid} on {owner.hostname}" if owner else "another process"
