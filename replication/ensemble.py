"""BANE, the born-again network ensemble (§3.1): the only means over several networks."""

import math

from torch import Tensor


def average(logits: Tensor) -> Tensor:
    """Mean of the members' predicted distributions: logits (members, n, C) → probabilities (n, C).

    Source: §3.1.
    """
    return logits.softmax(-1).mean(0)


def log_average(logits: Tensor) -> Tensor:
    """Logarithm of `average`, in nats: logits (members, n, C) → log-probabilities (n, C).

    Computed from logarithms, because a probability below 1e-308 is zero, and its logarithm is not
    finite.
    """
    return logits.log_softmax(-1).logsumexp(0) - math.log(len(logits))


def average_logits(logits: Tensor) -> Tensor:
    """Mean of the members' logits, the other reading of §3.1: (members, n, C) → logits (n, C)."""
    return logits.mean(0)
