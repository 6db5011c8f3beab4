"""How a command ends early: by an error that the user can correct, or stopped by a signal."""

import os
import signal


class InputError(Exception):
    """A file, key or option that the user can correct; the message is one line: what, and the fix.

    Text quoted from other libraries, files and command lines cannot break the line or send control
    sequences to the terminal.
    """

    def __str__(self) -> str:
        line = " ".join(part for part in super().__str__().splitlines() if part.strip())
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


class Interrupted(Exception):  # noqa: N818 - not an error
    """A signal has stopped the training, which can be resumed."""


STOPPING_SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]
"""The signals that stop a training.

Schedulers send SIGTERM when they cancel or preempt a job, a keyboard sends SIGINT, and Slurm sends
SIGUSR1 ahead of a time limit where a job asks for it (``--signal=USR1@60``). A terminal that is
closed sends SIGHUP, which stops a training unless it was started to survive that, as by ``nohup``.
"""
if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
    STOPPING_SIGNALS.append(signal.SIGHUP)

EXIT_RESUMABLE = os.EX_TEMPFAIL
"""Exit status of a run that was stopped and can be resumed: 75, "temporary failure"."""
