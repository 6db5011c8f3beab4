"""Signals that stop a training: it saves a checkpoint and exits so that it can be resumed.

Schedulers send SIGTERM when they cancel or preempt a job, a keyboard sends SIGINT, and Slurm sends
SIGUSR1 ahead of a time limit where a job asks for it (``--signal=USR1@60``).
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
EXIT_RESUMABLE = os.EX_TEMPFAIL
"""Exit status of a run that was stopped and can be resumed: 75, "temporary failure"."""


class Interrupted(Exception):  # noqa: N818 - not an error
    """A signal has stopped the training."""


class SignalHandler:
    """Raises `Interrupted` when a signal arrives; while deferred, only records the signal."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.deferring = False

    def __enter__(self) -> Self:
        # Only the main thread may set handlers.
        in_main = threading.current_thread() is threading.main_thread()
        self.previous = {n: signal.signal(n, self._handle) for n in SIGNALS if in_main}
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
