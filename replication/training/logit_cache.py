"""A teacher's logits on everything that a student will see: computed once, stored, and read.

In evaluation mode a teacher's output depends on its input alone, and crops and flips give an image
finitely many views; a language model reads the same words in every epoch. So the logits are
computed when the teacher has been trained, stored beside it, and shared by all its students, which
then never run it. They are half-precision numbers, shifted so that each sample's largest is 0:
objectives use softmax(t), which a shift does not change. Cached logits differ from live ones by up
to 0.008, a relative error of 0.8 % in a probability.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from replication import files
from replication.architectures.catalogue import kind_of
from replication.config.recipes import ImageRecipe, LanguageRecipe
from replication.data.images import ImageData
from replication.data.text import Corpus
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.plan.stored_logits import LogitShape, logit_shape
from replication.results.run_record import LOGITS_OF, LOGITS_SUM, logits_of
from replication.runtime.conditions import Autocast, choose_precision
from replication.training import image_trainer
from replication.training.teacher_logits import TeacherLogits

Data = ImageData | Corpus
RECOMPUTE = "delete it, and the next student writes it again"
"""What to do about a file of logits that is damaged or belongs to something else."""
Identity = dict[str, str]
"""What logits belong to: checksums of the teacher's weights and the training data, and the
precision that they were computed in."""


@dataclass(frozen=True)
class LogitCache:
    """The file of the logits that a student learns from, and what it holds."""

    file: Path
    shape: LogitShape
    identity: Identity

    def store(self, parts: Iterator[Tensor]) -> None:
        """Write the logits, whole or not at all, from parts (b, classes) that arrive in order.

        They are those of the first view of all samples, then of the second, and so on.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        logits = join_logits(self.shape, parts).logits
        # One metadata entry: safetensors would write several in a different order each time.
        digest = hashlib.sha256(logits.contiguous().numpy().data).hexdigest()
        metadata = {LOGITS_OF: json.dumps({**self.identity, LOGITS_SUM: digest})}
        files.write_atomically(
            self.file, lambda part: save_file({"logits": logits}, part, metadata=metadata)
        )

    def read(self) -> TeacherLogits:
        """Map the logits from their file, which is read through once for its checksum.

        Raises:
            InputError: the file is damaged, or belongs to another teacher, other data, or another
                precision.
        """
        try:
            with safe_open(self.file, "pt") as stored:
                belongs_to, logits = logits_of(stored.metadata()), stored.get_tensor("logits")
            intact = belongs_to.pop(LOGITS_SUM, None) == files.payload_checksum(self.file)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{self.file}: damaged ({error}); {RECOMPUTE}") from None
        fits = logits.shape == self.shape and logits.dtype == torch.float16
        if belongs_to != self.identity or not fits:
            raise InputError(
                f"{self.file}: logits of another teacher, on other data or in another precision;"
                f" {RECOMPUTE}"
            )
        if not intact:
            raise InputError(f"{self.file}: damaged (wrong checksum); {RECOMPUTE}")
        return TeacherLogits(logits)


def find_cache(
    plan: Plan, student: Run, data: Data, checksum: str, device: torch.device
) -> LogitCache | None:
    """The cache of a student's teacher; None if it exceeds the limit and the teacher runs live.

    ``checksum`` is that of the teacher's weights, ``device`` the one that computes the logits.
    """
    assert student.teacher is not None
    folder, recipe = plan.folder(student.teacher), plan.training(student)
    if isinstance(data, ImageData):
        assert isinstance(recipe, ImageRecipe)
        size = len(data.train.labels), data.classes
        file = cache_file(folder, recipe.views, "view")
    else:
        assert isinstance(recipe, LanguageRecipe)
        size = len(data.train), len(data.vocabulary)
        file = cache_file(folder, recipe.batch_size, "column")
    shape = logit_shape(recipe, size)
    if not plan.stores_logits_for(student):
        return None
    precision = choose_precision(plan.scale, device, kind_of(student.network))
    identity = {"teacher": checksum, "data": data.fingerprint, "precision": precision}
    return LogitCache(file, shape, identity)


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

    ``checksum`` is that of the weights. ``before_batch`` is called before each batch, and may raise
    to stop.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """

    def watched(parts: Iterator[Tensor]) -> Iterator[Tensor]:
        for part in parts:
            before_batch()
            yield part

    network.eval()
    device = next(network.parameters()).device
    written = set()
    for student in plan.students(run):
        cache = find_cache(plan, student, data, checksum, device)
        if cache and cache.file not in written:
            recipe = plan.training(student)
            cache.store(watched(logits_in_order(network, recipe, data, autocast)))
            written.add(cache.file)


def logits_in_order(
    network: nn.Module, recipe: ImageRecipe | LanguageRecipe, data: Data, autocast: Autocast
) -> Iterator[Tensor]:
    """A teacher's logits (b, classes) on all that a student of this recipe sees, in cached order.

    ``network`` is in evaluation mode.
    """
    if isinstance(data, ImageData):
        assert isinstance(recipe, ImageRecipe)
        return image_trainer.logits_in_order(data.train, recipe, network, autocast)
    from replication.training import language_trainer

    assert isinstance(recipe, LanguageRecipe)
    return language_trainer.logits_in_order(data.train, recipe, network, autocast)


def cache_file(folder: Path, count: int, unit: Literal["view", "column"]) -> Path:
    """The file of a teacher's logits.

    The number of views distinguishes augmentations; the number of columns in which a text is read
    distinguishes the orders of its words.
    """
    return folder / f"teacher_logits.{count}-{unit}{'s' * (count > 1)}.safetensors"


def join_logits(shape: LogitShape, parts: Iterator[Tensor]) -> TeacherLogits:
    """Logits of ``shape`` from parts (b, classes) that arrive in order, view by view."""
    views, samples, classes = shape
    logits = torch.empty((views * samples, classes), dtype=torch.float16)
    start = 0
    for part in parts:
        shifted = part.float() - part.float().amax(-1, keepdim=True)
        logits[start : start + len(part)] = shifted.half()
        start += len(part)
    assert start == len(logits)
    return TeacherLogits(logits.view(shape))
