"""An objective as one training uses it: with the scale's decisions and its own random numbers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Generator, Tensor

from replication.errors import InputError
from replication.objectives import OBJECTIVES, Objective


class Loss:
    """An objective as one training uses it.

    ``name`` is what messages call the objective; DKPP draws from ``generator``. ``decision`` is the
    scale's reading of what the paper leaves open, if the objective has such an `Objective.option`;
    ``parameters`` are numbers by name. Where DKPP permutes each sample once, ``keys`` (n, C) are
    those of all n training samples, as in `permute_dark_knowledge`.
    """

    def __init__(
        self,
        name: str,
        objective: Objective,
        generator: Generator,
        decision: str | None = None,
        parameters: Mapping[str, float] = MappingProxyType({}),
        keys: Tensor | None = None,
    ) -> None:
        self.name, self.objective, self.generator, self.keys = name, objective, generator, keys
        self.options: dict[str, Any] = {**parameters}
        if objective.option:
            self.options[objective.option] = decision
        # An objective of one's own is checked at its first step.
        self.is_checked = objective is OBJECTIVES.get(name)

    def __call__(
        self, logits: Tensor, labels: Tensor, teacher_logits: Tensor | None, index: Tensor | None
    ) -> Tensor:
        """The loss of a batch, a scalar.

        Takes student logits (b, C), labels (b,), teacher logits (b, C) or None, and the place of
        each sample (b,) in the training set, or None where samples have none, as words.

        Raises:
            InputError: an objective of one's own fails, or returns no finite scalar that depends
                on the student's logits.
        """
        options = self.options
        if self.keys is not None:
            options = {**options, "keys": self.keys[index]}
        if self.is_checked:
            return self.objective(logits, labels, teacher_logits, self.generator, **options)
        self.is_checked = True
        return self._first(logits, labels, teacher_logits)

    def _first(self, logits: Tensor, labels: Tensor, teacher_logits: Tensor | None) -> Tensor:
        try:
            loss = self.objective(logits, labels, teacher_logits, self.generator, **self.options)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"objective `{self.name}`: failed ({type(error).__name__}: {reason}); it is called"
                " with student logits, labels, teacher logits or None, and its parameters"
            ) from None
        if not isinstance(loss, torch.Tensor) or loss.ndim:
            shape = getattr(loss, "shape", None)
            what = type(loss).__name__ if shape is None else f"shape {tuple(shape)}"
            problem = f"returned {what} instead of a scalar; take the mean over the batch"
        elif not loss.isfinite():
            problem = f"returned {loss.item()} in the first step; correct it"
        elif not loss.requires_grad:
            problem = "does not depend on the student's logits; correct it"
        else:
            return loss
        raise InputError(f"objective `{self.name}`: {problem}")
