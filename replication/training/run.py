"""Trains one run, from its plan to its folder."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from replication.architectures.catalogue import TIMM, kind_of
from replication.data.images import ImageData
from replication.data.prepare import describe
from replication.files import checksum, write_atomically, write_text
from replication.metrics import error, perplexity
from replication.networks import hub_config
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
)
from replication.results.run_history import EpochMetrics, write_history
from replication.runtime import provenance
from replication.runtime.precision import Autocast, choose_precision, configure_precision
from replication.runtime.progress import EpochProgress
from replication.runtime.seeding import derive_seed
from replication.runtime.session import open_session
from replication.training.checkpoint import Checkpointer
from replication.training.given import GivenNetwork, load_given
from replication.training.image_trainer import ImageTrainer
from replication.training.language_trainer import LanguageTrainer
from replication.training.logit_cache import load_teacher, write_logit_caches
from replication.training.loop import (
    TrainingContext,
    TrainingError,
    check_finite_predictions,
    train_epochs,
)
from replication.training.setup import (
    Data,
    build_network,
    load_data,
    network_arguments,
)
from replication.training.teacher import Teacher, check_own_weights, share_ends
from replication.training.teacher_logits import TeacherLogits

Record = dict[str, Any]


def train(plan: Plan, run: Run, threads: int = 1) -> Record:
    """Train one run and write its folder; returns what ``run.json`` holds.

    The files are written at the end, ``run.json`` last, each whole or not at all. A stopped run
    continues from its checkpoint. If it fails, ``failed.json`` says why.

    Raises:
        InputError: the teacher is missing, damaged or of another recipe; data are missing; shared
            layers do not fit; the training diverges; another process trains this run; or the
            folder cannot be written.
        Interrupted: a signal stopped the training; a checkpoint is saved.
    """
    started = time.monotonic()
    torch.set_num_threads(threads)
    with open_session(plan.scale, run, plan.folder(run)) as session:
        # Prepare
        device, folder = session.device, session.folder
        precision = choose_precision(plan.scale, device, kind_of(run.network))
        autocast = configure_precision(precision, device)
        data = load_data(plan, run, device)
        torch.manual_seed(derive_seed(run.id, "initialisation"))
        network = build_network(plan, run, data, device)
        if run.weights:
            load_given(network, Path(run.weights), run.id)
        teacher = Teacher.find(plan, run.teacher) if run.teacher else None
        if teacher:
            _check_teacher(teacher, run, data, network)
        source = load_teacher(teacher, run, data, device, autocast) if teacher else None
        trainer = _make_trainer(plan, run, data, network, source, autocast)
        record = _describe_run(plan, run, data, network, teacher, precision)
        conditions = _conditions(device, threads)
        checkpointer = Checkpointer(session, _identity(record), conditions, plan.scale.checkpoint)

        # Train; from here on there is something to lose, so a signal waits for the next step.
        with session.signals.deferred():
            setting = f" in {precision} on {conditions['device']}"
            progress = EpochProgress(run.id, trainer.epochs, setting)
            try:
                if not isinstance(trainer, GivenNetwork):
                    train_epochs(trainer, checkpointer, partial(_report, progress, teacher, source))
                train_seconds = checkpointer.seconds

                # Evaluate
                predictions = trainer.predictions()
                check_finite_predictions(run.id, predictions)
            except TrainingError:
                checkpointer.fail(trainer)
                raise

            # Write
            for file, tensors in ((MODEL, _weights(network)), (PREDICTIONS, predictions)):
                session.lock.verify()
                write_atomically(folder / file, partial(save_file, tensors))
            session.lock.verify()
            write_history(folder / HISTORY, trainer.history)
            if run.objective == "cwtm" and isinstance(trainer, ImageTrainer):
                write_history(folder / CONFIDENCE_WEIGHTS, trainer.confidence_weights())
            if isinstance(data, ImageData):
                _write_hub_config(folder / CONFIG, plan, run, data, network)
            before_batch = partial(checkpointer.after_step, trainer)
            checksums = _checksums(folder)
            write_logit_caches(plan, run, data, network, checksums[MODEL], autocast, before_batch)
            record |= {
                "result": _result(plan, predictions),
                "checksums": checksums,
                **conditions,
                "compile": plan.scale.compile,
                "attempts": checkpointer.attempts,
                "earlier": checkpointer.earlier,
                "seconds": round(checkpointer.seconds_before + time.monotonic() - started, 2),
                f"{trainer.unit}_per_second": round(trainer.samples_seen / train_seconds, 1),
                **provenance.peak_memory(device),
            }
            session.lock.verify()
            write_text(folder / CARD, model_card(record))
            write_text(folder / RECORD, json.dumps(record, indent=2) + "\n")
            checkpointer.clear()
    return record


def _check_teacher(teacher: Teacher, run: Run, data: Data, student: nn.Module) -> None:
    """Check the teacher, and copy its first and last layer into the student where asked."""
    teacher.check(data)
    if run.share_ends:
        device = next(student.parameters()).device
        share_ends(student, teacher.network(data, device), run.id)
    check_own_weights(run, student, teacher.weights)


def _make_trainer(
    plan: Plan,
    run: Run,
    data: Data,
    network: nn.Module,
    teacher: nn.Module | TeacherLogits | None,
    autocast: Autocast,
) -> ImageTrainer | LanguageTrainer | GivenNetwork:
    if run.weights:
        assert isinstance(data, ImageData)
        return GivenNetwork(network, data, autocast)
    recipe, decisions = plan.training(run), plan.scale_of(run).decisions
    context: TrainingContext[Any] = TrainingContext(
        run.id,
        network,
        run.objective,
        teacher,
        recipe,
        decisions,
        autocast,
        dict(run.parameters),
        plan.scale.study or Path(),
    )
    if not isinstance(data, ImageData):
        return LanguageTrainer(context, data)
    if plan.scale.compile:
        network.compile(dynamic=False)
    return ImageTrainer(context, data)


def _report(
    progress: EpochProgress, teacher: Teacher | None, source: object, metrics: EpochMetrics
) -> None:
    if teacher and isinstance(source, nn.Module):
        teacher.check_unchanged(source)
    progress.report(metrics)


def _describe_run(
    plan: Plan,
    run: Run,
    data: Data,
    network: nn.Module,
    teacher: Teacher | None,
    precision: str,
) -> Record:
    """The part of the record that is known before the training."""
    return {
        "run": run.id,
        "network": {"name": run.network, "arguments": network_arguments(plan, run, data)},
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


def _identity(record: Record) -> dict[str, Any]:
    """What a checkpoint has to agree with."""
    return {
        "run": record["run"],
        "recipe": record["recipe_hash"],
        "teacher": record["teacher"],
        "data": record["dataset"]["sha256"],
        "precision": record["precision"],
    }


def _conditions(device: torch.device, threads: int) -> dict[str, Any]:
    return {
        "code": provenance.code(),
        "versions": provenance.versions(),
        "device": provenance.device_name(device),
        "threads": threads,
    }


def _result(plan: Plan, predictions: dict[str, Tensor]) -> dict[str, float]:
    if "logits" in predictions:
        wrong = error(predictions["logits"], predictions["labels"])
        return {f"{plan.scale.evaluate_on} error (%)": wrong}
    return {f"{part} perplexity": perplexity(values) for part, values in predictions.items()}


def _checksums(folder: Path) -> dict[str, str]:
    names = MODEL, PREDICTIONS, HISTORY, CONFIG, CONFIDENCE_WEIGHTS
    return {name: checksum(folder / name) for name in names if (folder / name).exists()}


def _write_hub_config(
    file: Path, plan: Plan, run: Run, data: ImageData, network: nn.Module
) -> None:
    """Write what timm's ``local-dir:`` names read."""
    arguments = network_arguments(plan, run, data)
    for key in ("num_classes", "in_chans"):
        del arguments[key]
    height, width = data.train.images.shape[-2:]
    size, statistics = (height, width), (data.mean, data.std)
    name = run.network.removeprefix(f"{TIMM}:")
    config = hub_config(name, data.classes, data.channels, arguments, size, *statistics)
    if name != run.network:
        layers: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
        config["pretrained_cfg"] |= {it: layers.get(it) for it in ("first_conv", "classifier")}
    write_text(file, json.dumps(config, indent=2) + "\n")


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {key: tensor.contiguous().cpu() for key, tensor in network.state_dict().items()}
