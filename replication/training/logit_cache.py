"""Which stored teacher logits a student needs, and how a teacher computes them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from replication.architectures.catalogue import NETWORKS
from replication.config.scale import ImageRecipe, LanguageRecipe
from replication.data.answering import count_views
from replication.data.images import ImageData
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runtime.precision import Autocast, choose_precision
from replication.training import image_trainer, language_trainer, teacher_logits
from replication.training.setup import Data
from replication.training.teacher import Teacher
from replication.training.teacher_logits import Identity, Shape, TeacherLogits


@dataclass(frozen=True)
class LogitCache:
    """The file of the logits that ``student`` learns from.

    ``checksum`` is that of the teacher's weights, ``device`` the one that computes the logits.
    """

    plan: Plan
    student: Run
    data: Data
    checksum: str
    device: torch.device

    @property
    def recipe(self) -> ImageRecipe | LanguageRecipe:
        """The student's recipe, which determines the views and windows that it sees."""
        return self.plan.training(self.student)

    @property
    def shape(self) -> Shape:
        """Views, samples and classes."""
        if isinstance(self.data, ImageData):
            assert isinstance(self.recipe, ImageRecipe)
            return count_views(self.recipe), len(self.data.train.labels), self.data.classes
        words = len(self.data.train) - len(self.data.train) % self.recipe.batch_size
        return 1, words, len(self.data.vocabulary)

    @property
    def within_limit(self) -> bool:
        """Whether the logits are within the scale's limit; otherwise the teacher runs live."""
        return teacher_logits.within_limit(self.shape, self.plan.scale.logit_cache_limit_gib)

    @property
    def file(self) -> Path:
        """Their file, in the teacher's folder."""
        assert self.student.teacher is not None
        folder = self.plan.folder(self.student.teacher)
        if isinstance(self.data, ImageData):
            return teacher_logits.path(folder, self.shape[0])
        return teacher_logits.path(folder, self.recipe.batch_size, "column")

    @property
    def identity(self) -> Identity:
        """What they belong to."""
        kind = NETWORKS[self.student.network].kind
        precision = choose_precision(self.plan.scale, self.device, kind)
        return {"teacher": self.checksum, "data": self.data.fingerprint, "precision": precision}

    def compute(self, network: nn.Module, autocast: Autocast) -> Iterator[Tensor]:
        """The logits in order, from the teacher's network in evaluation mode."""
        device = next(network.parameters()).device
        if isinstance(self.data, ImageData):
            assert isinstance(self.recipe, ImageRecipe)
            return image_trainer.logits_in_order(network, self.data.train, self.recipe, autocast)
        assert isinstance(self.recipe, LanguageRecipe)
        train = self.data.train.to(device)
        return language_trainer.logits_in_order(network, train, self.recipe, autocast)


def load_teacher(
    teacher: Teacher, student: Run, data: Data, device: torch.device, autocast: Autocast
) -> nn.Module | TeacherLogits:
    """What a student learns from: stored logits, or where they are too large the network itself.

    Raises:
        InputError: logits or weights are damaged or belong to something else.
    """
    cache = LogitCache(teacher.plan, student, data, teacher.checksum, device)
    if not cache.within_limit:
        return teacher.network(data, device)
    found = teacher_logits.read_or_write(
        cache.file,
        cache.shape,
        cache.identity,
        lambda: cache.compute(teacher.network(data, device), autocast),
    )
    return found.to(device)


def write_logit_caches(
    plan: Plan,
    run: Run,
    data: Data,
    network: nn.Module,
    checksum: str,
    autocast: Autocast,
    before_batch: Callable[[], object],
) -> None:
    """Store the logits that the students of a trained run will need beside its weights.

    ``before_batch`` is called before each batch, and may raise to stop.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """

    def watched(parts: Iterator[Tensor]) -> Iterator[Tensor]:
        for part in parts:
            before_batch()
            yield part

    network.eval()
    device = next(network.parameters()).device
    caches = [LogitCache(plan, it, data, checksum, device) for it in plan.students(run)]
    for cache in {cache.file: cache for cache in caches if cache.within_limit}.values():
        found = teacher_logits.compute(cache.shape, watched(cache.compute(network, autocast)))
        teacher_logits.write(cache.file, found, cache.identity)
