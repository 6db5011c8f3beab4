"""FLOPs of runs, from those of their networks, which are counted once and kept.

Where they are kept already, nothing here imports torch.
"""

import json
import math

from replication.config.recipes import ImageRecipe
from replication.data.specs import ImageSpec
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.plan.stored_logits import logit_shape, size_of
from replication.sweep.kept_flops import forward_flops_of


def forward_flops(plan: Plan, run: Run) -> float:
    """FLOPs of the forward pass of one image or word."""
    options = json.dumps(plan.options(run))
    return forward_flops_of(plan.results, run.network, options, plan.data_spec(run.dataset))


def training_flops(plan: Plan, run: Run) -> float:
    """FLOPs of a training, or of the evaluation of weights from elsewhere.

    The forward pass and the backward pass, which is twice as much, of every sample; the teacher's
    forward pass where its logits are not stored; the evaluations; and the logits for students.
    """
    views, samples, _ = logit_shape(plan.training(run), size_of(plan.data_spec(run.dataset)))
    trained, stored = plan.training(run).epochs * samples, plan.stores_logits_for(run)
    if run.weights:
        total = forward_flops(plan, run) * (samples + plan.data_spec(run.dataset).test)
    else:
        total = forward_flops(plan, run) * (3 * trained + _evaluated(plan, run))
    if stored and plan.students(run):
        total += forward_flops(plan, run) * views * samples
    if run.teacher and not stored:
        total += forward_flops(plan, run.teacher) * trained
    return total


def _evaluated(plan: Plan, run: Run) -> int:
    """How many images or words are evaluated in all."""
    recipe, data = plan.training(run), plan.data_spec(run.dataset)
    if isinstance(data, ImageSpec):
        assert isinstance(recipe, ImageRecipe)
        # The test logits are computed once more at the end.
        return (math.ceil(recipe.epochs / recipe.evaluate_every) + 1) * data.test
    return (recipe.epochs + 1) * data.validation + data.test
