"""How many answers a teacher has to give, and how much room they take; no torch is needed."""

import math

from replication.config.scale import ImageRecipe

BYTES = 2


def count_views(recipe: ImageRecipe) -> int:
    """How many views of an image there are: (2 · padding + 1)² crops, twice with mirroring."""
    return (2 * recipe.crop_padding + 1) ** 2 * (2 if recipe.flip else 1)


def size(shape: tuple[int, int, int]) -> int:
    """Bytes of answers (views, samples, classes)."""
    return BYTES * math.prod(shape)


def fit(shape: tuple[int, int, int], limit_gib: float) -> bool:
    """Whether answers (views, samples, classes) are within the limit."""
    return size(shape) <= limit_gib * 2**30
