"""Checks that an image data set has what a scale asks of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from replication.data.specs import ImageSpec
from replication.errors import InputError
from replication.wording import first_of

if TYPE_CHECKING:
    from torch import Tensor

MOST_NAMED_CLASSES = 5
"""The most classes that a message names."""


def check_pool(name: str, shape: Sequence[int], pool: int) -> None:
    """Raise InputError if ``pool`` does not divide the sides of (channels, height, width)."""
    _, height, width = shape
    if height % pool or width % pool:
        raise InputError(
            f"{name}: `pool`: {pool} does not divide the sides of {height} × {width} images; choose"
            " a number that divides both"
        )


def check_count(name: str, key: str, count: int, total: int) -> None:
    """Raise InputError if a ``key`` asks for more images than the data set's ``total``."""
    if count > total:
        raise InputError(
            f"{name}: `{key}` asks for {count} images, but the data set has {total}; lower it"
        )


def check_classes(name: str, part: str, labels: "Tensor", spec: ImageSpec, remedy: str) -> None:
    """Check that a part of a data set has images of every class.

    Args:
        name: the name of the data set.
        part: what its images are for: ``training``, ``test`` or ``validation``.
        labels: the labels of the images (n,).
        spec: the data set, with the number of its classes and possibly their names.
        remedy: what to do, for the message.

    Raises:
        InputError: with the names of the classes that have none.
    """
    numbers = labels.bincount(minlength=spec.classes)
    missing = [
        spec.class_names[label] if spec.class_names else str(label)
        for label in (numbers == 0).nonzero().flatten().tolist()
    ]
    if missing:
        raise InputError(
            f"{name}: no {part} image of class {first_of(missing, MOST_NAMED_CLASSES)}; {remedy}"
        )
