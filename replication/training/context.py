"""What both trainers are given, and what both can do."""

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from torch import nn

from replication.config.scale import Decisions
from replication.runtime.precision import Autocast
from replication.training.teacher_logits import TeacherLogits

Recipe = TypeVar("Recipe")

EpochMetrics = dict[str, float | int | None]
"""One epoch of a history, by the names of its columns; None where an epoch lacks a number."""


@dataclass(frozen=True)
class TrainingContext(Generic[Recipe]):
    """A training: student, objective, teacher in evaluation mode or none, and recipe.

    The teacher is a network that is asked at every step, or its ``TeacherLogits``. ``decisions`` are the
    scale's on what the paper leaves open; ``autocast`` makes the context of a forward pass.
    """

    run_id: str
    network: nn.Module
    objective: str
    teacher: nn.Module | TeacherLogits | None
    recipe: Recipe
    decisions: Decisions
    autocast: Autocast


class Training(Protocol):
    """A training that goes on step by step and can be taken down and set up between any two.

    ``epochs`` is how many there will be; ``history`` has a row for each that is over.
    """

    epochs: int
    history: list[EpochMetrics]

    def step(self) -> bool:
        """Train on the next batch; whether the epoch has another after it."""

    def end_epoch(self) -> EpochMetrics:
        """Close the epoch: its line of the history, which it also keeps."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, in types that `torch.load` reads safely."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state that `state_dict` has given, network included."""
