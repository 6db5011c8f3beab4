"""Where the speed comes from: the plain loop, changed in one thing after another."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks import ours
from benchmarks.cases import BATCH, CASES, CLASSES, SGD, Pictures
from benchmarks.compare import Ready
from benchmarks.contestants import Plain, Task, timed
from benchmarks.measure import medians, ratios
from benchmarks.turns import race
from replication.data.augmentation import Augmenter, draw_views
from replication.objectives import ban
from replication.runtime.precision import Precision, use

NETWORKS = ("Wide-ResNet-16-1", "DenseNet-BC-3-12")


@dataclass(frozen=True)
class Rung:
    """What has changed so far."""

    name: str
    channels_last: bool = False
    precision: Precision = "float32"
    cached: bool = False
    fused: bool = False
    compiled: bool = False


def rungs(best: Precision) -> list[Rung]:
    """From the plain loop without workers to what the suite does."""
    return [
        Rung("images in memory, a batch cut at once"),
        Rung("channels last", True),
        Rung(f"{best}", True, best),
        Rung("the teacher's answers kept", True, best, True),
        Rung("fused SGD", True, best, True, True),
        Rung("compiled", True, best, True, True, True),
    ]


class Climber:
    """A plain loop at one rung."""

    def __init__(self, task: Task, rung: Rung) -> None:
        self.task, self.rung = task, rung
        self.autocast = use(rung.precision, task.device)
        if rung.channels_last:
            task.student.to(memory_format=torch.channels_last)
            task.teacher.to(memory_format=torch.channels_last)
        task.student.train()
        if rung.compiled:
            task.student.compile(mode="default", dynamic=False)
        self.labels = task.pictures.labels.to(task.device)
        self.augment = Augmenter(
            task.pictures.normalised.to(task.device), ours.RECIPE.crop_padding, ours.RECIPE.flip
        )
        self.generator = torch.Generator().manual_seed(0)
        self.answers = torch.randn(len(self.labels), CLASSES, device=task.device)
        self.optimiser = torch.optim.SGD(task.student.parameters(), **SGD, fused=rung.fused)
        self.batches = self.endless()

    def endless(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Indices and views, without an end."""
        n, device = len(self.labels), self.task.device
        while True:
            order = torch.randperm(n, generator=self.generator).to(device)
            views = draw_views(n, ours.RECIPE.crop_padding, ours.RECIPE.flip, self.generator).to(
                device
            )
            for start in range(0, n - BATCH + 1, BATCH):
                yield order[start : start + BATCH], views[start : start + BATCH]

    def ask(self, network: nn.Module, images: Tensor) -> Tensor:
        """Logits in float32."""
        with self.autocast():
            logits: Tensor = network(images)
        return logits.float()

    def step(self) -> None:
        """One batch."""
        index, views = next(self.batches)
        images = self.augment(index, views)
        if not self.rung.channels_last:
            # With one channel both formats are contiguous; the strides decide.
            images = images.clone(memory_format=torch.contiguous_format)
        with torch.no_grad():
            answered = (
                self.answers[index] if self.rung.cached else self.ask(self.task.teacher, images)
            )
        loss = ban(self.ask(self.task.student, images), self.labels[index], answered)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def seconds(self, steps: int, warm: int) -> float:
        """Time of ``steps`` steps after ``warm`` untimed ones."""
        return timed(self.step, self.task.device, steps, warm)

    def close(self) -> None:
        """Nothing runs beside it."""


def climb(pictures: Pictures, device: torch.device, rounds: int) -> pd.DataFrame:
    """Images per second at every rung, each with all changes above it.

    ``gain`` is the median over rounds of the speed by that of the rung above in the same round.
    """
    rows = []
    for name in NETWORKS:
        case = CASES[name]
        makers: dict[str, Ready] = {Plain.name: Ready(Plain, case, pictures, device)}
        for rung in rungs(ours.automatic(device)):
            makers[rung.name] = Ready(partial(Climber, rung=rung), case, pictures, device)
        measured = race(makers, case.steps, rounds, device)
        below = Plain.name
        for step, speed in medians(measured).items():
            gain = statistics.median(ratios(measured, step, below))
            rows.append({"network": name, "rung": step, "images_per_second": speed, "gain": gain})
            below = step
    return pd.DataFrame(rows)
