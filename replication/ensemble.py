"""BANE, the born-again network ensemble (§3.1)."""

import math

from torch import Tensor


def average(logits: Tensor) -> Tensor:
    """Mean of the members' predicted distributions: logits (members, n, C) → probabilities (n, C).

    Source: §3.1.
    """
    return logits.softmax(-1).mean(0)


def log_average(logits: Tensor) -> Tensor:
    """Logarithm of `average`: logits (members, n, C) → log-probabilities (n, C).

    Computed in logarithms, because in double precision a probability below 1e-308 is zero.
    """
    return logits.log_softmax(-1).logsumexp(0) - math.log(len(logits))
