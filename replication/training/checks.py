"""What a training must not go on with: each stops it with one line that says why."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from replication.config.scale import ImageRecipe, LanguageRecipe
from replication.data.images import ImageData
from replication.errors import InputError
from replication.plan.run import Run
from replication.training.context import EpochMetrics
from replication.training.setup import Data, Teacher

CHANCE_ERRORS = 3.0
"""Standard errors by which a teacher has to be better than guessing."""


class TrainingError(InputError):
    """The training cannot lead to a result: it is stopped and what there is of it kept."""


def finite(run: Run, row: EpochMetrics) -> None:
    """See that an epoch's loss, and its perplexity where it has one, are numbers.

    Raises:
        TrainingError: one is not.
    """
    if not all(math.isfinite(row.get(key) or 0) for key in ("train_loss", "validation_perplexity")):
        raise TrainingError(
            f"{run.id}: the loss is not finite in epoch {row['epoch']}; lower `learning_rate` in"
            " the scale"
        )


def finite_predictions(run: Run, predictions: Mapping[str, Tensor]) -> None:
    """See that predictions are numbers: the last step can wreck what its epoch's loss was good for.

    Raises:
        TrainingError: they are not.
    """
    if not all(tensor.isfinite().all() for tensor in predictions.values()):
        raise TrainingError(
            f"{run.id}: the predictions are not finite after the last step; lower `learning_rate`"
            " in the scale"
        )


def fits(recipe: ImageRecipe | LanguageRecipe, data: Data) -> None:
    """See that a recipe can be followed on the data.

    Raises:
        InputError: crops reach over an image, or the words do not fill a batch.
    """
    if isinstance(data, ImageData):
        assert isinstance(recipe, ImageRecipe)
        height, width = data.train.images.shape[-2:]
        if recipe.crop_padding >= min(height, width):
            raise InputError(
                f"`images.crop_padding`: {recipe.crop_padding} pixels cannot be reflected from"
                f" images of {height} × {width}; take fewer"
            )
    elif recipe.batch_size > len(data.train):
        raise InputError(
            f"`language`: `batch_size`: {recipe.batch_size} columns are not filled by"
            f" {len(data.train)} words; take fewer, or more words"
        )


def same_data(teacher: Teacher, data: Data) -> None:
    """See that a teacher has learned from the data that its student is about to learn from.

    Raises:
        InputError: it has not.
    """
    if teacher.record["dataset"]["sha256"] != data.fingerprint:
        raise InputError(
            f"{teacher.run.id}: was trained on other data than there are now; bring those back, or"
            " delete its folder and call snakemake again"
        )


def better_than_chance(teacher: Teacher, data: Data) -> None:
    """See that a teacher knows something.

    Chance is the most frequent class of the test images, or every word alike.

    Raises:
        TrainingError: its test result is no better than chance.
    """
    (_, result), *_ = teacher.record["result"].items()
    if isinstance(data, ImageData):
        labels = data.evaluation.labels
        right = labels.bincount().max().item() / len(labels)
        spread = math.sqrt(right * (1 - right) / len(labels))
        chance = 100 * (1 - right - CHANCE_ERRORS * spread)
    else:
        chance = float(len(data.vocabulary))
    if not result < chance:  # nor where it is no number
        raise TrainingError(
            f"{teacher.run.id}: no better than guessing ({result:.4g}, where guessing has"
            f" {chance:.4g}), so it cannot teach; mend its recipe, or allow it by"
            " `teacher_at_chance: allow`"
        )


def own_weights(run: Run, student: nn.Module, teacher: Mapping[str, Tensor]) -> None:
    """See that a student is not its teacher over again (Table 5's shared ends apart).

    Raises:
        TrainingError: all its trained parameters are the teacher's.
    """
    own = {name: p for name, p in student.named_parameters() if p.requires_grad}
    if all(
        name in teacher
        and teacher[name].shape == parameter.shape
        and torch.equal(parameter.detach().cpu(), teacher[name])
        for name, parameter in own.items()
    ):
        raise TrainingError(
            f"{run.id}: the student has its teacher's weights; it has to start from its own"
        )


def untouched(run: Run, network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """See that a teacher that ran beside its student has still the weights it was loaded with.

    Raises:
        TrainingError: parameters or running statistics have changed.
    """
    for name, tensor in network.state_dict().items():
        if not torch.equal(tensor.cpu(), weights[name]):
            raise TrainingError(
                f"{run.id}: {name} of its teacher has changed during the training; a teacher has to"
                " stay in evaluation mode"
            )
