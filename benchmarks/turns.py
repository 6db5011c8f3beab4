"""Worker processes, one for each contestant, that take turns."""

import multiprocessing
import os
import re
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import torch

from benchmarks.contestants import Contestant
from replication.runtime.allocator import keep_freed_memory


@dataclass(frozen=True)
class Round:
    """One contestant's turn: ``seconds`` for a number of ``images``."""

    contestant: str
    number: int
    images: int
    seconds: float

    @property
    def images_per_second(self) -> float:
        """Images trained on in a second."""
        return self.images / self.seconds


class Worker:
    """A contestant in a process of its own: what one loads or sets does not reach another.

    It waits, without computing, until it is asked for a turn. With several ``processes``, as many
    runs go on side by side and share the cores; ``batch`` is that of one step of one of them.
    ``environment`` is added to that of the processes, and replaces variables of this one.
    ``pinned`` processes each have a core of their own.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Contestant],
        device: torch.device,
        batch: int = 1,
        processes: int = 1,
        environment: Mapping[str, str] = MappingProxyType({}),
        pinned: bool = False,
    ) -> None:
        self.name, self.images = name, batch * processes
        threads = max(1, torch.get_num_threads() // processes)
        context = multiprocessing.get_context("spawn")
        self.connections, self.processes = [], []
        for number in range(processes):
            own, of_worker = context.Pipe()
            arguments = (make, of_worker, device, threads, number if pinned else None)
            # No daemon: those may not have the children that load data.
            process = context.Process(target=_serve, args=arguments, daemon=False)
            with changed_environment(environment):
                process.start()
            of_worker.close()
            self.connections.append(own)
            self.processes.append(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for connection, process in zip(self.connections, self.processes, strict=True):
            connection.close()
            process.join()

    def seconds(self, steps: int, warm: int) -> float:
        """Time of ``steps`` steps after ``warm`` untimed ones; of the slowest process."""
        return max(self._ask((steps, warm)))

    def memory(self) -> float:
        """MiB at its peak so far, of all processes."""
        return sum(self._ask(None))

    def _ask(self, request: tuple[int, int] | None) -> list[float]:
        for connection in self.connections:
            connection.send(request)
        return [float(connection.recv()) for connection in self.connections]


def environment_of_jobs() -> dict[str, str]:
    """What the workflow adds to the environment of its jobs."""
    environment: dict[str, str] = {}
    keep_freed_memory(environment)
    return environment


@contextmanager
def changed_environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Processes that are started meanwhile have these variables."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _serve(
    make: Callable[[], Contestant],
    connection: Connection,
    device: torch.device,
    threads: int,
    core: int | None,
) -> None:
    if core is not None:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[core]})
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = device.type == "cuda"
    # Loaders start their workers as they would anywhere on this system.
    multiprocessing.set_start_method(None, force=True)
    contestant = make()
    try:
        while True:
            request = connection.recv()
            connection.send(
                contestant.seconds(*request) if request is not None else peak_memory(device)
            )
    except EOFError:
        contestant.close()


def alternate(workers: Sequence[Worker], steps: int, rounds: int, warm: int = 2) -> list[Round]:
    """Let each take a turn in every round, with another one first each time.

    What slows the machine for a while then slows neighbours alike, so ratios within a round hold
    where times do not. A first turn, and ``warm`` steps before each other, are not timed.
    """
    for worker in workers:
        worker.seconds(1, warm)
    measured: list[Round] = []
    for number in range(rounds):
        first = number % len(workers)
        for worker in (*workers[first:], *workers[:first]):
            measured.append(
                Round(worker.name, number, steps * worker.images, worker.seconds(steps, warm))
            )
    return measured


def race(
    makers: Mapping[str, Callable[[], Contestant]],
    steps: int,
    rounds: int,
    device: torch.device,
    batch: int,
) -> list[Round]:
    """Start a worker for each, and let them take turns."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(*maker, device, batch)) for maker in makers.items()]
        return alternate(workers, steps, rounds)


def peak_memory(device: torch.device) -> float:
    """MiB: the most that this process has held, and what its workers hold of their own.

    On a CUDA device, the most that was allocated there.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return own + sum(_unshared(child.pid) for child in multiprocessing.active_children())


def _unshared(pid: int | None) -> float:
    """MiB that a process shares with no other, as Linux counts them."""
    counts = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    private = re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", counts, re.M)
    return sum(map(int, private)) / 2**10
