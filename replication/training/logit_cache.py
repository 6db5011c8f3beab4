"""Which stored teacher logits a student needs, and how a teacher computes them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from replication.architectures.catalogue import kind_of
from replication.config.scale import ImageRecipe, LanguageRecipe
from replication.data.augmentation import count_views
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
    """The file of the logits that a student learns from, and what it holds."""

    file: Path
    shape: Shape
    identity: Identity
    compute: Callable[[nn.Module, Autocast], Iterator[Tensor]]
    """The logits in order, from the teacher's network in evaluation mode."""


def find_cache(
    plan: Plan, student: Run, data: Data, checksum: str, device: torch.device
) -> LogitCache | None:
    """The cache of a student's teacher; None if it exceeds the limit and the teacher runs live.

    ``checksum`` is that of the teacher's weights, ``device`` the one that computes the logits.
    """
    assert student.teacher is not None
    folder, recipe = plan.folder(student.teacher), plan.training(student)
    compute: Callable[[nn.Module, Autocast], Iterator[Tensor]]
    if isinstance(data, ImageData):
        assert isinstance(recipe, ImageRecipe)
        views = count_views(recipe.crop_padding, recipe.flip)
        shape = views, len(data.train.labels), data.classes
        file = teacher_logits.path(folder, views)
        compute = partial(image_trainer.logits_in_order, data.train, recipe)
    else:
        assert isinstance(recipe, LanguageRecipe)
        words = len(data.train) - len(data.train) % recipe.batch_size
        shape = 1, words, len(data.vocabulary)
        file = teacher_logits.path(folder, recipe.batch_size, "column")
        compute = partial(language_trainer.logits_in_order, data.train, recipe)
    if not teacher_logits.within_limit(shape, plan.scale.logit_cache_limit_gib):
        return None
    precision = choose_precision(plan.scale, device, kind_of(student.network))
    identity = {"teacher": checksum, "data": data.fingerprint, "precision": precision}
    return LogitCache(file, shape, identity, compute)


def load_teacher(
    teacher: Teacher, student: Run, data: Data, device: torch.device, autocast: Autocast
) -> nn.Module | TeacherLogits:
    """What a student learns from: stored logits, or where they are too large the network itself.

    Raises:
        InputError: logits or weights are damaged or belong to something else.
    """
    cache = find_cache(teacher.plan, student, data, teacher.checksum, device)
    if cache is None:
        return teacher.network(data, device)
    if not cache.file.exists():
        parts = cache.compute(teacher.network(data, device), autocast)
        teacher_logits.write(cache.file, teacher_logits.compute(cache.shape, parts), cache.identity)
    return teacher_logits.read(cache.file, cache.shape, cache.identity).to(device)


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

    network.eval()
    device = next(network.parameters()).device
    found = (find_cache(plan, it, data, checksum, device) for it in plan.students(run))
    for cache in {cache.file: cache for cache in found if cache}.values():

        def watched(parts: Iterator[Tensor]) -> Iterator[Tensor]:
            for part in parts:
                before_batch()
                yield part

        logits = teacher_logits.compute(cache.shape, watched(cache.compute(network, autocast)))
        teacher_logits.write(cache.file, logits, cache.identity)
