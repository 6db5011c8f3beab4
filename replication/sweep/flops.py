"""FLOPs of networks and trainings, counted by PyTorch.

Image networks are counted on the meta device. The language models select words by value, which the
meta device cannot do, so they process a hundred words on the CPU.
"""

import json
import math
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from replication.config.scale import ImageRecipe
from replication.data.augmentation import count_views
from replication.data.specs import ImageSpec, TextSpec
from replication.networks import ImageNetwork
from replication.networks.counting import Options, build_network
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.plan.stored_logits import is_within_limit

WORDS, TYPES = 100, 40
"""Words that a language model is counted on; as many distinct ones as in Penn Treebank."""


def forward_flops(plan: Plan, run: Run) -> float:
    """FLOPs of the forward pass of one image or word."""
    name, options, data = _network(plan, run)
    if isinstance(data, ImageSpec):
        return _image_flops(name, options, data)
    return _language_flops(name, options, data)


def training_flops(plan: Plan, run: Run) -> float:
    """FLOPs of a training.

    The forward pass and the backward pass, which is twice as much, of every sample; the teacher's
    forward pass where its logits are not cached; the evaluations; and the logits for students.
    """
    trained, evaluated, cached = _samples(plan, run)
    total = forward_flops(plan, run) * (3 * trained + evaluated)
    if plan.students(run):
        total += forward_flops(plan, run) * cached
    if run.teacher and not cached:
        total += forward_flops(plan, run.teacher) * trained
    return total


def _samples(plan: Plan, run: Run) -> tuple[int, int, int]:
    """Images or words that are trained on, evaluated, and cached for students; 0: not cached."""
    recipe, data = plan.training(run), plan.data_spec(run.dataset)
    if isinstance(data, ImageSpec):
        assert isinstance(recipe, ImageRecipe)
        shape = count_views(recipe.crop_padding, recipe.flip), data.train, data.classes
        # The test logits are computed once more at the end.
        evaluated = (math.ceil(recipe.epochs / recipe.evaluate_every) + 1) * data.test
    else:
        shape = 1, data.train - data.train % recipe.batch_size, data.words
        evaluated = (recipe.epochs + 1) * data.validation + data.test
    cached = is_within_limit(shape, plan.scale.logit_cache_limit_gib)
    return recipe.epochs * shape[1], evaluated, shape[0] * shape[1] if cached else 0


def _network(plan: Plan, run: Run) -> tuple[str, Options, ImageSpec | TextSpec]:
    options = json.dumps(plan.options(run))
    return run.network, options, plan.data_spec(run.dataset)


@cache
def _image_flops(name: str, options: Options, images: ImageSpec) -> float:
    with torch.device("meta"):
        network = build_network(name, options, images).eval()
        image = torch.empty(1, *images.shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if isinstance(network, ImageNetwork):
            # Not forward_head, whose autocast the meta device does not support.
            network.get_classifier()(network.forward_features(image).mean((2, 3)))
        else:
            network(image)
    return float(counter.get_total_flops())


@cache
def _language_flops(name: str, options: Options, text: TextSpec) -> float:
    words = (torch.arange(WORDS) % TYPES)[None]
    # In double precision: the counter does not see the matrix products of the kernels for single.
    model = build_network(name, options, text).double().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(words, model.initial_state(WORDS))
    return float(counter.get_total_flops()) / WORDS
