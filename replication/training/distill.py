"""One training by a call: a network of one's own, in a notebook, with its record."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from replication.config.scale import Decisions, ImageRecipe
from replication.config.yaml_model import validate
from replication.errors import InputError
from replication.metrics import error
from replication.plan.run import objective_tag
from replication.results.run_history import EpochMetrics
from replication.runtime.conditions import Precision, configure_precision, device_name, versions
from replication.runtime.session import errors_explained
from replication.training.checkpoint import NoCheckpoints
from replication.training.distill_inputs import (
    check_logits,
    check_modules,
    find_objective,
    read_data,
    weights_checksum,
)
from replication.training.image_trainer import EVALUATION_BATCH, ImageTrainer
from replication.training.loop import (
    TrainingContext,
    TrainingError,
    evaluation_mode,
    final_predictions,
    train_epochs,
)

DEFAULTS: dict[str, Any] = {
    "epochs": 30,
    "batch_size": 128,
    "learning_rate": 0.1,
    "milestones": [],
    "weight_decay": 5e-4,
}
"""The recipe where the caller does not give its keys."""


@dataclass(frozen=True)
class Trained:
    """A trained network in evaluation mode, and what came of its training.

    ``history`` has a line per epoch, ``logits`` (n, classes) are those on the test images, and
    ``record`` says what the training was: recipe, result, versions, device, seconds.
    """

    network: nn.Module
    history: pd.DataFrame
    logits: Tensor
    record: dict[str, Any]

    @property
    def test_error(self) -> float:
        """Test error in percent."""
        return float(self.record["result"]["test error (%)"])


def distill(
    network: nn.Module,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    teacher: nn.Module | None = None,
    objective: str | Callable[..., Tensor] | None = None,
    *,
    seed: int = 0,
    classes: int | None = None,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
    parameters: Mapping[str, float] | None = None,
    **recipe: Any,
) -> Trained:
    """Train a network on labels, or on a teacher's predictions, as a run of a study does.

    ``network`` keeps its weights as they are and is trained in place: build it under a seed. In a
    network in training mode, parts that are in evaluation mode stay in it, so that the statistics
    of a frozen normalisation layer are not changed; a network in evaluation mode as a whole is
    trained as a whole. ``train`` and ``test`` are images (n, channels, height, width), uint8 or
    floats in [0, 1], and labels (n,), whole numbers from 0 on; they are normalised by the training
    images, for the teacher as well. ``classes`` is the number of classes, by default one more than
    the largest label.

    ``objective`` is a name of `OBJECTIVES`, or a function of student logits, labels, teacher logits
    and its ``parameters`` to a scalar; by default ``ban`` with a teacher and ``label`` without.
    ``recipe`` are keys of the scale's `images`: epochs, learning_rate, optimizer and so on. The
    teacher is run in evaluation mode at every step and left as it was.

    The order of images, their views, permutations and drop-out are drawn from streams that follow
    from ``seed``, the objective with its parameters, and the teacher's weights: generations with
    one seed have streams of their own. The global random state of torch stays as it was.

    Raises:
        InputError: networks, data, objective or recipe are wrong, or do not fit each other; memory
            runs out; or the loss is not finite.
    """
    started = time.monotonic()
    numbers = dict(parameters or {})
    check_modules(network, teacher)
    chosen_name = objective or ("ban" if teacher is not None else "label")
    name, chosen = find_objective(chosen_name, teacher, numbers)
    settings = validate(ImageRecipe, {**DEFAULTS, **recipe}, "distill")
    data, target = read_data(train, test, classes), _find_device(device)
    stream = f"distill/{objective_tag(name, numbers)}.{seed}"
    if teacher is not None:
        taught_by = weights_checksum(teacher)
        stream = f"distill/{taught_by[:16]}/{objective_tag(name, numbers)}.{seed}"

    def report(metrics: EpochMetrics) -> None:
        if teacher is not None and weights_checksum(teacher) != taught_by:
            raise TrainingError(f"{stream}: the teacher has changed while its student trained")

    with _left_as_found(teacher, target), errors_explained(stream):
        data = data.to(target)
        network.to(target).to(memory_format=torch.channels_last)
        check_logits(network, teacher, data)
        context = TrainingContext(
            run_id=stream,
            network=network,
            objective_name=name,
            objective=chosen,
            teacher=teacher,
            recipe=settings,
            decisions=Decisions(),
            autocast=configure_precision(precision, target),
            parameters=numbers,
        )
        trainer = ImageTrainer(context, data)
        train_epochs(trainer, NoCheckpoints(), report)
        predictions = final_predictions(trainer)
    record = {
        "objective": name,
        "parameters": numbers,
        "seed": seed,
        "stream": stream,
        "teacher": {"weights_sha256": taught_by} if teacher is not None else None,
        "recipe": settings.model_dump(mode="json"),
        "result": {"test error (%)": error(predictions["logits"], predictions["labels"])},
        "dataset": {
            "sha256": data.fingerprint,
            "classes": data.classes,
            "mean": data.mean,
            "std": data.std,
        },
        "precision": precision,
        "device": device_name(target),
        "versions": versions(),
        "seconds": round(time.monotonic() - started, 2),
    }
    return Trained(network.eval(), pd.DataFrame(trainer.history), predictions["logits"], record)


def _find_device(device: str | torch.device | None) -> torch.device:
    try:
        target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, TypeError):
        raise InputError(f"device: {device!r} is none; use cpu or cuda") from None
    if target.type not in EVALUATION_BATCH:
        raise InputError(f"device: `{target.type}` is not supported; use cpu or cuda")
    if target.type == "cuda" and not torch.cuda.is_available():
        raise InputError("device: PyTorch finds no CUDA device; use cpu")
    return target


@contextmanager
def _left_as_found(teacher: nn.Module | None, device: torch.device) -> Iterator[None]:
    """The teacher on a device, in evaluation mode; afterwards it and torch are as they were.

    That is the teacher's device and the mode of each of its modules, torch's global generators, and
    whether CUDA computes in TF32.
    """
    units: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    number_formats = [unit.fp32_precision for unit in units]
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]
    initialised = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    generators = range(torch.cuda.device_count()) if initialised else ()
    try:
        with torch.random.fork_rng(devices=generators), _teacher_at_work(teacher, device):
            yield
    finally:
        for unit, number_format in zip(units, number_formats, strict=True):
            unit.fp32_precision = number_format


@contextmanager
def _teacher_at_work(teacher: nn.Module | None, device: torch.device) -> Iterator[None]:
    if teacher is None:
        yield
        return
    places = {tensor.device for tensor in (*teacher.parameters(), *teacher.buffers())}
    try:
        with evaluation_mode(teacher.to(device)):
            yield
    finally:
        if len(places) == 1:
            teacher.to(places.pop())
