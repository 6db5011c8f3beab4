"""The suite's own training, as a run of a table does it: everything that knows its interface."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from torch import nn

from benchmarks.cases import BATCH, CLASSES, CROP_PADDING, SGD, Pictures
from benchmarks.contestants import Task, synchronise, timed
from replication.config.scale import Decisions, ImageRecipe
from replication.data.augmentation import count_views
from replication.data.images import ImageData, Items
from replication.plan.plan import Plan
from replication.runtime.precision import Precision, choose_precision, configure_precision
from replication.training import teacher_logits as logits_file
from replication.training.image_trainer import ImageTrainer, logits_in_order
from replication.training.loop import TrainingContext
from replication.training.teacher_logits import TeacherLogits

RECIPE = ImageRecipe(
    epochs=10**6,
    batch_size=BATCH,
    learning_rate=SGD["lr"],
    milestones=(),
    gamma=1.0,
    momentum=SGD["momentum"],
    weight_decay=SGD["weight_decay"],
    crop_padding=CROP_PADDING,
    flip=True,
    evaluate_every=10**6,
)


DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32, "tf32": torch.float32}
# Of the files of teacher logits that this package writes.
IDENTITY = {"teacher": "benchmark"}


@dataclass(frozen=True)
class Kind:
    """One way of the suite to train a student."""

    precision: Precision
    cached: bool = False
    compiled: bool = False
    objective: str = "ban"

    @property
    def name(self) -> str:
        """As tables print it."""
        how = "labels" if self.objective == "label" else "cached" if self.cached else "live"
        return f"ours, {how}, {self.precision}{', compiled' * self.compiled}"


class Ours:
    """The suite's training, step by step; data stay on the device, as in a run."""

    def __init__(self, task: Task, kind: Kind, folder: Path, recipe: ImageRecipe = RECIPE) -> None:
        self.task, self.kind, self.recipe = task, kind, recipe
        self.autocast = configure_precision(kind.precision, task.device)
        data = image_data(task)
        setting = TrainingContext(
            "benchmark",
            task.student.to(memory_format=torch.channels_last),
            kind.objective,
            self.teacher(folder),
            recipe,
            Decisions(),
            self.autocast,
        )
        if kind.compiled:
            task.student.compile(dynamic=False)
        self.training = ImageTrainer(setting, data)

    def teacher(self, folder: Path) -> nn.Module | TeacherLogits | None:
        """None, the network, or stored logits on every view of every image."""
        if self.kind.objective == "label":
            return None
        if not self.kind.cached:
            return self.task.teacher.to(memory_format=torch.channels_last)
        shape = logits_shape(self.task.pictures, self.recipe)
        stored = logits_file.read(logits_file.path(folder, shape[0]), shape, IDENTITY)
        return stored.to(self.task.device)

    def step(self) -> None:
        """One batch, and the end of an epoch where it is one."""
        if not self.training.step():
            self.training.end_epoch()

    def seconds(self, steps: int, warm: int) -> float:
        """Time of ``steps`` steps after ``warm`` untimed ones."""
        return timed(self.step, self.task.device, steps, warm)

    def close(self) -> None:
        """Nothing runs beside it."""


def image_data(task: Task) -> ImageData:
    """The images as the suite holds them, with one to evaluate."""
    pictures = task.pictures
    items = Items(pictures.normalised, pictures.labels)
    one = Items(items.images[:1], items.labels[:1])
    statistics = (pictures.mean,), (pictures.std,)
    return ImageData(items, one, CLASSES, *statistics, "").to(task.device)


def logits_shape(pictures: Pictures, recipe: ImageRecipe) -> tuple[int, int, int]:
    """Views, images and classes."""
    return count_views(recipe.crop_padding, recipe.flip), len(pictures.labels), CLASSES


def write_random_logits(pictures: Pictures, folder: Path) -> None:
    """Write a file of random teacher logits if there is none.

    Reading takes the same time whatever they are; `compute_logits` measures the computation.
    """
    shape = logits_shape(pictures, RECIPE)
    file = logits_file.path(folder, shape[0])
    if not file.exists():
        logits = torch.empty(shape, dtype=torch.float16).uniform_(-8, 0)
        logits_file.write(file, TeacherLogits(logits), IDENTITY)


def compute_logits(task: Task, kind: Kind, recipe: ImageRecipe, folder: Path) -> float:
    """Seconds to compute a teacher's logits on all views, write them and map the file."""
    shape = logits_shape(task.pictures, recipe)
    file = logits_file.path(folder, shape[0])
    file.unlink(missing_ok=True)
    train = image_data(task).train
    teacher = task.teacher.to(memory_format=torch.channels_last)
    autocast = configure_precision(kind.precision, task.device)
    synchronise(task.device)
    started = perf_counter()
    computed = logits_file.compute(shape, logits_in_order(train, recipe, teacher, autocast))
    logits_file.write(file, computed, IDENTITY)
    logits_file.read(file, shape, IDENTITY)
    return perf_counter() - started


def automatic(device: torch.device) -> Precision:
    """What `precision: auto` takes on this device."""
    scale = Plan.read([]).scale.model_copy(update={"precision": "auto"})
    return choose_precision(scale, device, "image")


def kinds(device: torch.device) -> list[Kind]:
    """What is compared: live and cached teacher, in float32 and at the automatic precision."""
    formats = list(dict.fromkeys(["float32", automatic(device)]))
    both = [Kind(format, cached) for format in formats for cached in (False, True)]
    return [*both, Kind(formats[-1], True, True), Kind(formats[-1], objective="label")]
