"""The size of a file of teacher logits, in half precision."""

import math

BYTES = 2


def size(shape: tuple[int, int, int]) -> int:
    """Bytes of teacher logits (views, samples, classes)."""
    return BYTES * math.prod(shape)


def fit(shape: tuple[int, int, int], limit_gib: float) -> bool:
    """Whether teacher logits (views, samples, classes) are within the limit."""
    return size(shape) <= limit_gib * 2**30
