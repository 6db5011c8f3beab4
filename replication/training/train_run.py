"""Trains one run, from its plan to its folder."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from replication.architectures.catalogue import kind_of
from replication.config.custom_objectives import find_objective
from replication.data.images import ImageData
from replication.data.prepared import describe_data, load
from replication.files import checksum, write_atomically, write_text
from replication.metrics import error, perplexity
from replication.networks import create_network, hub_config_of, network_arguments
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.model_card import model_card
from replication.results.run_folder import (
    CARD,
    CONFIDENCE_WEIGHTS,
    CONFIG,
    HISTORY,
    MODEL,
    PREDICTIONS,
    RECORD,
    RETRAIN,
)
from replication.results.run_history import (
    EpochMetrics,
    WeightPercentiles,
    write_confidence_weights,
    write_history,
)
from replication.runtime.conditions import (
    Autocast,
    Conditions,
    Precision,
    choose_precision,
    configure_precision,
    describe_conditions,
    peak_memory,
)
from replication.runtime.session import Session, open_session
from replication.training import given_weights
from replication.training.checkpoint import Checkpointer, identity_of
from replication.training.image_trainer import ImageTrainer
from replication.training.logit_cache import Data, write_logit_caches
from replication.training.loop import (
    EpochProgress,
    Trainer,
    TrainingContext,
    TrainingError,
    derive_seed,
    final_predictions,
    train_epochs,
)
from replication.training.teacher import Teacher, check_own_weights, load_teacher, share_ends
from replication.training.teacher_logits import TeacherLogits

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


def train(plan: Plan, run: Run, threads: int = 1) -> Record:
    """Train one run and write its folder; returns what ``run.json`` holds.

    The files are written at the end, ``run.json`` last, each whole or not at all. A stopped run
    continues from its checkpoint. If it fails, ``failed.json`` says why. A run whose weights come
    from elsewhere is evaluated instead, and leaves the same files.

    Raises:
        InputError: the teacher is missing, damaged or of another recipe; data are missing; shared
            layers do not fit; the training diverges; another process trains this run; or the
            folder cannot be written.
        Interrupted: a signal stopped the training; a checkpoint is saved.
    """
    started = time.monotonic()
    torch.set_num_threads(threads)
    with open_session(plan.scale, run, plan.folder(run)) as session:
        prepared = _prepare(plan, run, session, threads)
        if run.weights:
            return _evaluate(prepared, started)
        # From here on there is something to lose, so a signal waits for the next step.
        with session.signals.deferred():
            return _train(prepared, started)


def load_data(plan: Plan, run: Run, device: torch.device) -> Data:
    """The data set of a run; images on the device.

    Raises:
        InputError: files are missing or damaged.
    """
    scale, dataset = plan.scale, run.dataset
    data = load(dataset.name, scale.data_root, dataset.sizes, scale.evaluate_on)
    return data.to(device) if isinstance(data, ImageData) else data


def _prepare(plan: Plan, run: Run, session: Session, threads: int) -> PreparedRun:
    """Load a run's data, build its network, and find and check its teacher."""
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
        "dataset": describe_data(run.dataset.name, data),
        "precision": precision,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    conditions = describe_conditions(device, threads)
    return PreparedRun(
        plan, run, session, data, network, teacher, source, precision, autocast, conditions, record
    )


def _train(prepared: PreparedRun, started: float) -> Record:
    """Train the network and write the run's folder."""
    plan, run, session = prepared.plan, prepared.run, prepared.session
    trainer = _make_trainer(prepared)
    checkpointer = Checkpointer(
        session, identity_of(prepared.record), prepared.conditions, plan.scale.checkpoint
    )
    setting = f" in {prepared.precision} on {prepared.conditions['device']}"
    progress = EpochProgress(run.id, trainer.epochs, setting)

    def report(metrics: EpochMetrics) -> None:
        if prepared.teacher and isinstance(prepared.source, nn.Module):
            prepared.teacher.check_unchanged(prepared.source)
        progress.report(metrics)

    try:
        train_epochs(trainer, checkpointer, report)
        train_seconds = checkpointer.seconds
        predictions = final_predictions(trainer)
    except TrainingError:
        checkpointer.fail(trainer)
        raise
    percentiles: Sequence[WeightPercentiles] = ()
    if run.objective == "cwtm" and isinstance(trainer, ImageTrainer):
        percentiles = trainer.confidence_weights()
    record = _write_results(
        prepared,
        predictions,
        trainer.history,
        before_batch=partial(checkpointer.after_step, trainer),
        confidence_weights=percentiles,
    )
    record |= {
        "compile": plan.scale.compile,
        "attempts": checkpointer.attempts,
        "earlier": checkpointer.earlier,
        "seconds": round(checkpointer.seconds_before + time.monotonic() - started, 2),
        f"{trainer.unit}_per_second": round(trainer.samples_seen / train_seconds, 1),
        **peak_memory(session.device),
    }
    _write_record(prepared, record)
    checkpointer.clear()
    return record


