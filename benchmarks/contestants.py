"""The same student of the same teacher, trained by the loops that people would write for it.

Each reads batches by torchvision's transforms, sample by sample, through a `DataLoader` with two
workers, and computes in float32: what their examples and their users' code do. Two runs side by
side have one worker each. In bfloat16 the forward passes run under PyTorch's autocast, as ours do.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any, ClassVar, Protocol

import torch
from PIL import Image
from timm.task.distillation import LogitDistillationTask
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.cases import SGD, Case, Pictures
from replication.runtime.conditions import Precision, configure_precision

WORKERS = 2
Batch = list[Tensor]


@dataclass(frozen=True)
class Task:
    """A student to train and its teacher, both of one case's network, on one device."""

    case: Case
    pictures: Pictures
    device: torch.device
    student: nn.Module
    teacher: nn.Module
    workers: int = WORKERS

    @classmethod
    def make(
        cls, case: Case, pictures: Pictures, device: torch.device, workers: int = WORKERS
    ) -> "Task":
        """New networks: the same weights for every contestant."""
        teacher = case.build(seed=1).eval().requires_grad_(False)
        student = case.build(seed=0).to(device)
        return cls(case, pictures, device, student, teacher.to(device), workers)


class Contestant(Protocol):
    """One way to train the student."""

    def seconds(self, steps: int, warm: int) -> float:
        """Time of ``steps`` steps, data loading included, after ``warm`` untimed ones."""

    def close(self) -> None:
        """End what runs beside it."""


class Photographs(Dataset[tuple[Any, int]]):
    """The images as a torchvision data set gives them: PIL, then transforms, then a tensor."""

    def __init__(self, pictures: Pictures, case: Case) -> None:
        self.pixels, self.labels = pictures.pixels.numpy(), pictures.labels.tolist()
        augmentation = [
            transforms.RandomCrop(case.side, padding=case.crop_padding),
            transforms.RandomHorizontalFlip(),
        ]
        self.transform = transforms.Compose(
            [
                *(augmentation if case.augmented else []),
                transforms.ToTensor(),
                transforms.Normalize([pictures.mean], [pictures.std]),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


class Peer(ABC):
    """A loop over a `DataLoader`; subclasses say what a step is."""

    name: ClassVar[str]

    def __init__(self, task: Task, precision: Precision = "float32") -> None:
        self.task, self.device = task, task.device
        self.autocast = configure_precision(precision, task.device)
        self.loader = self.load(Photographs(task.pictures, task.case))
        self.batches: Iterator[Batch] = self.endless()
        task.student.train()

    def load(self, photographs: Photographs) -> DataLoader[Any]:
        """The loader, kept over epochs, with whole batches only, so that all steps are as large."""
        return DataLoader(
            photographs,
            self.task.case.batch,
            shuffle=True,
            num_workers=self.task.workers,
            drop_last=True,
            pin_memory=self.device.type == "cuda",
            persistent_workers=True,
        )

    def endless(self) -> Iterator[Batch]:
        """Batches without an end."""
        while True:
            yield from self.loader

    @abstractmethod
    def step(self, images: Tensor, labels: Tensor) -> float:
        """Train on one batch; the loss, which these loops all print."""

    def run(self, steps: int) -> None:
        """Train for this many steps."""
        for images, labels, *_ in islice(self.batches, steps):
            self.step(
                images.to(self.device, non_blocking=True),
                labels.to(self.device, non_blocking=True),
            )

    def seconds(self, steps: int, warm: int) -> float:
        """Time of ``steps`` steps after ``warm`` untimed ones."""
        self.run(warm)
        synchronise(self.device)
        started = perf_counter()
        self.run(steps)
        synchronise(self.device)
        return perf_counter() - started

    def close(self) -> None:
        """End the workers."""
        self.batches = iter(())
        self.loader._iterator = None


class Plain(Peer):
    """PyTorch as the public re-implementations write it: KL divergence of softmax outputs."""

    name = "plain PyTorch loop"

    def __init__(self, task: Task, precision: Precision = "float32") -> None:
        super().__init__(task, precision)
        self.loss = nn.KLDivLoss(reduction="batchmean")
        self.optimiser = torch.optim.SGD(task.student.parameters(), **SGD)
        self.total, self.correct = 0.0, 0

    def step(self, images: Tensor, labels: Tensor) -> float:
        """One batch, with the running loss and accuracy of every such loop."""
        self.optimiser.zero_grad()
        with self.autocast():
            logits = self.task.student(images)
            with torch.no_grad():
                teacher_logits = self.task.teacher(images)
        logits, teacher_logits = logits.float(), teacher_logits.float()
        loss = self.loss(logits.log_softmax(1), teacher_logits.softmax(1))
        loss.backward()
        self.optimiser.step()
        self.total += loss.item()
        self.correct += int((logits.argmax(1) == labels).sum().item())
        return float(loss.item())


class TimmTask(Peer):
    """timm's distillation task in such a loop, with no weight on the labels."""

    name = "timm LogitDistillationTask"

    def __init__(self, task: Task, precision: Precision = "float32") -> None:
        super().__init__(task, precision)
        self.distillation = LogitDistillationTask(
            student_model=task.student,
            teacher_model=task.teacher,
            criterion=nn.CrossEntropyLoss(),
            distill_loss_weight=1.0,
            task_loss_weight=0.0,
            temperature=1.0,
            device=task.device,
            verbose=False,
        ).train()
        self.optimiser = torch.optim.SGD(task.student.parameters(), **SGD)

    def step(self, images: Tensor, labels: Tensor) -> float:
        """One batch."""
        with self.autocast():
            loss = self.distillation(images, labels)["loss"]
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.item())


def synchronise(device: torch.device) -> None:
    """Wait for what a CUDA device has been given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(step: Callable[[], object], device: torch.device, steps: int, warm: int) -> float:
    """Time of ``steps`` steps after ``warm`` untimed ones."""
    for _ in range(warm):
        step()
    synchronise(device)
    started = perf_counter()
    for _ in range(steps):
        step()
    synchronise(device)
    return perf_counter() - started
