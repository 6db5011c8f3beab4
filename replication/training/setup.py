"""A run's data and network, and the check that its recipe fits the data."""

from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

import replication.networks  # noqa: F401 - registers the networks with timm
from replication.config.scale import ImageDataset, ImageRecipe, LanguageRecipe
from replication.data import text
from replication.data.images import ImageData, load_images
from replication.errors import InputError
from replication.networks.language import LANGUAGE_MODELS
from replication.plan.plan import Plan
from replication.plan.run import Run

Data = ImageData | text.Corpus


def load_data(plan: Plan, run: Run, device: torch.device) -> Data:
    """The data set of a run; images on the device.

    Raises:
        InputError: files are missing or damaged, or the recipe does not fit the data.
    """
    try:
        root = Path(plan.scale.data_root).expanduser()
    except RuntimeError as error:
        raise InputError(f"`data_root`: {plan.scale.data_root}: {error}; write it out") from None
    data: Data
    if isinstance(run.dataset, ImageDataset):
        data = load_images(run.dataset, root, plan.scale.evaluate_on).to(device)
    else:
        data = text.load_corpus(run.dataset, root)
    _check_recipe(plan.training(run), data)
    return data


def describe(run: Run, data: Data) -> dict[str, Any]:
    """What a run records of its data, with a checksum of every item in order."""
    found: dict[str, Any] = {"name": run.dataset.name}
    if isinstance(data, ImageData):
        return found | {
            "classes": data.classes,
            "train": len(data.train.labels),
            "evaluation": len(data.evaluation.labels),
            "mean": data.mean,
            "std": data.std,
            "sha256": data.fingerprint,
        }
    return found | {
        "words": len(data.vocabulary),
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
        "sha256": data.fingerprint,
    }


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
        network: nn.Module = timm.create_model(run.network, **arguments)
        return network.to(device).to(memory_format=torch.channels_last)
    return LANGUAGE_MODELS[run.network](data.vocabulary, **arguments).to(device)


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
