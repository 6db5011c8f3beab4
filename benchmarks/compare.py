"""One table: images per second of every contestant on every network, and ratios."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from benchmarks import ours
from benchmarks.cases import BATCH, CASES, Case, Pictures, load_pictures
from benchmarks.contestants import Contestant, Plain, Task, TimmTask
from benchmarks.measure import Round, alternate, flops, peak_flops, peak_memory, ratios
from benchmarks.torchdistill_loop import TorchDistill

PEERS = (Plain, TimmTask, TorchDistill)
Maker = Callable[[Task], Contestant]


@dataclass(frozen=True)
class Line:
    """One contestant on one network.

    ``images_per_second`` is the median of the rounds, ``lowest`` and ``highest`` their range.
    ``ratio`` is the median over rounds of its speed by that of the fastest peer in the same round;
    the fastest peer is the one with the highest median. ``peak_share`` is the share, in percent, of
    the best matrix product at its precision that its arithmetic reaches. ``memory`` is in MiB.
    """

    network: str
    contestant: str
    images_per_second: float
    lowest: float
    highest: float
    ratio: float
    peak_share: float
    memory: float


def contestants(device: torch.device, folder: Path) -> dict[str, Maker]:
    """Everybody, by a name that a second process knows too."""
    makers: dict[str, Maker] = {peer.name: peer for peer in PEERS}
    for kind in ours.kinds(device):
        makers[kind.name] = partial(ours.Ours, kind=kind, folder=folder)
    return makers


def compare(
    case: Case, pictures: Pictures, device: torch.device, rounds: int, folder: Path, data: Path
) -> tuple[list[Line], list[Round]]:
    """Measure one network: a line for each contestant, and every round behind it."""
    everybody = [
        make(Task.make(case, pictures, device)) for make in contestants(device, folder).values()
    ]
    try:
        measured = alternate(everybody, case.steps, rounds)
    finally:
        for contestant in everybody:
            contestant.close()
    peaks = {each.precision: peak_flops(device, each.precision) for each in everybody}
    work = {asks: flops(case, asks) for asks in (True, False)}
    speed = {
        each.name: [r.images_per_second for r in measured if r.contestant == each.name]
        for each in everybody
    }
    fastest = max((peer.name for peer in PEERS), key=lambda name: statistics.median(speed[name]))
    lines = []
    for each in everybody:
        median = statistics.median(speed[each.name])
        operations = work[each.asks_teacher] / BATCH * median
        lines.append(
            Line(
                network=case.name,
                contestant=each.name,
                images_per_second=median,
                lowest=min(speed[each.name]),
                highest=max(speed[each.name]),
                ratio=statistics.median(ratios(measured, each.name, fastest)),
                peak_share=100 * operations / peaks[each.precision],
                memory=memory_elsewhere(case, each.name, device, folder, data),
            )
        )
    return lines, measured


def memory_elsewhere(
    case: Case, contestant: str, device: torch.device, folder: Path, data: Path
) -> float:
    """MiB that a contestant takes at its peak, alone in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", "memory", case.name, contestant, str(folder)]
    done = subprocess.run(
        [*command, "--device", device.type, "--data", str(data)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def memory_here(
    case: str, contestant: str, device: torch.device, folder: Path, data: Path
) -> float:
    """The same, in this process."""
    pictures = load_pictures(data)
    made = contestants(device, folder)[contestant](Task.make(CASES[case], pictures, device))
    made.seconds(2, warm=0)
    found = peak_memory(device)
    made.close()
    return found


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
