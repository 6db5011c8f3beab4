"""Where the speed comes from: the plain loop, changed in one thing after another."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks import ours
from benchmarks.cases import CASES, CLASSES, SGD, Pictures
from benchmarks.compare import Ready
from benchmarks.contestants import Plain, Task, timed
from benchmarks.measure import medians, ratios
from benchmarks.turns import race
from replication.objectives import ban
from replication.runtime.conditions import Precision, configure_precision
from replication.training.image_trainer import Augmenter, draw_views

NETWORKS = ("Wide-ResNet-16-1",)


@dataclass(frozen=True)
class Variant:
    """The changes made so far to the plain loop."""

    name: str
    channels_last: bool = False
    precision: Precision = "float32"
    cached: bool = False
    fused: bool = False
    compiled: bool = False


def variants(best: Precision) -> list[Variant]:
    """From the plain loop without workers to what the suite does."""
    return [
        Variant("images in memory, a batch cut at once"),
        Variant("channels last", True),
        Variant(f"{best}", True, best),
        Variant("cached teacher logits", True, best, True),
        Variant("fused SGD", True, best, True, True),
        Variant("compiled", True, best, True, True, True),
    ]


class VariantLoop:
    """The plain loop with the changes of a variant."""

    def __init__(self, task: Task, variant: Variant) -> None:
        self.task, self.variant = task, variant
        self.autocast = configure_precision(variant.precision, task.device)
        if variant.channels_last:
            task.student.to(memory_format=torch.channels_last)
            task.teacher.to(memory_format=torch.channels_last)
        task.student.train()
        if variant.compiled:
            task.student.compile(dynamic=False)
        self.labels = task.pictures.labels.to(task.device)
        self.recipe = ours.recipe_of(task.case)
        images = task.pictures.normalised.to(task.device)
        self.augment = Augmenter(images, self.recipe.crop_padding, self.recipe.flip)
        self.generator = torch.Generator().manual_seed(0)
        self.cached_logits = torch.randn(len(self.labels), CLASSES, device=task.device)
        self.optimiser = torch.optim.SGD(task.student.parameters(), **SGD, fused=variant.fused)
        self.batches = self.endless()

    def endless(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Indices and views, without an end."""
        n, device, batch = len(self.labels), self.task.device, self.recipe.batch_size
        while True:
            order = torch.randperm(n, generator=self.generator).to(device)
            views = draw_views(n, self.recipe.crop_padding, self.recipe.flip, self.generator)
            views = views.to(device)
            for start in range(0, n - batch + 1, batch):
                yield order[start : start + batch], views[start : start + batch]

    def ask(self, network: nn.Module, images: Tensor) -> Tensor:
        """Logits in float32."""
        with self.autocast():
            logits: Tensor = network(images)
        return logits.float()

    def step(self) -> None:
        """One batch."""
        index, views = next(self.batches)
        images = self.augment(index, views)
        if not self.variant.channels_last:
            # With one channel both formats are contiguous; the strides decide.
            images = images.clone(memory_format=torch.contiguous_format)
        with torch.no_grad():
            teacher_logits = (
                self.cached_logits[index]
                if self.variant.cached
                else self.ask(self.task.teacher, images)
            )
        loss = ban(self.ask(self.task.student, images), self.labels[index], teacher_logits)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def seconds(self, steps: int, warm: int) -> float:
        """Time of ``steps`` steps after ``warm`` untimed ones."""
        return timed(self.step, self.task.device, steps, warm)

    def close(self) -> None:
        """Nothing runs beside it."""


def measure_variants(pictures: Pictures, device: torch.device, rounds: int) -> pd.DataFrame:
    """Images per second of every variant, each with all changes above it.

    ``gain`` is the median over rounds of the speed over that of the variant above, in one round.
    """
    rows = []
    for name in NETWORKS:
        case = CASES[name]
        makers: dict[str, Ready] = {Plain.name: Ready(Plain, case, pictures, device)}
        for variant in variants(ours.automatic(device)):
            makers[variant.name] = Ready(
                partial(VariantLoop, variant=variant), case, pictures, device
            )
        measured = race(makers, case.steps, rounds, device, case.batch)
        below = Plain.name
        for step, speed in medians(measured).items():
            gain = statistics.median(ratios(measured, step, below))
            rows.append({"network": name, "rung": step, "images_per_second": speed, "gain": gain})
            below = step
    return pd.DataFrame(rows)
