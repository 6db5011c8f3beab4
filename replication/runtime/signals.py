"""Signals that ask a training to stop: it saves its state and exits so that it is started again.

Schedulers send SIGTERM when they cancel or preempt a job, SIGINT comes from a keyboard, and Slurm
sends SIGUSR1 ahead of a time limit where a job asks for it (``--signal=USR1@60``).
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
"""Exit status of a run that was stopped and can go on: 75, "temporary failure; try again"."""


class Interrupted(Exception):  # noqa: N818 - nothing went wrong
    """A signal has asked the training to stop."""


class SignalHandler:
    """Turns signals into `Interrupted`: at once, or where it is deferred, when it is asked for."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.deferring = False

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        self.before = {n: signal.signal(n, self._handle) for n in SIGNALS if main}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        if not self.deferring:
            raise Interrupted(self.received.name)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, a signal is only noted in ``received``."""
        self.deferring = True
        try:
            yield
        finally:
            self.deferring = False
