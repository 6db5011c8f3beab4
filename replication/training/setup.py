"""A run's data and network, and the check that its recipe fits the data."""

import difflib
from typing import Any

import timm
import torch
from torch import nn

import replication.networks  # noqa: F401 - registers the networks with timm
from replication.architectures.catalogue import TIMM
from replication.config.scale import ImageRecipe, LanguageRecipe
from replication.data.images import ImageData
from replication.data.prepare import load
from replication.data.text import Corpus
from replication.errors import InputError
from replication.networks.language import create_language_model
from replication.plan.plan import Plan
from replication.plan.run import Run

Data = ImageData | Corpus


def load_data(plan: Plan, run: Run, device: torch.device) -> Data:
    """The data set of a run; images on the device.

    Raises:
        InputError: files are missing or damaged, or the recipe does not fit the data.
    """
    scale, dataset = plan.scale, run.dataset
    data = load(dataset.name, scale.data_root, dataset.sizes, scale.evaluate_on)
    if isinstance(data, ImageData):
        data = data.to(device)
    _check_recipe(plan.training(run), data)
    return data


def network_arguments(plan: Plan, run: Run, data: Data) -> dict[str, Any]:
    """The keyword arguments that the run's network is built with."""
    options: dict[str, Any] = plan.recipe(run)["network"]["options"]
    if isinstance(data, ImageData):
        return {"num_classes": data.classes, "in_chans": data.channels, **options}
    return options


def build_network(plan: Plan, run: Run, data: Data, device: torch.device) -> nn.Module:
    """A run's network with new weights, drawn from torch's global generator."""
    arguments = network_arguments(plan, run, data)
    if isinstance(data, ImageData):
        own = run.network.startswith(f"{TIMM}:")
        network: nn.Module = (
            _create(run.network.removeprefix(f"{TIMM}:"), data, arguments)
            if own
            else timm.create_model(run.network, **arguments)
        )
        return network.to(device).to(memory_format=torch.channels_last)
    return create_language_model(run.network, data.vocabulary, **arguments).to(device)


def _create(name: str, data: ImageData, arguments: dict[str, Any]) -> nn.Module:
    """A network of timm, tried on one image."""
    try:
        network: nn.Module = timm.create_model(name, **arguments)
        with torch.no_grad():
            logits = network.eval()(data.train.images[:1].cpu())
        if logits.shape != (1, data.classes):
            raise ValueError(f"it gives {tuple(logits.shape)} for one image")
    except Exception as error:
        if not timm.is_model(name):
            close = ", ".join(difflib.get_close_matches(name, timm.list_models(), 3))
            hint = f"did you mean {close}?" if close else "see timm.list_models()"
            raise InputError(f"timm has no network `{name}`; {hint}") from None
        height, width = data.train.images.shape[-2:]
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"timm's `{name}` cannot classify images of {data.channels} × {height} × {width}"
            f" ({reason}); change its `arguments`"
        ) from None
    return network.train()


def _check_recipe(recipe: ImageRecipe | LanguageRecipe, data: Data) -> None:
    if isinstance(data, ImageData):
        assert isinstance(recipe, ImageRecipe)
        height, width = data.train.images.shape[-2:]
        if recipe.crop_padding >= min(height, width):
            raise InputError(
                f"`images.crop_padding`: {recipe.crop_padding} pixels cannot be reflected from"
                f" images of {height} × {width}; use fewer"
            )
    elif recipe.batch_size > len(data.train):
        raise InputError(
            f"`language`: `batch_size`: {len(data.train)} words do not fill {recipe.batch_size}"
            " columns; lower it, or use more words"
        )
