"""Starts one training as several processes, which share its batches, and waits for them.

Each is ``replication train RUN`` again, told its place by the variables that torchrun sets, so that
torchrun can start them too. It is not used here: it listens on all of the machine's addresses, it
turns every exit status into 1, and a process that it stops has half a minute to save its state.
These processes meet in a folder that only their user can enter, and listen on the loopback
interface alone.

The first process speaks for all. What another prints is kept back, and shown if that one failed.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from replication import forkserver
from replication.interruption import AGAIN, SIGNALS

RANK = "RANK"
PLACE = (RANK, "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
MEETING = "REPLICATION_MEETING"
"""File in which the processes find one another; not set where torchrun has started them."""
LOST = os.EX_UNAVAILABLE
"""Exit status of a process that could not go on because another of its training had ended."""
GRACE = 30.0
"""Seconds that the others are given to end by themselves when one has failed."""


def launch(arguments: Sequence[str], processes: int) -> int:
    """Train in so many processes by ``replication train`` with these arguments.

    The exit status is that of a single process: 0, 1 after an error, 75 where a signal has stopped
    the training and the same command goes on. No process is left when this one ends, however it
    ends.
    """
    with tempfile.TemporaryDirectory(prefix="replication-") as folder:
        workers = Workers(Path(folder), arguments)
        with workers.forwarded():
            try:
                for rank in range(processes):
                    workers.start(rank, processes)
                workers.wait()
            finally:
                workers.kill()
        return workers.status()


class Workers:
    """The processes of one training, by their ranks, seen from the one that starts them."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        self.folder, self.arguments = folder, arguments
        self.running: list[subprocess.Popen[bytes]] = []
        self.asked: int | None = None
        self.killed: set[int] = set()

    def start(self, rank: int, size: int) -> None:
        """Start a process; it ends when its standard input does, that is with this process."""
        with self._log(rank).open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "replication", "train", *self.arguments],
                env=self._environment(rank, size),
                stdin=subprocess.PIPE,
                stdout=log if rank else None,
                stderr=log if rank else None,
                # What is typed at the terminal to stop them comes once, by way of this process.
                start_new_session=True,
            )
        self.running.append(worker)
        if self.asked is not None:
            worker.send_signal(self.asked)

    def _environment(self, rank: int, size: int) -> dict[str, str]:
        loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
        told = {
            **dict(zip(PLACE, (rank, size, rank, size), strict=True)),
            MEETING: self.folder / "meeting",
            "GLOO_SOCKET_IFNAME": loopback,
            "NCCL_SOCKET_IFNAME": loopback,
        }
        # Each imports torch itself, because none of them may be a fork of one that has used a GPU.
        own = {key: value for key, value in os.environ.items() if key != forkserver.VARIABLE}
        return own | {key: str(value) for key, value in told.items()}

    def _log(self, rank: int) -> Path:
        return self.folder / f"{rank}.log"

    @contextlib.contextmanager
    def forwarded(self) -> Iterator[None]:
        """Within, a signal that asks to stop goes to every process instead."""

        def forward(number: int, frame: FrameType | None) -> None:
            self.asked = number
            for worker in self.running:
                worker.send_signal(number)

        before = {number: signal.signal(number, forward) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait(self) -> None:
        """Wait until all have ended; when one has failed, the others for a moment only."""
        limit = None
        while None in (ended := [worker.poll() for worker in self.running]):
            if limit is None and any(ended):
                limit = time.monotonic() + GRACE
            if limit is not None and time.monotonic() > limit:
                return
            time.sleep(0.1)

    def kill(self) -> None:
        """End those that are left."""
        for rank, worker in enumerate(self.running):
            if worker.poll() is None:
                self.killed.add(rank)
                worker.kill()
            worker.wait()
            assert worker.stdin
            worker.stdin.close()

    def status(self) -> int:
        """The exit status of all together; prints what the one that failed has not shown."""
        failed = {
            rank: worker.returncode
            for rank, worker in enumerate(self.running)
            if worker.returncode and rank not in self.killed
        }
        own = {rank: status for rank, status in failed.items() if status != LOST}
        stopped = {AGAIN, *(-number for number in SIGNALS if self.asked)}
        if failed and set(own.values()) <= stopped and (own or self.asked):
            return AGAIN
        if own:
            self._show(
                *min((rank, status) for rank, status in own.items() if status not in stopped)
            )
        return 1 if failed else 0

    def _show(self, rank: int, status: int) -> None:
        if rank and status > 0:
            sys.stderr.write(self._log(rank).read_text(encoding="utf-8", errors="replace"))
        elif status < 0:
            print(
                f"error: process {rank} of the training was ended by"
                f" {signal.Signals(-status).name}; the same command goes on from the last saved"
                " state",
                file=sys.stderr,
            )


def end_with_the_launcher() -> None:
    """Have this process end when the one that has launched it is gone, if one has."""

    def watch(meeting: str) -> None:
        # Not by sys.stdin, whose lock a thread may not hold when Python ends.
        os.read(0, 1)
        shutil.rmtree(Path(meeting).parent, ignore_errors=True)
        os._exit(1)

    if meeting := os.environ.get(MEETING):
        threading.Thread(target=watch, args=[meeting], daemon=True).start()
