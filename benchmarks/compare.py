"""One table: images per second of every contestant on every network, and ratios."""

import statistics
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch

from benchmarks import ours
from benchmarks.cases import Case, Pictures
from benchmarks.contestants import WORKERS, Contestant, Peer, Plain, Task, TimmTask
from benchmarks.figure import SIDE_BY_SIDE
from benchmarks.measure import flops, peak_flops, ratios
from benchmarks.turns import Round, Worker, alternate, environment_of_jobs

PEERS: tuple[type[Peer], ...] = (Plain, TimmTask)
try:
    from benchmarks.torchdistill_loop import TorchDistill
except ImportError:
    print("torchdistill is not installed: left out")
else:
    PEERS = (*PEERS, TorchDistill)


@dataclass(frozen=True)
class Ready:
    """A contestant that can be made in another process."""

    contestant: Callable[[Task], Contestant]
    case: Case
    pictures: Pictures
    device: torch.device
    workers: int = WORKERS

    def __call__(self) -> Contestant:
        """Make it, with new networks."""
        return self.contestant(Task.make(self.case, self.pictures, self.device, self.workers))


class Entry(NamedTuple):
    """How a contestant is made, at which precision, and whether its steps run the teacher.

    ``of_suite``: it is this suite's training, with the environment that the workflow gives its
    jobs.
    """

    make: Ready
    precision: torch.dtype
    asks_teacher: bool
    processes: int = 1
    of_suite: bool = False


@dataclass(frozen=True)
class Line:
    """One contestant on one network.

    ``images_per_second`` is the median of the rounds, ``lowest`` and ``highest`` their range.
    ``ratio`` is the median over rounds of its speed over that of the fastest peer in one round;
    the fastest peer is the one with the highest median in float32. ``peak_share`` is the share, in
    percent, of the best matrix product at its precision that its arithmetic reaches. ``memory`` is
    in MiB.
    """

    network: str
    contestant: str
    images_per_second: float
    lowest: float
    highest: float
    ratio: float
    peak_share: float
    memory: float


def contestants(
    case: Case, pictures: Pictures, device: torch.device, folder: Path
) -> dict[str, Entry]:
    """Everybody, by name, in float32 and at the automatic precision.

    Teacher logits are stored in the folder. Small networks leave a second core idle, so everybody
    trains two of them side by side, and in float32 also one alone. What compiling is worth is
    measured by `benchmarks.ladder`.
    """
    entries = {}
    for precision in ours.formats(device):
        for peer in PEERS:
            make = Ready(partial(peer, precision=precision), case, pictures, device)
            entries[f"{peer.name}, {precision}"] = Entry(make, ours.DTYPES[precision], True)
    for kind in ours.kinds(device):
        make = Ready(partial(ours.Ours, kind=kind, folder=folder), case, pictures, device)
        asks = kind.objective != "label" and not kind.cached
        entries[kind.name] = Entry(make, ours.DTYPES[kind.precision], asks, of_suite=True)
    if case.augmented or device.type != "cpu":
        return entries
    side_by_side = {
        f"{name}{SIDE_BY_SIDE}": entry._replace(make=replace(entry.make, workers=1), processes=2)
        for name, entry in entries.items()
    }
    alone = {name: entry for name, entry in entries.items() if entry.precision == torch.float32}
    return alone | side_by_side


def compare(
    case: Case, pictures: Pictures, device: torch.device, rounds: int, folder: Path
) -> tuple[list[Line], list[Round]]:
    """Measure one network: a line for each contestant, and every round behind it."""
    ours.write_random_logits(case, pictures, folder)
    everybody = contestants(case, pictures, device, folder)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                Worker(
                    name,
                    entry.make,
                    device,
                    case.batch,
                    entry.processes,
                    environment_of_jobs() if entry.of_suite else {},
                )
            )
            for name, entry in everybody.items()
        ]
        measured = alternate(workers, case.steps, rounds)
        memory = {worker.name: worker.memory() for worker in workers}
    peaks = {e.precision: peak_flops(device, e.precision) for e in everybody.values()}
    work = {asks: flops(case, asks) / case.batch for asks in (True, False)}
    speed = {
        name: [r.images_per_second for r in measured if r.contestant == name] for name in everybody
    }
    peers = [
        name
        for name, entry in everybody.items()
        if not entry.of_suite and entry.precision == torch.float32
    ]
    fastest = max(peers, key=lambda name: statistics.median(speed[name]))
    lines = [
        Line(
            network=case.name,
            contestant=name,
            images_per_second=statistics.median(speed[name]),
            lowest=min(speed[name]),
            highest=max(speed[name]),
            ratio=statistics.median(ratios(measured, name, fastest)),
            peak_share=100
            * work[entry.asks_teacher]
            * statistics.median(speed[name])
            / peaks[entry.precision],
            memory=memory[name],
        )
        for name, entry in everybody.items()
    ]
    return lines, measured


def table(lines: Iterable[Line]) -> pd.DataFrame:
    """The lines as a frame, with the columns of `Line`."""
    return pd.DataFrame([asdict(line) for line in lines], columns=list(Line.__annotations__))


def rounds_table(measured: dict[str, list[Round]]) -> pd.DataFrame:
    """Every round of every network."""
    return pd.DataFrame(
        [
            {"network": network, **asdict(each), "images_per_second": each.images_per_second}
            for network, rounds in measured.items()
            for each in rounds
        ]
    )
