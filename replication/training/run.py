"""One run from its plan to its folder: data, network, teacher, training, files."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from replication import files
from replication.architectures.catalogue import NETWORKS
from replication.config.scale import ImageRecipe, LanguageRecipe
from replication.data.images import ImageData
from replication.data.prepare import describe
from replication.metrics import error, perplexity
from replication.networks import hub_config
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs import record as runs
from replication.runtime import failure, precision, provenance
from replication.runtime.gpu_slots import acquire_device
from replication.runtime.lock import acquire
from replication.runtime.precision import Autocast
from replication.runtime.progress import EpochProgress
from replication.runtime.seeding import seed
from replication.runtime.signals import SignalHandler
from replication.training import checks
from replication.training import image_trainer as images
from replication.training import language_trainer as language
from replication.training import teacher_logits as answers
from replication.training.checkpoint import Checkpointer
from replication.training.context import EpochMetrics, TrainingContext
from replication.training.image_trainer import ImageTraining
from replication.training.language_trainer import LanguageTraining
from replication.training.loop import fit
from replication.training.setup import (
    Data,
    Teacher,
    arguments,
    build,
    load_data,
    share_ends,
)
from replication.training.teaching import teaching, write_logit_cache

HEAD = ("num_classes", "in_chans")


def train(plan: Plan, run: Run, threads: int = 1) -> dict[str, Any]:
    """Train one run and write its folder; returns what ``run.json`` holds.

    The folder is written at the end, ``run.json`` last, each file whole or not at all. A run that
    was stopped goes on from its saved state. Where it fails, ``failed.json`` says why.

    Raises:
        InputError: the teacher is missing, damaged or of another recipe; data are missing; shared
            layers do not fit; the training fails (`checks`); another process trains this run; or
            the folder cannot be written.
        Interrupted: a signal asked to stop; the state is saved.
    """
    started = time.monotonic()
    torch.set_num_threads(threads)
    folder, slots = plan.folder(run), plan.scale.resources(run.network).gpu_slots
    with (
        SignalHandler() as interruption,
        acquire(folder) as run_lock,
        failure.noted(folder),
        failure.named(run),
        acquire_device(precision.find_device(plan.scale), slots) as device,
    ):
        number_format = precision.choose(plan.scale, device, NETWORKS[run.network].kind)
        autocast = precision.use(number_format, device)
        data = load_data(plan, run, device)
        checks.fits(plan.training(run), data)
        torch.manual_seed(seed(run.id, "initialisation"))
        given = arguments(plan, run, data)
        network = build(plan, run, data, device)
        teacher = Teacher.find(plan, run.teacher) if run.teacher else None
        taught_by = _prepare(plan, run, data, network, teacher, autocast) if teacher else None
        record = {
            "run": run.id,
            "network": {"name": run.network, "arguments": given},
            "objective": run.objective,
            "generation": run.generation,
            "seed": run.seed,
            "teacher": teacher.named if teacher else None,
            "lineage": teacher.lineage if teacher else [],
            "recipe": plan.recipe(run),
            "recipe_hash": plan.recipe_hash(run),
            "dataset": describe(run.dataset.name, data),
            "precision": number_format,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
        }
        belongs_to = {"recipe": record["recipe_hash"], "teacher": record["teacher"]}
        belongs_to |= {"run": run.id, "data": data.fingerprint, "precision": number_format}
        conditions = {
            "code": provenance.code(),
            "versions": provenance.versions(),
            "device": provenance.device_name(device),
            "threads": threads,
        }
        checkpointer = Checkpointer(
            folder, belongs_to, conditions, plan.scale.checkpoint, interruption, run_lock
        )
        training = _training(plan, run, data, network, taught_by, autocast)
        # From here on there is something to lose: a signal waits for the next step.
        with interruption.deferred():
            how = f" in {number_format} on {provenance.device_name(device)}"
            with EpochProgress(run.id, training.epochs, how) as progress:
                try:
                    fit(training, checkpointer, partial(_report, run, progress, teacher, taught_by))
                    trained = checkpointer.seconds
                    predictions, result = _measure(plan, training)
                    checks.finite_predictions(run, predictions)
                except checks.TrainingError:
                    checkpointer.fail(training)
                    raise
            for name, tensors in {
                runs.MODEL: _weights(network),
                runs.PREDICTIONS: predictions,
            }.items():
                run_lock.check()
                _write(folder / name, tensors)
            run_lock.check()
            runs.write_history(folder / runs.HISTORY, training.history)
            if isinstance(data, ImageData):
                config = json.dumps(_hub_config(run, data, given), indent=2)
                files.write_text(folder / runs.CONFIG, config + "\n")
            checksum = files.checksum(folder / runs.MODEL)
            proceed = partial(checkpointer.after_step, training)
            write_logit_cache(plan, run, data, network, checksum, autocast, proceed)
            record |= {
                "result": result,
                "checksums": {
                    name: files.checksum(folder / name)
                    for name in (runs.MODEL, runs.PREDICTIONS, runs.HISTORY, runs.CONFIG)
                    if name != runs.CONFIG or isinstance(data, ImageData)
                },
                **conditions,
                "compile": plan.scale.compile,
                "attempts": checkpointer.attempts,
                "earlier": checkpointer.earlier,
                "seconds": round(checkpointer.before + time.monotonic() - started, 2),
                f"{training.samples}_per_second": round(training.seen / trained, 1),
                **provenance.peak_memory(device),
            }
            run_lock.check()
            files.write_text(folder / runs.RECORD, json.dumps(record, indent=2) + "\n")
            checkpointer.clear()
    return record


def _prepare(
    plan: Plan, run: Run, data: Data, student: nn.Module, teacher: Teacher, autocast: Autocast
) -> nn.Module | answers.TeacherLogits:
    """Check the teacher, share its ends where asked for, and give what the student learns from."""
    device = next(student.parameters()).device
    checks.same_data(teacher, data)
    if plan.scale.teacher_at_chance == "stop":
        checks.better_than_chance(teacher, data)
    if run.share_ends:
        share_ends(student, teacher.network(data, device), run.id)
    checks.own_weights(run, student, teacher.weights)
    return teaching(teacher, run, data, device, autocast)


def _training(
    plan: Plan,
    run: Run,
    data: Data,
    network: nn.Module,
    taught_by: nn.Module | answers.TeacherLogits | None,
    autocast: Autocast,
) -> ImageTraining | LanguageTraining:
    recipe, decisions = plan.training(run), plan.scale_of(run).decisions
    student = (run.id, network, run.objective, taught_by)
    if isinstance(data, ImageData):
        assert isinstance(recipe, ImageRecipe)
        if plan.scale.compile:
            network.compile(dynamic=False)
        return ImageTraining(TrainingContext(*student, recipe, decisions, autocast), data)
    assert isinstance(recipe, LanguageRecipe)
    return LanguageTraining(TrainingContext(*student, recipe, decisions, autocast), data)


def _report(
    run: Run,
    progress: EpochProgress,
    teacher: Teacher | None,
    taught_by: nn.Module | answers.TeacherLogits | None,
    row: EpochMetrics,
) -> None:
    checks.finite(run, row)
    if isinstance(taught_by, nn.Module) and teacher:
        checks.untouched(run, taught_by, teacher.weights)
    progress.epoch(row)


def _measure(
    plan: Plan, training: ImageTraining | LanguageTraining
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Predictions on the test data, and the result in them."""
    if isinstance(training, ImageTraining):
        predictions = images.predictions(training)
        wrong = error(predictions["logits"], predictions["labels"])
        return predictions, {f"{plan.scale.evaluate_on} error (%)": wrong}
    predictions = language.predictions(training)
    return predictions, {
        f"{part} perplexity": perplexity(values) for part, values in predictions.items()
    }


def _hub_config(run: Run, data: ImageData, given: dict[str, Any]) -> dict[str, Any]:
    size = (data.train.images.shape[2], data.train.images.shape[3])
    extra = {k: v for k, v in given.items() if k not in HEAD}
    return hub_config(run.network, data.classes, data.channels, extra, size, data.mean, data.std)


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {key: tensor.contiguous().cpu() for key, tensor in network.state_dict().items()}


def _write(file: Path, tensors: dict[str, Tensor]) -> None:
    files.write_atomically(file, lambda part: save_file(tensors, part))
