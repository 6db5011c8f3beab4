"""An objective as a run uses it: with the scale's decisions on what the paper leaves open."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from replication.config.scale import Decisions
from replication.errors import InputError
from replication.objectives import OBJECTIVES, Objective
from replication.runtime.seeding import make_generator


class Loss:
    """The loss of a run; DKPP draws its permutations from ``generator``.

    Called with student logits (b, C), labels (b,), teacher logits (b, C) or None, and the index of
    the samples (b,) or None where they have none, it returns a scalar. ``size`` is that of the
    training set: samples, classes. ``parameters`` are the objective's; ``found`` is one's own.
    """

    def __init__(
        self,
        run_id: str,
        objective: str,
        decisions: Decisions,
        device: torch.device,
        size: tuple[int, int],
        parameters: Mapping[str, float] = MappingProxyType({}),
        found: Objective | None = None,
    ) -> None:
        self.generator = make_generator(run_id, "permutation", device)
        self.objective, self.checked = objective, found in (None, OBJECTIVES.get(objective))
        found = found or OBJECTIVES[objective]
        choice = getattr(decisions, found.decision) if found.decision else None
        options = {found.option: choice} if found.option else {}
        self.function: Callable[..., Tensor] = partial(found.function, **options, **parameters)
        self.permutation = choice if objective == "dkpp" else None
        if self.permutation == "sample":
            self.keys = torch.rand(size, generator=self.generator, device=device)

    def __call__(
        self, logits: Tensor, labels: Tensor, teacher_logits: Tensor | None, index: Tensor | None
    ) -> Tensor:
        """The loss of a batch.

        Raises:
            InputError: DKPP has to permute each sample once, and samples have no index; or an
                objective of one's own fails, or returns something else than a finite scalar.
        """
        if not self.checked:
            self.checked = True
            return self._first(logits, labels, teacher_logits)
        if self.permutation == "sample":
            if index is None:
                raise InputError("`dkpp_permutation: sample` is for images: words have no index")
            return self.function(logits, labels, teacher_logits, keys=self.keys[index])
        return self.function(logits, labels, teacher_logits, self.generator)

    def _first(self, logits: Tensor, labels: Tensor, teacher_logits: Tensor | None) -> Tensor:
        """The first loss of an objective of one's own, checked."""
        try:
            loss = self.function(logits, labels, teacher_logits)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"objective `{self.objective}`: failed ({type(error).__name__}: {reason}); it is"
                " called with student logits, labels, teacher logits or None, and its parameters"
            ) from None
        if not isinstance(loss, Tensor) or loss.ndim:
            what = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            problem = f"returned {what} instead of a scalar; take the mean over the batch"
        elif not loss.isfinite():
            problem = f"returned {loss.item()} in the first step; correct it"
        elif not loss.requires_grad:
            problem = "does not depend on the student's logits; correct it"
        else:
            return loss
        raise InputError(f"objective `{self.objective}`: {problem}")
