"""What can be checked of runs without training them: their files, objectives and networks.

A mistake in the last column of a table would otherwise be found only after hours, when all others
are trained. Nothing is written, and no data set has to be there: what depends on the shape of
images is checked where that is known, and again when the data have been prepared.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from replication.architectures.catalogue import TIMM, kind_of
from replication.config.custom_objectives import find_objective, is_custom
from replication.config.recipes import ImageRecipe
from replication.data.images import ImageData, Items
from replication.data.specs import ImageSpec
from replication.errors import InputError
from replication.networks import create_network, network_arguments
from replication.objectives.loss import Loss
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.plan.uncertain_runs import needs_check
from replication.training.given_weights import load_given_weights
from replication.training.image_trainer import Augmenter
from replication.training.optimisation import make_optimiser
from replication.training.teacher import share_ends

TRIAL_BATCH, TRIAL_CLASSES = 8, 10
"""Samples of the random batch that objectives are tried on, and classes where nothing is known."""


def check_parts(plan: Plan, runs: Iterable[Run]) -> None:
    """Check the files, objectives and networks of runs, each kind of run once.

    Raises:
        InputError: a file cannot be read; an objective cannot be imported or called; a network
            cannot be built for its data, or the weights or layers that it is given do not fit it;
            or there is no such optimiser.
    """
    checked: set[tuple[object, ...]] = set()
    for run in runs:
        kind = _network_kind(run)
        shape = image_shape(plan, run)
        loss = run.objective, run.parameters, run.teacher is None, shape
        if is_custom(run.objective) and loss not in checked:
            checked.add(loss)
            _check_objective(plan, run, shape.classes if shape else TRIAL_CLASSES)
        if kind in checked or not needs_check(plan, run):
            continue
        checked.add(kind)
        plan.recipe_hash(run)
        if shape:
            _check_network(plan, run, blank_images(shape))


def check_parts_on(plan: Plan, dataset: str, data: object) -> None:
    """Check the runs on a data set, by its name, whose images are known now; like `check_parts`."""
    runs = [run for run in plan.runs.values() if run.dataset.name == dataset]
    if not isinstance(data, ImageData):
        return
    shape = data.train.images.shape[1:]
    images = ImageSpec(dataset, "", data.classes, (shape[0], shape[1], shape[2]), 1, 1)
    seen: set[tuple[object, ...]] = set()
    for run in runs:
        kind = _network_kind(run)
        if kind not in seen and needs_check(plan, run):
            seen.add(kind)
            _check_network(plan, run, blank_images(images))


def _network_kind(run: Run) -> tuple[object, ...]:
    """What runs have in common whose networks are built, filled and trained alike."""
    kind = run.dataset, run.network, run.arguments, run.weights, run.variant
    ends = (run.teacher.network, run.teacher.arguments) if run.share_ends and run.teacher else None
    return *kind, ends


def image_shape(plan: Plan, run: Run) -> ImageSpec | None:
    """The images of a run as far as they are known before the data are prepared."""
    try:
        spec = plan.data_spec(run.dataset)
    except InputError:
        return None
    return spec if isinstance(spec, ImageSpec) else None


def blank_images(spec: ImageSpec) -> ImageData:
    """A data set of one black image of this shape."""
    items = Items(torch.zeros(1, *spec.shape), torch.zeros(1, dtype=torch.long))
    channels = spec.shape[0]
    return ImageData(items, items, spec.classes, (0.0,) * channels, (1.0,) * channels, "")


def _check_objective(plan: Plan, run: Run, classes: int) -> None:
    """Call an objective of one's own on random logits, as a training's first step does."""
    if kind_of(run.network) == "language":
        classes = TRIAL_CLASSES
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, TRIAL_BATCH, classes, generator=generator)
    labels = torch.arange(TRIAL_BATCH) % classes
    objective = find_objective(run.objective, plan.scale.study or Path())
    loss = Loss(run.objective, objective, generator, parameters=dict(run.parameters))
    teacher_logits = logits[1] - logits[1].amax(-1, keepdim=True) if run.teacher else None
    # Times 1, because an objective may change its arguments in place.
    student_logits = logits[0].requires_grad_() * 1
    try:
        value = loss(student_logits, labels, teacher_logits, torch.arange(TRIAL_BATCH))
        value.backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"objective `{run.objective}`: its gradient cannot be computed ({reason}); correct it"
        ) from None


def _check_network(plan: Plan, run: Run, data: ImageData) -> None:
    """Build a run's network for these images, and what is put into it."""
    if kind_of(run.network) == "language":
        return
    network = _build(plan, run, data)
    if run.weights:
        load_given_weights(network, Path(run.weights), run.id)
        return
    recipe = plan.training(run)
    assert isinstance(recipe, ImageRecipe)
    Augmenter(data.train.images, recipe.crop_padding, recipe.flip)
    if run.share_ends and run.teacher and run.teacher.network.startswith(f"{TIMM}:"):
        share_ends(network, _build(plan, run.teacher, data), run.id)
    make_optimiser(network, recipe)


def _build(plan: Plan, run: Run, data: ImageData) -> nn.Module:
    arguments = network_arguments(data, plan.options(run))
    return create_network(run.network, data, arguments, torch.device("cpu"))
