"""What a new study will train, and how long that takes on this machine, before it is trained."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from replication.data.prepare import prepare, remark_on
from replication.data.specs import ImageSpec
from replication.networks.counting import parameters
from replication.plan.plan import Plan
from replication.sweep.costs import summarise_costs
from replication.sweep.measured_speed import measure_tflops
from replication.wording import counted


def describe_new_study(plan: Plan) -> str:
    """The data and what is unusual in them, the network, the runs and their time, in lines.

    The time follows from the FLOPs of all runs and the speed of a few steps, which are timed
    here. Tables and notebooks are not included.

    Raises:
        InputError: the data of the plan are not prepared, or timm cannot build the network.
    """
    run = next(iter(plan.runs.values()))
    images = plan.data_spec(run.dataset)
    assert isinstance(images, ImageSpec)
    channels, height, width = images.shape
    root = plan.scale.data_root
    data = prepare(run.dataset.name, root, run.dataset.sizes, plan.scale.evaluate_on)
    recipe, cores = plan.training(run), len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        # FLOPs are kept beside results, of which a new study has none.
        apart = replace(plan, results=Path(folder))
        hours = summarise_costs(apart, [cores], measure_tflops(apart)).least_hours[cores]
    return "\n".join(
        [
            f"Data: {images.train:,} training and {images.test:,} test images of"
            f" {height} × {width} pixels ({counted(channels, 'channel')}),"
            f" {images.classes} classes.",
            *remark_on(run.dataset.name, root, run.dataset.sizes, data),
            f"Network: {run.network} with {parameters(plan, run):,} parameters, trained for"
            f" {counted(recipe.epochs, 'epoch')} in batches of {recipe.batch_size}.",
            f"Time: {counted(len(plan.runs), 'training run')}, {_about(60 * hours)} on the"
            f" {counted(cores, 'core')} of this machine, and a minute more for"
            " tables and notebooks.",
        ]
    )


def _about(minutes: float) -> str:
    """A duration in words."""
    if minutes < 90:
        whole = max(1, round(minutes))
        return f"about {counted(whole, 'minute')}"
    return f"about {minutes / 60:.1f} hours"
