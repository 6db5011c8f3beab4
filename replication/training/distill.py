"""One training by a call: a network of one's own, in a notebook, with its record."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from replication.config.decisions import Decisions
from replication.config.recipes import ImageRecipe
from replication.config.yaml_model import validate
from replication.data.images import ImageData
from replication.metrics import error
from replication.objectives import Objective
from replication.plan.run import objective_tag
from replication.results.run_history import EpochMetrics
from replication.runtime.conditions import Precision, configure_precision, device_name, versions
from replication.runtime.session import errors_explained
from replication.training.checkpoint import NoCheckpoints
from replication.training.distill_inputs import (
    check_logits,
    check_modules,
    check_precision,
    choose_device,
    read_data,
    resolve_objective,
    weights_checksum,
)
from replication.training.image_trainer import ImageTrainer
from replication.training.loop import (
    TrainingContext,
    TrainingError,
    evaluation_mode,
    final_predictions,
    train_epochs,
)

DEFAULT_RECIPE: dict[str, Any] = {
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

    The order of images, their views, permutations and dropout are drawn from streams that follow
    from ``seed``, the objective with its parameters, and the teacher's weights: generations with
    one seed have streams of their own. The global random state of torch stays as it was.

    Raises:
        InputError: networks, data, objective or recipe are wrong, or do not fit each other; memory
            runs out; or the loss is not finite.
    """
    started = time.monotonic()
    check_precision(precision)
    call = Call.read(
        network, train, test, teacher, objective, seed, classes, device, parameters or {}, recipe
    )
    trainer, predictions = _train(call, network, teacher, precision)
    record = call.describe() | {
        "result": {"test error (%)": error(predictions["logits"], predictions["labels"])},
        "precision": precision,
        "device": device_name(call.device),
        "versions": versions(),
        "seconds": round(time.monotonic() - started, 2),
    }
    return Trained(network.eval(), pd.DataFrame(trainer.history), predictions["logits"], record)


@dataclass(frozen=True)
class Call:
    """What `distill` was called with, checked.

    ``stream`` is what random numbers are derived from: the objective with its parameters, the seed,
    and the teacher's weights, whose SHA-256 is ``teacher_checksum``; that is None without a
    teacher. ``data`` are on the CPU, and go to ``device``.
    """

    stream: str
    objective_name: str
    objective: Objective
    parameters: dict[str, float]
    seed: int
    recipe: ImageRecipe
    data: ImageData
    device: torch.device
    teacher_checksum: str | None

    @classmethod
    def read(
        cls,
        network: nn.Module,
        train: tuple[Tensor, Tensor],
        test: tuple[Tensor, Tensor],
        teacher: nn.Module | None,
        objective: str | Callable[..., Tensor] | None,
        seed: int,
        classes: int | None,
        device: str | torch.device | None,
        parameters: Mapping[str, float],
        recipe: Mapping[str, Any],
    ) -> "Call":
        """Check the arguments of `distill`, except for what the networks return.

        Raises:
            InputError: they are wrong, or do not fit each other.
        """
        check_modules(network, teacher)
        name, chosen = resolve_objective(
            objective or ("label" if teacher is None else "ban"), teacher, parameters
        )
        stream, checksum = f"{objective_tag(name, parameters)}.{seed}", None
        if teacher is not None:
            checksum = weights_checksum(teacher)
            stream = f"{checksum[:16]}/{stream}"
        return cls(
            stream=f"distill/{stream}",
            objective_name=name,
            objective=chosen,
            parameters={key: float(value) for key, value in parameters.items()},
            seed=seed,
            recipe=validate(ImageRecipe, {**DEFAULT_RECIPE, **recipe}, "distill"),
            data=read_data(train, test, classes),
            device=choose_device(device),
            teacher_checksum=checksum,
        )

    def describe(self) -> dict[str, Any]:
        """The part of the record that is known before the training."""
        checksum, data = self.teacher_checksum, self.data
        return {
            "objective": self.objective_name,
            "parameters": self.parameters,
            "seed": self.seed,
            "stream": self.stream,
            "teacher": {"weights_sha256": checksum} if checksum else None,
            "recipe": self.recipe.model_dump(mode="json"),
            "dataset": {
                "sha256": data.fingerprint,
                "classes": data.classes,
                "mean": data.mean,
                "std": data.std,
            },
        }


def _train(
    call: Call, network: nn.Module, teacher: nn.Module | None, precision: Precision
) -> tuple[ImageTrainer, dict[str, Tensor]]:
    """Train the network; the trainer at the end, and its predictions on the test images."""

    def check_teacher(metrics: EpochMetrics) -> None:
        if teacher is not None and weights_checksum(teacher) != call.teacher_checksum:
            raise TrainingError(
                f"{call.stream}: the teacher changed while its student was training"
            )

    with _left_as_found(teacher, call.device), errors_explained(call.stream):
        data = call.data.to(call.device)
        network.to(call.device).to(memory_format=torch.channels_last)
        check_logits(network, teacher, data)
        context = TrainingContext(
            run_id=call.stream,
            network=network,
            objective_name=call.objective_name,
            objective=call.objective,
            teacher=teacher,
            recipe=call.recipe,
            decisions=Decisions(),
            autocast=configure_precision(precision, call.device),
            parameters=call.parameters,
        )
        trainer = ImageTrainer(context, data)
        train_epochs(trainer, NoCheckpoints(), check_teacher)
        return trainer, final_predictions(trainer)


@contextmanager
def _left_as_found(teacher: nn.Module | None, device: torch.device) -> Iterator[None]:
    """The teacher on a device, in evaluation mode; afterwards it and torch are as they were.

    That is the teacher's device and the mode of each of its modules, torch's global generators, and
    whether CUDA computes in TF32. Gradients are computed even if the caller has switched that off.
    """
    units: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    number_formats = [unit.fp32_precision for unit in units]
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]
    initialised = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    generators = range(torch.cuda.device_count()) if initialised else ()
    try:
        with (
            torch.inference_mode(mode=False),
            torch.enable_grad(),
            torch.random.fork_rng(devices=generators),
            _teacher_at_work(teacher, device),
        ):
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
