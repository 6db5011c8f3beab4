"""An objective as a run uses it: with the scale's decisions on what the paper leaves open."""

from functools import partial

import torch
from torch import Tensor

from replication.config.scale import Decisions
from replication.errors import InputError
from replication.objectives import OBJECTIVES
from replication.runtime.seeding import make_generator


class Loss:
    """The loss of a run; DKPP draws its permutations from ``generator``.

    Called with student logits (b, C), labels (b,), teacher logits (b, C) or None, and the index of
    the samples (b,) or None where they have none, it returns a scalar. ``size`` is that of the
    training set: samples, classes.
    """

    def __init__(
        self,
        run_id: str,
        objective: str,
        decisions: Decisions,
        device: torch.device,
        size: tuple[int, int],
    ) -> None:
        self.generator = make_generator(run_id, "permutation", device)
        self.function = OBJECTIVES[objective]
        if objective == "ban+l":
            self.function = partial(self.function, weighting=decisions.ban_l_weighting)
        if objective == "cwtm":
            self.function = partial(self.function, weight=decisions.cwtm_weight)
        self.permutation = decisions.dkpp_permutation if objective == "dkpp" else None
        if self.permutation == "sample":
            self.keys = torch.rand(size, generator=self.generator, device=device)

    def __call__(
        self, logits: Tensor, labels: Tensor, teacher_logits: Tensor | None, index: Tensor | None
    ) -> Tensor:
        """The loss of a batch.

        Raises:
            InputError: DKPP has to permute each sample once, and samples have no index.
        """
        if self.permutation == "sample":
            if index is None:
                raise InputError("`dkpp_permutation: sample` is for images: words have no index")
            return self.function(logits, labels, teacher_logits, keys=self.keys[index])
        if self.permutation == "batch":
            shape = (1, logits.shape[-1])
            keys = torch.rand(shape, generator=self.generator, device=logits.device)
            return self.function(logits, labels, teacher_logits, keys=keys)
        return self.function(logits, labels, teacher_logits, self.generator)
