"""Imports torch and timm once, and forks a process for each run that asks for one.

A run of a small scale trains for a few seconds, and importing what it needs takes three. While
Snakemake works, one process that has done it stands by; ``replication train`` hands its arguments,
folder, environment and terminal over, and waits for the exit status. Without a server, or where it
cannot be reached (another machine of a cluster), the command does the work itself: the result is
the same, byte for byte.

The server listens on a socket in a folder that only its user can enter, and ends when the process
that started it does.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from replication.runtime.signals import SIGNALS

VARIABLE = "REPLICATION_FORKSERVER"


def start() -> None:
    """Start a server for the processes that this one will start; it ends when this one does."""
    folder = tempfile.mkdtemp(prefix="replication-")
    os.environ[VARIABLE] = str(Path(folder) / "socket")
    # One thread: idle threads of a numerical library would not survive the forks.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.Popen(
        [sys.executable, "-m", "replication.runtime.forkserver"],
        stdin=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )


def serve(path: Path, work: Callable[[Sequence[str]], int]) -> None:
    """Fork a process for each connection, until standard input is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    _child(connection, work)


def _child(connection: socket.socket, work: Callable[[Sequence[str]], int]) -> None:
    """Take over the client's surroundings, work, answer with the exit status; never returns."""
    status: int | None = None
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
        request = json.loads(next(_lines(connection)))
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        connection.sendall(b"%d\n" % os.getpid())
        status = 1
        threading.Thread(target=_end_with, args=[connection], daemon=True).start()
        status = work(request["arguments"])
    except BaseException:
        with contextlib.suppress(OSError):
            traceback.print_exc()
    finally:
        # Neither a client that is gone nor a log on a full disk may let this process go on as a
        # second server. One that has not begun says nothing, and its client does the work itself.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        with contextlib.suppress(OSError):
            if status is not None:
                connection.sendall(b"%d\n" % status)
        os._exit(1 if status is None else status)


def _end_with(connection: socket.socket) -> None:
    """End this process when its client is gone: nobody waits for the run any more."""
    if not connection.recv(1):
        os._exit(1)


def delegate(arguments: Sequence[str]) -> int | None:
    """Have the server do what ``arguments`` say; its exit status, or None where there is none."""
    path = os.environ.get(VARIABLE)
    if not path or not Path(path).exists():
        return None
    request = {
        "arguments": list(arguments),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            socket.send_fds(connection, [b"\n"], [0, 1, 2])
            connection.sendall(json.dumps(request).encode() + b"\n")
            answers = _lines(connection)
            worker = int(next(answers))
        except (OSError, StopIteration):
            return None
        for number in SIGNALS:
            signal.signal(number, lambda signum, frame: os.kill(worker, signum))
        return int(next(answers, 1))


def _lines(connection: socket.socket) -> Iterator[str]:
    with connection.makefile("r") as stream:
        yield from stream


def main() -> None:
    """Import what a run needs, and serve until the process that started this one has ended."""
    import torch._dynamo  # the optimisers import it at their first use

    import replication.training.run  # noqa: F401
    from replication.cli import run_command

    assert torch.get_num_threads() == 1
    path = Path(os.environ.pop(VARIABLE))
    try:
        serve(path, run_command)
    finally:
        shutil.rmtree(path.parent, ignore_errors=True)


if __name__ == "__main__":
    main()
