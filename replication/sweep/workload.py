"""What a run has to do: passes through its network and its teacher's, and what it holds meanwhile.

Pure Python: Snakemake loads this at every start, so neither torch nor pandas is imported.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from replication.config.scale import ImageDataset, ImageRecipe, LanguageRecipe
from replication.data import answering
from replication.data.specs import Images, images_of, text_of
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.sweep.footprint import Footprint, of_images, of_text

EVALUATION_BATCH = 1000
FLOAT = 4
# What a network costs whose family is not described: as much as one of the largest that are.
STAND_IN = "wide_resnet_28_10"

Kind = Literal["label", "answers", "live"]
"""What a run learns from: labels, its teacher's stored answers, or the teacher at every step."""


@dataclass(frozen=True)
class Workload:
    """A training in numbers; samples are images or words.

    `teacher` is the network that runs at every step, if one does. `data` counts the numbers of the
    data set as the trainer holds it, `teacher_logits` are the bytes of its teacher's answers, `answers`
    those of its own.
    """

    kind: Kind
    own: Footprint
    teacher: Footprint | None
    batch: int
    steps: int
    trained: int
    evaluated: int
    evaluation_batch: int
    answered: int
    data: int
    teacher_logits: int
    answers: int
    predictions: int


def workload_of(plan: Plan, run: Run, students: Sequence[Run]) -> Workload:
    """What a run has to do; it answers to all views of the training data for its students."""
    if isinstance(run.dataset, ImageDataset):
        return _images(plan, run, students)
    return _text(plan, run, students)


def parameters(plan: Plan, run: Run) -> int | None:
    """Parameters of a run's network; None where its family is not described."""
    found = _footprint(plan, run)
    return found.parameters if found else None


def _footprint(plan: Plan, run: Run) -> Footprint | None:
    options = tuple(plan.scale_of(run).networks.options(run.network).items())
    if isinstance(run.dataset, ImageDataset):
        return of_images(run.network, options, images_of(run.dataset, plan.scale.evaluate_on))
    recipe = plan.training(run)
    assert isinstance(recipe, LanguageRecipe)
    return of_text(run.network, options, text_of(run.dataset), recipe.bptt)


def _of(plan: Plan, run: Run) -> Footprint:
    found = _footprint(plan, run)
    if found is None:
        assert isinstance(run.dataset, ImageDataset)
        options = tuple(plan.scale.networks.options(STAND_IN).items())
        images = images_of(run.dataset, plan.scale.evaluate_on)
        found = of_images(STAND_IN, options, images)
        assert found is not None
    return found


def _kind(plan: Plan, run: Run, shape: tuple[int, int, int]) -> Kind:
    if run.teacher is None:
        return "label"
    return "answers" if answering.fit(shape, plan.scale.logit_cache_limit_gib) else "live"


def _kept(plan: Plan, shapes: set[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    return [shape for shape in shapes if answering.fit(shape, plan.scale.logit_cache_limit_gib)]


def _images(plan: Plan, run: Run, students: Sequence[Run]) -> Workload:
    assert isinstance(run.dataset, ImageDataset)
    images = images_of(run.dataset, plan.scale.evaluate_on)
    recipe = plan.training(run)
    assert isinstance(recipe, ImageRecipe)
    shape = _shape(plan, run, images)
    kind = _kind(plan, run, shape)
    answers = _kept(plan, {_shape(plan, student, images) for student in students})
    # In the last epoch whatever comes, and once more for the predictions.
    evaluations = math.ceil(recipe.epochs / recipe.evaluate_every) + 1
    side = 2 * recipe.crop_padding
    bordered = (images.height + side) * (images.width + side) if side else 0
    pixels = images.height * images.width
    return Workload(
        kind=kind,
        own=_of(plan, run),
        teacher=_of(plan, run.teacher) if kind == "live" and run.teacher else None,
        batch=min(recipe.batch_size, images.train),
        steps=recipe.epochs * math.ceil(images.train / recipe.batch_size),
        trained=recipe.epochs * images.train,
        evaluated=evaluations * images.test,
        evaluation_batch=min(EVALUATION_BATCH, images.test),
        answered=sum(views * samples for views, samples, _ in answers),
        data=images.channels * (images.train * (2 * pixels + bordered) + 2 * images.test * pixels),
        teacher_logits=answering.size(shape) if kind == "answers" else 0,
        answers=sum(map(answering.size, answers)),
        predictions=images.test * (images.classes * FLOAT + 8),
    )


def _shape(plan: Plan, run: Run, images: Images) -> tuple[int, int, int]:
    """Views, samples and classes of the answers that a student is teacher_logits by."""
    recipe = plan.training(run)
    assert isinstance(recipe, ImageRecipe)
    return answering.count_views(recipe), images.train, images.classes


def _text(plan: Plan, run: Run, students: Sequence[Run]) -> Workload:
    assert not isinstance(run.dataset, ImageDataset)
    text, recipe = text_of(run.dataset), plan.training(run)
    assert isinstance(recipe, LanguageRecipe)
    columns = text.train - text.train % recipe.batch_size
    shape = (1, columns, text.words)
    kind = _kind(plan, run, shape)
    answers = _kept(plan, {shape}) if students else []
    window = recipe.batch_size * recipe.bptt
    return Workload(
        kind=kind,
        own=_of(plan, run),
        teacher=_of(plan, run.teacher) if kind == "live" and run.teacher else None,
        batch=window,
        steps=recipe.epochs * math.ceil(columns / window),
        trained=recipe.epochs * columns,
        evaluated=(recipe.epochs + 1) * text.validation + text.test,
        evaluation_batch=window,
        answered=sum(words for _, words, _ in answers),
        data=4 * (text.train + text.validation + text.test),
        teacher_logits=answering.size(shape) if kind == "answers" else 0,
        answers=sum(map(answering.size, answers)),
        predictions=(text.validation + text.test) * FLOAT,
    )
