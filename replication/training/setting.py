"""What both trainers are given."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import nn

from replication.scale import Decisions

Recipe = TypeVar("Recipe")

Row = dict[str, float | int | None]
"""One epoch of a history, by the names of its columns; None where an epoch lacks a number."""


@dataclass(frozen=True)
class Setting(Generic[Recipe]):
    """A training: student, objective, teacher in evaluation mode or none, and recipe.

    ``decisions`` are the scale's on what the paper leaves open; ``autocast`` makes the context of a
    forward pass.
    """

    run_id: str
    network: nn.Module
    objective: str
    teacher: nn.Module | None
    recipe: Recipe
    decisions: Decisions
    autocast: Callable[[], AbstractContextManager[object]]
