"""Optimiser and schedule of image networks: the paper's SGD, or those of timm."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from timm.optim._optim_factory import create_optimizer_v2
from timm.scheduler.scheduler_factory import create_scheduler_v2
from torch import nn

from replication.config.scale import ImageRecipe
from replication.errors import InputError

SCHEDULES = {"step": "multistep", "cosine": "cosine"}


class Optimisation(NamedTuple):
    """An optimiser, its schedule, and what ends an epoch, given how many are finished."""

    optimiser: torch.optim.Optimizer
    schedule: Any
    end_epoch: Callable[[int], object]


def make_optimisation(network: nn.Module, recipe: ImageRecipe) -> Optimisation:
    """What a recipe asks for, for the parameters that are not frozen.

    Raises:
        InputError: timm has no such optimiser, or it does not take its arguments.
    """
    if not recipe.is_the_papers:
        return _timms(network, recipe)
    optimiser = torch.optim.SGD(
        [parameter for parameter in network.parameters() if parameter.requires_grad],
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    )
    milestones = list(recipe.milestones)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones, gamma=recipe.gamma)
    return Optimisation(optimiser, schedule, lambda finished: schedule.step())


def _timms(network: nn.Module, recipe: ImageRecipe) -> Optimisation:
    try:
        optimiser = create_optimizer_v2(
            network,
            recipe.optimizer,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            momentum=recipe.momentum,
            **recipe.optimizer_arguments,
        )
    except (AssertionError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"`images.optimizer`: timm cannot make {recipe.optimizer} ({reason}); see"
            " timm.optim.list_optimizers() and `optimizer_arguments`"
        ) from None
    schedule, _ = create_scheduler_v2(
        optimiser,
        SCHEDULES[recipe.schedule],
        num_epochs=recipe.epochs,
        decay_milestones=list(recipe.milestones),
        decay_rate=recipe.gamma,
        warmup_epochs=recipe.warmup_epochs,
        warmup_lr=recipe.warmup_learning_rate,
        min_lr=recipe.minimum_learning_rate,
    )
    assert schedule is not None
    return Optimisation(optimiser, schedule, schedule.step)
