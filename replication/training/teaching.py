"""What a student learns from: answers that lie beside its teacher, or the teacher itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from replication.architectures.catalogue import NETWORKS
from replication.config.scale import ImageRecipe, LanguageRecipe
from replication.data.answering import fit
from replication.data.augmentation import count_views
from replication.data.images import ImageData
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runtime import precision
from replication.runtime.precision import Autocast
from replication.training import image_trainer as images
from replication.training import language_trainer as language
from replication.training import teacher_logits as answers
from replication.training.setup import Data, Teacher


def teaching(
    teacher: Teacher, run: Run, data: Data, device: torch.device, autocast: Autocast
) -> nn.Module | answers.TeacherLogits:
    """What a student learns from: the teacher's answers, or where they are too large the teacher.

    Raises:
        InputError: answers or weights are damaged or belong to something else.
    """
    kept = LogitCache(teacher.plan, run, data, teacher.checksum, device)
    if not kept.fit:
        return teacher.network(data, device)
    found = answers.read_or_write(
        kept.file,
        kept.shape,
        kept.identity,
        lambda: kept.in_order(teacher.network(data, device), autocast),
    )
    return found.to(device)


@dataclass(frozen=True)
class LogitCache:
    """Where and in which order the answers lie that ``student`` is teacher_logits by.

    ``checksum`` is that of the teacher's weights, ``device`` the one that answers.
    """

    plan: Plan
    student: Run
    data: Data
    checksum: str
    device: torch.device

    @property
    def recipe(self) -> ImageRecipe | LanguageRecipe:
        """The student's: it says which views and windows it is shown."""
        return self.plan.training(self.student)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Views, samples and classes."""
        if isinstance(self.data, ImageData):
            assert isinstance(self.recipe, ImageRecipe)
            views = count_views(self.recipe.crop_padding, self.recipe.flip)
            return views, len(self.data.train.labels), self.data.classes
        words = len(self.data.train) - len(self.data.train) % self.recipe.batch_size
        return 1, words, len(self.data.vocabulary)

    @property
    def fit(self) -> bool:
        """Whether they are within the scale's limit."""
        return fit(self.shape, self.plan.scale.logit_cache_limit_gib)

    @property
    def file(self) -> Path:
        """Their file, in the teacher's folder."""
        assert self.student.teacher is not None
        folder = self.plan.folder(self.student.teacher)
        if isinstance(self.data, ImageData):
            return answers.path(folder, self.shape[0])
        return answers.path(folder, self.recipe.batch_size, "column")

    @property
    def identity(self) -> answers.Identity:
        """What they belong to."""
        kind = NETWORKS[self.student.network].kind
        used = precision.choose(self.plan.scale, self.device, kind)
        return {"teacher": self.checksum, "data": self.data.fingerprint, "precision": used}

    def in_order(self, network: nn.Module, autocast: Autocast) -> Iterator[Tensor]:
        """The teacher's logits, from its network in evaluation mode."""
        device = next(network.parameters()).device
        if isinstance(self.data, ImageData):
            assert isinstance(self.recipe, ImageRecipe)
            return images.logits_in_order(network, self.data.train, self.recipe, autocast)
        assert isinstance(self.recipe, LanguageRecipe)
        train = self.data.train.to(device)
        return language.logits_in_order(network, train, self.recipe, autocast)


def write_logit_cache(
    plan: Plan,
    run: Run,
    data: Data,
    network: nn.Module,
    checksum: str,
    autocast: Autocast,
    proceed: Callable[[], object],
) -> None:
    """Have a run that will teach leave its answers beside its weights, of which it has the network.

    ``proceed`` is called before each batch, and may raise to stop.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """

    def watched(parts: Iterator[Tensor]) -> Iterator[Tensor]:
        for part in parts:
            proceed()
            yield part

    network.eval()
    device = next(network.parameters()).device
    wanted = [LogitCache(plan, it, data, checksum, device) for it in plan.students(run)]
    for kept in {kept.file: kept for kept in wanted if kept.fit}.values():
        found = answers.compute(kept.shape, watched(kept.in_order(network, autocast)))
        answers.write(kept.file, found, kept.identity)
