"""The speed of this machine at a plan's networks, measured by a few steps of one training."""

import json
import time

import torch

from replication.config.recipes import ImageRecipe
from replication.data.images import one_thread
from replication.data.specs import ImageSpec
from replication.networks.counting import build_network
from replication.plan.plan import Plan
from replication.sweep.flops import forward_flops

TIMED_STEPS = 5
"""Steps that are timed, after one that is not."""


def measure_tflops(plan: Plan) -> float:
    """The speed in 1e12 FLOPs per second of training the plan's first image network on one thread.

    The images are random numbers. On a busy machine, the fastest step comes closest to what the
    machine can do.
    """
    run = next(iter(plan.runs.values()))
    images, recipe = plan.data_spec(run.dataset), plan.training(run)
    assert isinstance(images, ImageSpec)
    assert isinstance(recipe, ImageRecipe)
    with one_thread(), torch.random.fork_rng(devices=()):
        network = build_network(run.network, json.dumps(plan.options(run)), images)
        network = network.to(memory_format=torch.channels_last)
        batch = torch.randn(recipe.batch_size, *images.shape)
        labels = torch.randint(images.classes, (recipe.batch_size,))
        seconds = [_step(network, batch, labels) for _ in range(TIMED_STEPS + 1)]
    return 3 * forward_flops(plan, run) * recipe.batch_size / min(seconds[1:]) / 1e12


def _step(network: torch.nn.Module, batch: torch.Tensor, labels: torch.Tensor) -> float:
    """Seconds of a forward and a backward pass."""
    started = time.perf_counter()
    loss = torch.nn.functional.cross_entropy(network(batch), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - started
