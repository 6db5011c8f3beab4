"""BANE, the born-again network ensemble (§3.1)."""

from torch import Tensor


def average(logits: Tensor) -> Tensor:
    """Mean of the members' predicted distributions: logits (members, n, C) → probabilities (n, C).

    Source: §3.1.
    """
    return logits.softmax(-1).mean(0)
