"""What all training runs share: inputs, random numbers, the only loop over epochs, progress.

Random numbers come from streams that are independent of each other and derived from the training's
id.
"""

import hashlib
import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

import torch
from torch import Tensor, nn

from replication.config.decisions import Decisions
from replication.errors import InputError
from replication.objectives import Objective
from replication.objectives.loss import Loss
from replication.results.run_history import EpochMetrics
from replication.runtime.conditions import Autocast
from replication.training.checkpoint import Checkpointer, NoCheckpoints
from replication.training.teacher_logits import TeacherLogits

Recipe = TypeVar("Recipe")
Purpose = Literal["initialisation", "order", "augmentation", "permutation", "dropout"]
GeneratorState = dict[str, Any]
"""The state of one generator: ``device``, the type of its device, and ``state``, bytes (n,)."""
PRINTED_METRICS = ("train_loss", "train_error", "test_error", "validation_perplexity")
"""The columns of the history that are shown after every epoch."""


class TrainingError(InputError):
    """The training cannot lead to a result; it is stopped."""


@dataclass(frozen=True)
class TrainingContext(Generic[Recipe]):
    """One training: a network, what it learns from, and how.

    ``run_id`` names the training in messages, and its random streams are derived from it.
    ``network`` is trained in place. One for images maps (b, channels, height, width) to logits
    (b, classes); a language model maps word ids (steps, b) and a hidden state to logits
    (steps, b, words) and the next state. ``objective`` is the loss, called ``objective_name`` in
    messages, and ``parameters`` are its numbers by name.

    ``teacher`` is a network of the same kind in evaluation mode, which runs at every step; or its
    stored `TeacherLogits` (views, n, classes); or None. ``recipe`` has epochs, batch size and
    learning rates; ``decisions`` are the scale's on what the paper leaves open; ``autocast`` makes
    the context manager of a forward pass, which sets its number format.
    """

    run_id: str
    network: nn.Module
    objective_name: str
    objective: Objective
    teacher: nn.Module | TeacherLogits | None
    recipe: Recipe
    decisions: Decisions
    autocast: Autocast
    parameters: Mapping[str, float] = field(default_factory=dict)

    def make_loss(self, device: torch.device, size: tuple[int, int] | None) -> Loss:
        """The loss of the training, with random numbers of its own.

        ``size`` is that of the training set, samples and classes; None for words, which have no
        place in the training set that an epoch could come back to.

        Raises:
            InputError: DKPP has to permute each sample once, and the samples are words.
        """
        decision, keys = None, None
        if self.objective.decision:
            decision = getattr(self.decisions, self.objective.decision)
        if self.objective_name == "dkpp" and decision == "sample":
            if size is None:
                raise InputError("`dkpp_permutation: sample` is for images: words have no index")
            # On the CPU, so that a training that moves to another device keeps its permutations.
            keys = torch.rand(size, generator=make_generator(self.run_id, "permutation")).to(device)
        return Loss(
            self.objective_name,
            self.objective,
            make_generator(self.run_id, "permutation", device),
            decision,
            self.parameters,
            keys,
        )


