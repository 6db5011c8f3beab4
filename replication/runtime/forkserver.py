"""A process that imports torch once and forks a worker for each command sent to it.

A run of a small scale trains for a few seconds, and its imports take three. While Snakemake works
locally, it keeps one such process (`replication.worker`). ``replication --worker SOCKET train ...``
sends its arguments, working directory, environment and standard streams there, and waits for the
exit status. If the process cannot be reached (on another machine of a cluster), the command does
the work itself; the result is the same, byte for byte.

The socket is in a folder that only its user can enter, and the process ends with its parent.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from replication.errors import STOPPING_SIGNALS

OPTION = "--worker"
LONGEST_PATH = 100
"""Bytes of a socket's path; systems allow 103 or 107."""
SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - for folders with random names
"""Where a socket can be if the folder of temporary files is unsuitable."""


class ForkServer:
    """The server of one Snakemake process; its text is the option that sends a command there."""

    def __init__(self) -> None:
        self.socket: Path | None = None

    def start(self) -> None:
        """Start the server; it ends when this process does.

        Where there is no folder for its socket, commands do their work themselves, which a line on
        standard error says.
        """
        self.socket = make_socket_path()
        if self.socket is None:
            print(
                "note: no folder for a socket, so every job imports torch for itself, which takes"
                " seconds; set TMPDIR to a writable folder with a short path",
                file=sys.stderr,
            )
            return
        subprocess.Popen(
            [sys.executable, "-m", "replication.worker", str(self.socket)],
            stdin=subprocess.PIPE,
            # One thread: the idle threads of a numerical library do not survive a fork.
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )

    def __str__(self) -> str:
        return f"{OPTION} {self.socket}" if self.socket else ""


def make_socket_path() -> Path | None:
    """The path of a socket in a new folder that only its user can enter; None if there is none.

    Where the folder of temporary files has a path that is too long for a socket, another one is
    taken.
    """
    places = [tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR"), *SHORT_FOLDERS]
    for place in filter(None, places):
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix="replication-", dir=place))
            path = folder / "socket"
            if len(os.fsencode(path)) <= LONGEST_PATH and _takes_sockets(path):
                return path
            folder.rmdir()
    return None


def _takes_sockets(path: Path) -> bool:
    """Whether the file system takes sockets, which not every shared one does."""
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.bind(str(path))
        except OSError:
            return False
    path.unlink()
    return True


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
                    _work(connection, work)


def _work(connection: socket.socket, work: Callable[[Sequence[str]], int]) -> None:
    """Take over the client's environment, work, send the exit status; never returns."""
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
        # Whatever fails here, this process must not carry on as a second server. One that has not
        # started its work sends nothing, and the client does the work itself.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        with contextlib.suppress(OSError):
            if status is not None:
                connection.sendall(b"%d\n" % status)
        os._exit(1 if status is None else status)


def _end_with(connection: socket.socket) -> None:
    """End this process when its client has gone."""
    if not connection.recv(1):
        os._exit(1)


def delegate(path: Path, arguments: Sequence[str]) -> int | None:
    """Have the server run a command; its exit status, or None if the server cannot be reached."""
    request = {
        "arguments": list(arguments),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
            socket.send_fds(connection, [b"\n"], [0, 1, 2])
            connection.sendall(json.dumps(request).encode() + b"\n")
            replies = _lines(connection)
            worker = int(next(replies))
        except (OSError, StopIteration):
            return None
        for number in STOPPING_SIGNALS:
            signal.signal(number, lambda received, frame: os.kill(worker, received))
        return int(next(replies, 1))


def _lines(connection: socket.socket) -> Iterator[str]:
    with connection.makefile("r") as stream:
        yield from stream
