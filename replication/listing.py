"""The runs of a scale with what they will be trained by, before anything is trained."""

from functools import cache
from typing import Any

import pandas as pd
import timm
import torch

import replication.networks  # noqa: F401  registers the names
from replication.cells import Run
from replication.data.images import SHAPES
from replication.data.text import WORDS
from replication.networks.language import LANGUAGE_MODELS
from replication.plan import Plan
from replication.scale import ImageDataset


def list_runs(plan: Plan) -> pd.DataFrame:
    """One line per run: its recipe, and its network's parameters in millions.

    Networks are built without memory for their weights. The character CNN's alphabet is known
    with the corpus only; ten characters stand for it, at 15 parameters each.
    """
    return pd.DataFrame([_line(plan, run) for run in plan.runs.values()])


def _line(plan: Plan, run: Run) -> dict[str, Any]:
    recipe = plan.recipe(run)
    options = recipe["network"]["options"]
    if isinstance(run.dataset, ImageDataset):
        classes, channels = SHAPES[run.dataset.name]
        millions = _image_parameters(run.network, classes, channels, tuple(options.items())) / 1e6
    else:
        words = run.dataset.words or WORDS[run.dataset.name]
        millions = _language_parameters(run.network, words, tuple(options.items())) / 1e6
    return {
        "run": run.id,
        "generation": run.generation,
        "parameters (M)": millions,
        "share_ends": run.share_ends,
        "precision": recipe["precision"],
        **recipe["training"],
        **options,
        **recipe["decisions"],
    }


@cache
def _image_parameters(name: str, classes: int, channels: int, options: tuple[Any, ...]) -> int:
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=classes, in_chans=channels, **dict(options))
    return sum(parameter.numel() for parameter in network.parameters())


@cache
def _language_parameters(name: str, words: int, options: tuple[Any, ...]) -> int:
    vocabulary = tuple(map(str, range(words)))
    with torch.device("meta"):
        network = LANGUAGE_MODELS[name](vocabulary, **dict(options))
    return sum(parameter.numel() for parameter in network.parameters())
