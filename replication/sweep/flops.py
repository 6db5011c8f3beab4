"""Parameters and FLOPs of networks and trainings, counted by PyTorch.

Image networks are counted on the meta device. The language models select words by value, which the
meta device cannot do, so they process a hundred words on the CPU.
"""

import math
from functools import cache
from typing import Any, cast

import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from replication.config.scale import ImageDataset, ImageRecipe, LanguageRecipe
from replication.data import answering
from replication.data.augmentation import count_views
from replication.data.specs import ImageSpec, TextSpec
from replication.networks.base import ImageNetwork  # the package registers its networks with timm
from replication.networks.language import CnnLstm, Lstm, create_language_model
from replication.plan.plan import Plan
from replication.plan.run import Run

Options = tuple[tuple[str, Any], ...]
WORDS = 100
"""Words that a language model is counted on."""


def parameters(plan: Plan, run: Run) -> int:
    """Number of parameters of a run's network."""
    name, options = run.network, _options(plan, run)
    model: torch.nn.Module
    if isinstance(run.dataset, ImageDataset):
        model = _image_network(name, options, run.dataset.spec(plan.scale.evaluate_on))
    else:
        model = _language_model(name, options, run.dataset.spec(), "meta")
    return sum(parameter.numel() for parameter in model.parameters())


def training_flops(plan: Plan, run: Run) -> float:
    """FLOPs of a training.

    The forward pass and the backward pass, which is twice as much, of every sample; the teacher's
    forward pass where its logits are not cached; the evaluations; and the logits for students.
    """
    trained, evaluated, cached = _samples(plan, run)
    total = _forward_flops(plan, run) * (3 * trained + evaluated)
    if plan.students(run):
        total += _forward_flops(plan, run) * cached
    if run.teacher and not cached:
        total += _forward_flops(plan, run.teacher) * trained
    return total


def _samples(plan: Plan, run: Run) -> tuple[int, int, int]:
    """Images or words that are trained on, evaluated, and cached for students; 0: not cached."""
    recipe = plan.training(run)
    if isinstance(run.dataset, ImageDataset):
        assert isinstance(recipe, ImageRecipe)
        images = run.dataset.spec(plan.scale.evaluate_on)
        shape = count_views(recipe.crop_padding, recipe.flip), images.train, images.classes
        trained = recipe.epochs * images.train
        # The test logits are computed once more at the end.
        evaluated = (math.ceil(recipe.epochs / recipe.evaluate_every) + 1) * images.test
    else:
        assert isinstance(recipe, LanguageRecipe)
        text = run.dataset.spec()
        shape = 1, text.train - text.train % recipe.batch_size, text.words
        trained = recipe.epochs * shape[1]
        evaluated = (recipe.epochs + 1) * text.validation + text.test
    cached = answering.fit(shape, plan.scale.logit_cache_limit_gib)
    return trained, evaluated, shape[0] * shape[1] if cached else 0


def _options(plan: Plan, run: Run) -> Options:
    return tuple(plan.scale_of(run).networks.options(run.network).items())


def _forward_flops(plan: Plan, run: Run) -> float:
    """FLOPs of the forward pass of one image or word."""
    if isinstance(run.dataset, ImageDataset):
        images = run.dataset.spec(plan.scale.evaluate_on)
        return _image_flops(run.network, _options(plan, run), images)
    return _language_flops(run.network, _options(plan, run), run.dataset.spec())


@cache
def _image_network(name: str, options: Options, images: ImageSpec) -> ImageNetwork:
    arguments = {"num_classes": images.classes, "in_chans": images.channels, **dict(options)}
    with torch.device("meta"):
        return cast(ImageNetwork, timm.create_model(name, **arguments)).eval()


@cache
def _image_flops(name: str, options: Options, images: ImageSpec) -> float:
    network = _image_network(name, options, images)
    image = torch.empty(1, images.channels, images.height, images.width, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        features = network.forward_features(image)
        # Not forward_head, whose autocast the meta device does not support.
        network.get_classifier()(features.mean((2, 3)))
    return float(counter.get_total_flops())


@cache
def _language_model(name: str, options: Options, text: TextSpec, device: str) -> Lstm | CnnLstm:
    # A vocabulary as large as the corpus', with as many characters and as long a longest word;
    # three characters are the padding and the two ends of a word.
    letters = [chr(0x4E00 + i) for i in range(text.alphabet - 3)]
    words = [letters[i % len(letters)] * (text.longest - 2) for i in range(text.words)]
    with torch.device(device):
        return create_language_model(name, words, **dict(options)).eval()


@cache
def _language_flops(name: str, options: Options, text: TextSpec) -> float:
    model = _language_model(name, options, text, "cpu")
    # As many different words as in a window of the corpus: each passes the character CNN once.
    words = (torch.arange(WORDS) % math.ceil(WORDS * text.distinct))[None]
    # In double precision: the counter does not see the matrix products of the kernels for single.
    state = model.double().initial_state(WORDS)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(words, state)
    return float(counter.get_total_flops()) / WORDS