class Trainer(ABC, Generic[Recipe]):
    """Trains a network step by step; its state can be saved and restored between any two steps.

    ``epochs`` is how many there will be, ``history`` has the metrics of those that are finished,
    and ``samples_seen`` is the number of samples in all epochs, in the trainer's ``unit``. The
    last epoch's weights stay in the network.

    A network that is in evaluation mode as a whole is put into training mode. One in training mode
    is taken as it is: parts of it that are in evaluation mode, such as frozen normalisation layers,
    stay in it.
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
        if not self.network.training:
            self.network.train()

    @abstractmethod
    def begin_epoch(self) -> None:
        """Draw the epoch's batches, set its learning rate, and reset its sums."""

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
            "permutation": generator_state(self.loss.generator),
            "global_generators": global_generator_states(self.device),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`, network included, even on another device."""
        self.network.load_state_dict(state["network"])
        self.history, self.steps_done = state["history"], state["steps_done"]
        restore_generator(self.loss.generator, state["permutation"])
        restore_global_generators(state["global_generators"], self.device)


def train_epochs(
    trainer: Trainer[Any],
    checkpoints: Checkpointer | NoCheckpoints,
    report: Callable[[EpochMetrics], object],
) -> None:
    """Train to the last epoch, from the newest intact checkpoint if there is one.

    ``report`` receives each line of the history when its epoch ends.

    Raises:
        Interrupted: a signal has stopped the training; a checkpoint is saved.
        InputError: as `Checkpointer.restore` and `Checkpointer.save`, and what ``report`` raises.
        TrainingError: the loss is not finite.
    """
    checkpoints.restore(trainer)
    while len(trainer.history) < trainer.epochs:
        while trainer.step():
            checkpoints.after_step(trainer)
        metrics = trainer.end_epoch()
        _check_finite(trainer.context.run_id, metrics)
        report(metrics)
        checkpoints.after_epoch(trainer)


def _check_finite(run_id: str, metrics: EpochMetrics) -> None:
    keys = ("train_loss", "validation_perplexity")
    if not all(math.isfinite(metrics.get(key) or 0) for key in keys):
        raise TrainingError(
            f"{run_id}: the loss is not finite in epoch {metrics['epoch']}; lower `learning_rate`"
        )


def final_predictions(trainer: Trainer[Any]) -> dict[str, Tensor]:
    """The predictions of a trained network, on the CPU, as `Trainer.predictions`.

    Raises:
        TrainingError: one is not finite: the last step diverged after its epoch's loss was
            computed.
    """
    predictions = trainer.predictions()
    if not all(tensor.isfinite().all() for tensor in predictions.values()):
        raise TrainingError(
            f"{trainer.context.run_id}: the predictions are not finite after the last step; lower"
            " `learning_rate`"
        )
    return predictions


def derive_seed(run_id: str, purpose: Purpose) -> int:
    """A 56-bit seed: the same for the same run and purpose, unrelated to every other."""
    return int.from_bytes(hashlib.sha256(f"{run_id}\n{purpose}".encode()).digest()[:7])


def make_generator(
    run_id: str, purpose: Purpose, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A generator for one purpose of one run."""
    return torch.Generator(device).manual_seed(derive_seed(run_id, purpose))


def generator_state(generator: torch.Generator) -> GeneratorState:
    """The state of a generator, for `restore_generator`."""
    return {"device": generator.device.type, "state": generator.get_state()}


def restore_generator(generator: torch.Generator, saved: GeneratorState) -> None:
    """Continue from a state returned by `generator_state`.

    CPU and GPU draw by different algorithms, so neither can continue from the state of the
    other. A generator on another type of device stays as it is: at the beginning of its stream.
    """
    if saved["device"] == generator.device.type:
        generator.set_state(saved["state"])


def global_generator_states(device: torch.device) -> list[GeneratorState]:
    """The states of torch's global generators, from which dropout draws."""
    states = [{"device": "cpu", "state": torch.get_rng_state()}]
    if device.type == "cuda":
        states.append({"device": "cuda", "state": torch.cuda.get_rng_state(device)})
    return states


def restore_global_generators(saved: list[GeneratorState], device: torch.device) -> None:
    """Continue from states returned by `global_generator_states`, as `restore_generator` does."""
    for generator in saved:
        if generator["device"] == "cpu":
            torch.set_rng_state(generator["state"])
        elif device.type == "cuda":
            torch.cuda.set_rng_state(generator["state"], device)


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[nn.Module]:
    """The network in evaluation mode; afterwards each of its modules is in the mode that it had."""
    modes = {module: module.training for module in network.modules()}
    try:
        yield network.eval()
    finally:
        for module, training in modes.items():
            module.training = training


class EpochProgress:
    """Reports each epoch of a run, with its metrics and the time left, on standard error."""

    def __init__(self, run_id: str, epochs: int, setting: str = "") -> None:
        """``setting`` names device and precision and is printed once."""
        self.epochs, self.first, self.start = epochs, 0, time.monotonic()
        _print(f"{run_id.rsplit('/', 1)[-1]}: {epochs} epochs{setting}")

    def report(self, metrics: EpochMetrics) -> None:
        """Report a finished epoch."""
        epoch = int(metrics["epoch"] or 0)
        self.first = self.first or epoch  # a resumed run does not begin with epoch 1
        shown = "  ".join(
            f"{key.replace('_', ' ')} {value:.4g}"
            for key in PRINTED_METRICS
            if (value := metrics.get(key)) is not None
        )
        each = (time.monotonic() - self.start) / (epoch - self.first + 1)
        left = each * (self.epochs - epoch)
        _print(f"epoch {epoch}/{self.epochs}  {shown}  {each:.3g} s each, {left:.0f} s left")


def _print(line: str) -> None:
    # A terminal that was closed takes no more lines, and the training has yet to save its state.
    with suppress(OSError):
        print(line, file=sys.stderr)
