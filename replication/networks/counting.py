"""Counts the parameters of networks, without training or storing them."""

import json
from functools import cache
from typing import Any

import timm
import torch

from replication.config.networks import Networks
from replication.data.specs import ImageSpec, TextSpec
from replication.networks import timms_problem
from replication.networks.language import create_language_model
from replication.plan.initial_weights import without_start
from replication.plan.plan import Plan
from replication.plan.run import Run

Options = str
"""Keyword arguments of a network as JSON, which can be a key of a cache."""
CHARACTERS, LONGEST_WORD = 48, 16
"""Different characters of a vocabulary, and those of its longest word (Kim et al. 2016)."""


def parameters(plan: Plan, run: Run) -> int:
    """Number of parameters of a run's network.

    The text of a language model is not read: its vocabulary has the size that the scale gives, and
    the characters of Penn Treebank.
    """
    options = json.dumps(plan.options(run))
    return _parameters(run.network, options, plan.data_spec(run.dataset))


def capacity(network: str, networks: Networks, data: ImageSpec) -> int:
    """Number of parameters of an image network with a scale's sizes, on images of this kind."""
    return _parameters(network, json.dumps(networks.options(network)), data)


@cache
def _parameters(name: str, options: Options, data: ImageSpec | TextSpec) -> int:
    with torch.device("meta"):
        model = build_network(name, options, data)
    return sum(parameter.numel() for parameter in model.parameters())


def build_network(name: str, options: Options, data: ImageSpec | TextSpec) -> Any:
    """A network with new weights, for this kind of data; nothing is downloaded for it.

    Raises:
        InputError: timm has no such network, or cannot make it for these images.
    """
    if isinstance(data, ImageSpec):
        timms = name.removeprefix("timm:")
        sizes: dict[str, Any] = {"num_classes": data.classes, "in_chans": data.shape[0]}
        try:
            return timm.create_model(timms, **sizes, **without_start(json.loads(options)))
        except Exception as error:
            raise timms_problem(timms, data.shape, error) from None
    words = [chr(0x4E00 + number % CHARACTERS) * LONGEST_WORD for number in range(data.words)]
    return create_language_model(name, words, **json.loads(options))