def _evaluate(prepared: PreparedRun, started: float) -> Record:
    """Evaluate weights from elsewhere and write the run's folder."""
    run, data, network = prepared.run, prepared.data, prepared.network
    assert run.weights
    assert isinstance(data, ImageData)
    given_weights.load_given_weights(network, Path(run.weights), run.id)
    given = given_weights.evaluate_given_weights(network, data, prepared.autocast, run)
    record = _write_results(
        prepared, given.predictions, [given.metrics], before_batch=lambda: None, given=given
    )
    record |= {
        **given.describe(),
        "seconds": round(time.monotonic() - started, 2),
        **peak_memory(prepared.session.device),
    }
    _write_record(prepared, record)
    return record


def _make_trainer(prepared: PreparedRun) -> Trainer[Any]:
    plan, run, network = prepared.plan, prepared.run, prepared.network
    context: TrainingContext[Any] = TrainingContext(
        run.id,
        network,
        run.objective,
        find_objective(run.objective, plan.scale.study or Path()),
        prepared.source,
        plan.training(run),
        plan.scale_of(run).decisions,
        prepared.autocast,
        dict(run.parameters),
    )
    if isinstance(prepared.data, ImageData):
        if plan.scale.compile:
            network.compile(dynamic=False)
        return ImageTrainer(context, prepared.data)
    from replication.training.language_trainer import LanguageTrainer

    return LanguageTrainer(context, prepared.data)


def _write_results(
    prepared: PreparedRun,
    predictions: dict[str, Tensor],
    history: Sequence[EpochMetrics],
    before_batch: Callable[[], object],
    confidence_weights: Sequence[WeightPercentiles] = (),
    given: given_weights.GivenNetwork | None = None,
) -> Record:
    """Write all files but the record, and the logits for students; returns the record so far."""
    folder, network, lock = prepared.session.folder, prepared.network, prepared.session.lock
    plan, run, data = prepared.plan, prepared.run, prepared.data
    weights = {key: tensor.contiguous().cpu() for key, tensor in network.state_dict().items()}
    for name, tensors in ((MODEL, weights), (PREDICTIONS, predictions)):
        lock.verify()
        write_atomically(folder / name, partial(save_file, tensors))
    lock.verify()
    write_history(folder / HISTORY, history)
    write_confidence_weights(folder / CONFIDENCE_WEIGHTS, confidence_weights)
    written = [MODEL, PREDICTIONS, HISTORY, CONFIDENCE_WEIGHTS]
    if isinstance(data, ImageData):
        normalisation = given.normalisation if given else (data.mean, data.std)
        config = hub_config_of(run.network, network, data, plan.options(run), *normalisation)
        write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
        written.append(CONFIG)
    checksums = {name: checksum(folder / name, RETRAIN) for name in written}
    shown = given.predictor if given else network
    write_logit_caches(plan, run, data, shown, checksums[MODEL], prepared.autocast, before_batch)
    result = _result(plan, predictions)
    return {**prepared.record, "result": result, "checksums": checksums, **prepared.conditions}


def _write_record(prepared: PreparedRun, record: Record) -> None:
    """Write the model card, and the record last of all, which says that the run is done."""
    folder = prepared.session.folder
    prepared.session.lock.verify()
    write_text(folder / CARD, model_card(record))
    write_text(folder / RECORD, json.dumps(record, indent=2) + "\n")


def _result(plan: Plan, predictions: dict[str, Tensor]) -> dict[str, float]:
    if "logits" in predictions:
        wrong = error(predictions["logits"], predictions["labels"])
        return {f"{plan.scale.evaluate_on} error (%)": wrong}
    return {f"{part} perplexity": perplexity(values) for part, values in predictions.items()}
