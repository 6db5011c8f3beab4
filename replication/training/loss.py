"""An objective as a run uses it: with the scale's decisions on what the paper leaves open."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from replication.errors import InputError
from replication.objectives import OBJECTIVES
from replication.scale import Decisions
from replication.training.streams import stream

Loss = Callable[[Tensor, Tensor, Tensor | None, Tensor | None], Tensor]
"""Student logits (b, C), labels (b,), teacher logits (b, C), index of the samples (b,) -> scalar.

Teacher logits are None where there is no teacher, the index where samples have none.
"""


def bind(
    run_id: str, objective: str, decisions: Decisions, device: torch.device, size: tuple[int, int]
) -> Loss:
    """The loss of a run on a training set of ``size`` (samples, classes).

    Raises:
        InputError: (when called) DKPP is to permute each sample once and samples have no index.
    """
    generator = stream(run_id, "permutation", device)
    function = OBJECTIVES[objective]
    if objective == "ban+l":
        function = partial(function, weighting=decisions.ban_l_weighting)
    if objective == "cwtm":
        function = partial(function, weight=decisions.cwtm_weight)
    if objective == "dkpp" and decisions.dkpp_permutation == "sample":
        return _permuting_each_sample_once(function, generator, size)

    def loss(logits: Tensor, labels: Tensor, taught: Tensor | None, index: Tensor | None) -> Tensor:
        if objective == "dkpp" and decisions.dkpp_permutation == "batch":
            keys = torch.rand((1, logits.shape[-1]), generator=generator, device=logits.device)
            return function(logits, labels, taught, keys=keys)
        return function(logits, labels, taught, generator)

    return loss


def _permuting_each_sample_once(
    function: Callable[..., Tensor], generator: torch.Generator, size: tuple[int, int]
) -> Loss:
    keys = torch.rand(size, generator=generator, device=generator.device)

    def loss(logits: Tensor, labels: Tensor, taught: Tensor | None, index: Tensor | None) -> Tensor:
        if index is None:
            raise InputError("`dkpp_permutation: sample` is for images: words have no index")
        return function(logits, labels, taught, keys=keys[index])

    return loss
