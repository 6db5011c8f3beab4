"""What both trainers share: their inputs, the loop over epochs, and its resumption."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from replication.config.custom_objectives import find_objective
from replication.config.scale import Decisions
from replication.errors import InputError
from replication.objectives import Objective
from replication.results.run_history import EpochMetrics
from replication.runtime.precision import Autocast
from replication.runtime.seeding import derive_seed, global_rng_state, set_global_rng_state
from replication.training.checkpoint import Checkpointer
from replication.training.loss import Loss
from replication.training.teacher_logits import TeacherLogits

Recipe = TypeVar("Recipe")


class TrainingError(InputError):
    """The training cannot lead to a result; it is stopped."""


@dataclass(frozen=True)
class TrainingContext(Generic[Recipe]):
    """A training: student, objective, recipe, and a teacher in evaluation mode or none.

    The teacher is a network that runs at every step, or its stored `TeacherLogits`. ``decisions``
    are the scale's on what the paper leaves open; ``autocast`` makes the context manager of a
    forward pass. ``parameters`` are the objective's; one's own objective is ``found``, or lies in
    ``folder``.
    """

    run_id: str
    network: nn.Module
    objective: str
    teacher: nn.Module | TeacherLogits | None
    recipe: Recipe
    decisions: Decisions
    autocast: Autocast
    parameters: Mapping[str, float] = field(default_factory=dict)
    folder: Path = Path()
    found: Objective | None = None

    def loss(self, device: torch.device, size: tuple[int, int]) -> Loss:
        """The loss of the run; ``size`` is that of the training set: samples, classes."""
        return Loss(
            self.run_id,
            self.objective,
            self.decisions,
            device,
            size,
            self.parameters,
            self.found or find_objective(self.objective, self.folder),
        )


class Trainer(ABC, Generic[Recipe]):
    """Trains a network step by step; its state can be saved and restored between any two steps.

    ``epochs`` is how many there will be, ``history`` has the metrics of those that are finished,
    and ``samples_seen`` is the number of samples in all epochs, in the trainer's ``unit``. The
    last epoch's weights stay in the network.
    """

    unit: ClassVar[str]
    samples_seen: int

    def __init__(
        self, context: TrainingContext[Recipe], device: torch.device, epochs: int, loss: Loss
    ) -> None:
        self.context, self.recipe, self.network = context, context.recipe, context.network
        self.device, self.epochs, self.loss = device, epochs, loss
        self.history: list[EpochMetrics] = []
        self.steps_done = 0
        torch.manual_seed(derive_seed(context.run_id, "dropout"))
        if isinstance(context.teacher, nn.Module):
            assert not context.teacher.training
        self.network.train()

    @abstractmethod
    def begin_epoch(self) -> None:
        """Draw the epoch's batches and reset its sums."""

    @abstractmethod
    def step(self) -> bool:
        """Train on the next batch; returns whether the epoch has another one."""

    @abstractmethod
    def epoch_metrics(self) -> EpochMetrics:
        """Evaluate where due, and return the finished epoch's line of the history."""

    @abstractmethod
    def predictions(self) -> dict[str, Tensor]:
        """What a run leaves for its tables, on the CPU, as `read_predictions` reads it."""

    def end_epoch(self) -> EpochMetrics:
        """Close the epoch and begin the next one, if there is one."""
        metrics = self.epoch_metrics()
        self.history.append(metrics)
        if len(self.history) < self.epochs:
            self.begin_epoch()
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, in types that `torch.load` reads safely."""
        return {
            "network": self.network.state_dict(),
            "history": self.history,
            "steps_done": self.steps_done,
            "permutation": self.loss.generator.get_state(),
            "rng": global_rng_state(self.device),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`, network included."""
        self.network.load_state_dict(state["network"])
        self.history, self.steps_done = state["history"], state["steps_done"]
        self.loss.generator.set_state(state["permutation"])
        set_global_rng_state(state["rng"], self.device)


def train_epochs(
    trainer: Trainer[Any], checkpointer: Checkpointer, report: Callable[[EpochMetrics], None]
) -> None:
    """Train to the last epoch, from the newest intact checkpoint if there is one.

    ``report`` receives each line of the history when its epoch ends.

    Raises:
        Interrupted: a signal has stopped the training; a checkpoint is saved.
        InputError: as `Checkpointer.restore` and `Checkpointer.save`, and what ``report`` raises.
        TrainingError: the loss is not finite.
    """
    checkpointer.restore(trainer)
    while len(trainer.history) < trainer.epochs:
        while trainer.step():
            checkpointer.after_step(trainer)
        metrics = trainer.end_epoch()
        _check_finite(trainer.context.run_id, metrics)
        report(metrics)
        checkpointer.after_epoch(trainer)


def _check_finite(run_id: str, metrics: EpochMetrics) -> None:
    keys = ("train_loss", "validation_perplexity")
    if not all(math.isfinite(metrics.get(key) or 0) for key in keys):
        raise TrainingError(
            f"{run_id}: the loss is not finite in epoch {metrics['epoch']}; lower `learning_rate`"
            " in the scale"
        )


def check_finite_predictions(run_id: str, predictions: Mapping[str, Tensor]) -> None:
    """The last step can diverge after its epoch's loss was computed.

    Raises:
        TrainingError: a prediction is not finite.
    """
    if not all(tensor.isfinite().all() for tensor in predictions.values()):
        raise TrainingError(
            f"{run_id}: the predictions are not finite after the last step; lower `learning_rate`"
            " in the scale"
        )
