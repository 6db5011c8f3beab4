"""What a run needs before it is trained: its data, its network, and its teacher, all checked."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from replication.architectures.catalogue import kind_of
from replication.data.images import ImageData
from replication.data.prepare import describe, load
from replication.networks import create_network, network_arguments
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runtime.conditions import (
    Autocast,
    Conditions,
    Precision,
    choose_precision,
    configure_precision,
    describe_conditions,
)
from replication.runtime.session import Session
from replication.training.image_trainer import check_recipe
from replication.training.logit_cache import TeacherLogits
from replication.training.seeding import derive_seed
from replication.training.teacher import (
    Data,
    Teacher,
    check_own_weights,
    load_teacher,
    share_ends,
)

Record = dict[str, Any]
"""What a ``run.json`` holds."""


@dataclass(frozen=True)
class PreparedRun:
    """A run that is ready to be trained or evaluated.

    ``network`` is on the session's device, where ``autocast`` runs it in ``precision``; ``source``
    is what it learns from, a network or stored logits. ``record`` is the part of the run's record
    that is known beforehand.
    """

    plan: Plan
    run: Run
    session: Session
    data: Data
    network: nn.Module
    teacher: Teacher | None
    source: nn.Module | TeacherLogits | None
    precision: Precision
    autocast: Autocast
    conditions: Conditions
    record: Record


def load_data(plan: Plan, run: Run, device: torch.device) -> Data:
    """The data set of a run; images on the device.

    Raises:
        InputError: files are missing or damaged, or the recipe does not fit the data.
    """
    scale, dataset, recipe = plan.scale, run.dataset, plan.training(run)
    data = load(dataset.name, scale.data_root, dataset.sizes, scale.evaluate_on)
    if isinstance(data, ImageData):
        check_recipe(recipe, data)  # type: ignore[arg-type]
        return data.to(device)
    from replication.training import language_trainer

    language_trainer.check_recipe(recipe, data)  # type: ignore[arg-type]
    return data


def prepare_run(plan: Plan, run: Run, session: Session, threads: int) -> PreparedRun:
    """Load a run's data, build its network, and find and check its teacher.

    Raises:
        InputError: data or teacher are missing, damaged, or do not fit the run.
    """
    device = session.device
    precision = choose_precision(plan.scale, device, kind_of(run.network))
    autocast = configure_precision(precision, device)
    data = load_data(plan, run, device)
    torch.manual_seed(derive_seed(run.id, "initialisation"))
    arguments = network_arguments(data, plan.options(run))
    network = create_network(run.network, data, arguments, device)
    teacher, source = Teacher.find(plan, run.teacher) if run.teacher else None, None
    if teacher:
        teacher.check(data)
        if run.share_ends:
            share_ends(network, teacher.network(data, device), run.id)
        check_own_weights(run.id, network, teacher.weights)
        source = load_teacher(teacher, run, data, device, autocast)
    record = {
        "run": run.id,
        "network": {"name": run.network, "arguments": arguments},
        "objective": run.objective,
        "generation": run.generation,
        "seed": run.seed,
        "teacher": teacher.reference if teacher else None,
        "lineage": teacher.lineage if teacher else [],
        "recipe": plan.recipe(run),
        "recipe_hash": plan.recipe_hash(run),
        "dataset": describe(run.dataset.name, data),
        "precision": precision,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    conditions = describe_conditions(device, threads)
    return PreparedRun(
        plan, run, session, data, network, teacher, source, precision, autocast, conditions, record
    )
