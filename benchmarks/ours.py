"""The suite's own training, as a run of a table does it: everything that knows its interface."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Literal

import torch
from torch import nn

from benchmarks.cases import CLASSES, SGD, Case, Pictures
from benchmarks.contestants import Task, synchronise, timed
from replication.config.decisions import Decisions
from replication.config.recipes import ImageRecipe
from replication.data.images import ImageData, Items
from replication.objectives import OBJECTIVES
from replication.plan.plan import Plan
from replication.plan.stored_logits import logit_shape
from replication.runtime.conditions import Precision, choose_precision, configure_precision
from replication.training.image_trainer import ImageTrainer, logits_in_order
from replication.training.logit_cache import LogitCache, cache_file
from replication.training.loop import TrainingContext
from replication.training.teacher_logits import TeacherLogits


def recipe_of(case: Case) -> ImageRecipe:
    """The recipe of a case, without an end."""
    return ImageRecipe(
        epochs=10**6,
        batch_size=case.batch,
        learning_rate=SGD["lr"],
        milestones=(),
        gamma=1.0,
        momentum=SGD["momentum"],
        weight_decay=SGD["weight_decay"],
        crop_padding=case.crop_padding,
        flip=case.augmented,
        evaluate_every=10**6,
    )


MODES = {"": "", "default": ", compiled", "reduce-overhead": ", CUDA graphs"}
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32, "tf32": torch.float32}
# Of the files of teacher logits that this package writes.
IDENTITY = {"teacher": "benchmark"}


@dataclass(frozen=True)
class Kind:
    """One way of the suite to train a student."""

    precision: Precision
    cached: bool = False
    compiled: Literal["", "default", "reduce-overhead"] = ""
    objective: str = "ban"

    @property
    def name(self) -> str:
        """As tables print it."""
        how = "labels" if self.objective == "label" else "cached" if self.cached else "live"
        return f"ours, {how}, {self.precision}{MODES[self.compiled]}"


class Ours:
    """The suite's training, step by step; data stay on the device, as in a run."""

    def __init__(
        self,
        task: Task,
        kind: Kind,
        folder: Path,
        recipe: ImageRecipe | None = None,
        evaluated: int = 1,
    ) -> None:
        recipe = recipe or recipe_of(task.case)
        self.task, self.kind, self.recipe = task, kind, recipe
        self.autocast = configure_precision(kind.precision, task.device)
        data = image_data(task, evaluated)
        setting = TrainingContext(
            "benchmark",
            task.student.to(memory_format=torch.channels_last),
            kind.objective,
            OBJECTIVES[kind.objective],
            self.teacher(folder),
            recipe,
            Decisions(),
            self.autocast,
        )
        if kind.compiled:
            task.student.compile(dynamic=False, mode=kind.compiled)
        self.training = ImageTrainer(setting, data)

    def teacher(self, folder: Path) -> nn.Module | TeacherLogits | None:
        """None, the network, or stored logits on every view of every image."""
        if self.kind.objective == "label":
            return None
        if not self.kind.cached:
            return self.task.teacher.to(memory_format=torch.channels_last)
        shape = logit_shape(self.recipe, (len(self.task.pictures.labels), CLASSES))
        cache = LogitCache(cache_file(folder, shape[0], "view"), shape, IDENTITY)
        return cache.read().to(self.task.device)

    def step(self) -> None:
        """One batch, and the end of an epoch where it is one."""
        if not self.training.step():
            self.training.end_epoch()

    def seconds(self, steps: int, warm: int) -> float:
        """Time of ``steps`` steps after ``warm`` untimed ones."""
        return timed(self.step, self.task.device, steps, warm)

    def close(self) -> None:
        """Nothing runs beside it."""


def image_data(task: Task, evaluated: int = 1) -> ImageData:
    """The images as the suite holds them; the first ones are evaluated, too."""
    pictures = task.pictures
    items = Items(pictures.normalised, pictures.labels)
    first = Items(items.images[:evaluated], items.labels[:evaluated])
    statistics = (pictures.mean,), (pictures.std,)
    return ImageData(items, first, CLASSES, *statistics, "").to(task.device)


def write_random_logits(case: Case, pictures: Pictures, folder: Path) -> None:
    """Write a file of random teacher logits if there is none.

    Reading takes the same time whatever they are; `compute_logits` measures the computation.
    """
    shape = logit_shape(recipe_of(case), (len(pictures.labels), CLASSES))
    cache = LogitCache(cache_file(folder, shape[0], "view"), shape, IDENTITY)
    if not cache.file.exists():
        cache.store(iter(torch.empty(shape, dtype=torch.float16).uniform_(-8, 0)))


def compute_logits(task: Task, kind: Kind, recipe: ImageRecipe, folder: Path) -> float:
    """Seconds to compute a teacher's logits on all views, write them and map the file."""
    shape = logit_shape(recipe, (len(task.pictures.labels), CLASSES))
    cache = LogitCache(cache_file(folder, shape[0], "view"), shape, IDENTITY)
    cache.file.unlink(missing_ok=True)
    train = image_data(task).train
    teacher = task.teacher.to(memory_format=torch.channels_last)
    autocast = configure_precision(kind.precision, task.device)
    synchronise(task.device)
    started = perf_counter()
    cache.store(logits_in_order(train, recipe, teacher, autocast))
    cache.read()
    return perf_counter() - started


def automatic(device: torch.device) -> Precision:
    """What `precision: auto` takes on this device."""
    scale = Plan.read([]).scale.model_copy(update={"precision": "auto"})
    return choose_precision(scale, device, "image")


def formats(device: torch.device) -> list[Precision]:
    """Float32, and the automatic precision if it is a different one."""
    both: tuple[Precision, ...] = ("float32", automatic(device))
    return list(dict.fromkeys(both))


def kinds(device: torch.device) -> list[Kind]:
    """What is compared in each format: a live teacher, a cached one, and training on labels."""
    return [
        kind
        for precision in formats(device)
        for kind in (
            Kind(precision),
            Kind(precision, True),
            Kind(precision, objective="label"),
        )
    ]
