"""Optimiser and learning rates: the paper's SGD with steps, or those of timm."""

import math
from collections.abc import Sequence

import torch
from timm.optim._optim_factory import create_optimizer_v2, get_optimizer_info
from torch import nn

from replication.config.recipes import ImageRecipe, LanguageRecipe
from replication.errors import InputError


def learning_rates(
    recipe: ImageRecipe | LanguageRecipe, validation_perplexities: Sequence[float] = ()
) -> list[float]:
    """The learning rate of every epoch, for all optimisers: runs take theirs from this list.

    The rates of images follow from the recipe alone. With ``schedule: step`` the rate is multiplied
    by ``gamma`` after each of the ``milestones``, with ``cosine`` it falls to
    ``minimum_learning_rate`` at the end of the last epoch; in the first ``warmup_epochs`` it rises
    linearly from ``warmup_learning_rate`` instead, as timm's schedulers have it.

    A language model's rate is multiplied by ``decay`` after an epoch whose validation perplexity is
    not lower than that of the epoch before by more than ``minimum_improvement``. So the list ends
    with the epoch after those of the ``validation_perplexities``.
    """
    if isinstance(recipe, LanguageRecipe):
        return _language_rates(recipe, validation_perplexities)
    warm, start, highest = recipe.warmup_epochs, recipe.warmup_learning_rate, recipe.learning_rate
    rates, stepped = [], highest
    for finished in range(recipe.epochs):
        if finished in recipe.milestones:
            stepped *= recipe.gamma
        if finished < warm:
            rates.append(start + finished * ((highest - start) / warm))
        elif recipe.schedule == "cosine":
            fall = 0.5 * (highest - recipe.minimum_learning_rate)
            share = 1 + math.cos(math.pi * finished / recipe.epochs)
            rates.append(recipe.minimum_learning_rate + fall * share)
        else:
            rates.append(stepped)
    return rates


def _language_rates(recipe: LanguageRecipe, perplexities: Sequence[float]) -> list[float]:
    rates, previous = [recipe.learning_rate], math.inf
    for perplexity in perplexities:
        stalled = previous - perplexity <= recipe.minimum_improvement
        rates.append(rates[-1] * (recipe.decay if stalled else 1))
        previous = perplexity
    return rates


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups of parameters.

    Where timm gives a group a share of the rate, as with ``layer_decay``, it keeps that share.
    """
    for group in optimiser.param_groups:
        group["lr"] = rate * group["lr_scale"] if "lr_scale" in group else rate


def make_optimiser(network: nn.Module, recipe: ImageRecipe) -> torch.optim.Optimizer:
    """The optimiser that a recipe asks for, of the parameters that are not frozen.

    Raises:
        InputError: timm has no such optimiser, it does not take its arguments, or all parameters
            are frozen.
    """
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not trainable:
        raise InputError(
            "all parameters of the network are frozen; set requires_grad on those to be trained"
        )
    if recipe.is_the_papers:
        return torch.optim.SGD(
            trainable,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
            fused=True,
        )
    _check_order(recipe.optimizer)
    try:
        return create_optimizer_v2(
            network,
            recipe.optimizer,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            momentum=recipe.momentum,
            **recipe.optimizer_arguments,
        )
    except (AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"`images.optimizer`: timm cannot make {recipe.optimizer} ({reason}); see"
            " timm.optim.list_optimizers() and `optimizer_arguments`"
        ) from None


def _check_order(optimiser: str) -> None:
    """Check that an optimiser of timm needs no more than gradients.

    Raises:
        InputError: it needs second derivatives, for which every step would have to keep its graph.
    """
    # As in timm, a prefix such as lookahead_ wraps the optimiser that is named last.
    name = optimiser.lower().rpartition("_")[2]
    try:
        second_order = get_optimizer_info(name).second_order
    except ValueError:
        return  # reported when it is made
    if second_order:
        raise InputError(
            f"`images.optimizer`: {optimiser} needs second derivatives, which are not computed"
            " here; choose one that needs only gradients, such as adamw"
        )
