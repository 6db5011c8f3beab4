"""Image data sets as tensors: no loader workers, batches by indexing."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import torch
from numpy.typing import NDArray
from torch import Tensor

from replication.data.specs import PARTS

CHUNK = 64
"""Images that are converted at once."""


class Items(NamedTuple):
    """Images (n, channels, height, width) in float32, in [0, 1] until they are normalised, and
    their labels (n,) in int64. As loaders give them, pixels may be in uint8."""

    images: Tensor
    labels: Tensor

    @classmethod
    def from_arrays(cls, images: NDArray[Any], labels: NDArray[Any]) -> Self:
        """The same arrays as tensors, in the same memory."""
        return cls(torch.from_numpy(images), torch.from_numpy(labels))

    def take(self, index: Tensor) -> "Items":
        """The items at ``index``, in its order."""
        return Items(self.images[index], self.labels[index])


def parts_of(arrays: Mapping[str, NDArray[Any]]) -> list[Items]:
    """The training and the test part of a whole data set with these prepared arrays."""
    return [Items.from_arrays(arrays[f"{part}-images"], arrays[f"{part}-labels"]) for part in PARTS]


@dataclass(frozen=True)
class ImageData:
    """A data set ready for training.

    ``train`` and ``evaluation`` hold images (n, channels, height, width) in float32, normalised to
    mean 0 and variance 1 per channel over the training images; ``mean`` and ``std`` are the
    constants of that normalisation, for pixels in [0, 1]. The numbers of channels that have one
    value in all training images are in ``constant_channels``; these are not scaled, and their
    ``std`` is 1. ``fingerprint`` is a SHA-256 of every image and label in order.
    """

    train: Items
    evaluation: Items
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str
    constant_channels: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.train.images.shape[1]

    def to(self, device: torch.device) -> "ImageData":
        """The same data on another device."""
        train, evaluation = (
            Items(*(tensor.to(device) for tensor in part)) for part in (self.train, self.evaluation)
        )
        return replace(self, train=train, evaluation=evaluation)

    @property
    def size(self) -> str:
        """The size of an image, for people to read."""
        channels, height, width = self.train.images.shape[1:]
        return f"{height} × {width} × {channels} (height × width × channels)"

    @property
    def counts(self) -> dict[str, Any]:
        """What a run records of the data beside their name and fingerprint."""
        parts = {"train": len(self.train.labels), "evaluation": len(self.evaluation.labels)}
        return {"classes": self.classes, **parts, "mean": self.mean, "std": self.std}

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept beside the arrays of prepared data, as plain data."""
        return {
            "classes": self.classes,
            "mean": [*self.mean],
            "std": [*self.std],
            "constant_channels": [*self.constant_channels],
        }

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The images and labels of both parts, by names that `from_arrays` takes back."""
        return {
            f"{part}-{content}": tensor.numpy()
            for part, items in (("train", self.train), ("evaluation", self.evaluation))
            for content, tensor in zip(Items._fields, items, strict=True)
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], fingerprint: str
    ) -> Self:
        """The data with these `arrays` and `facts`, in the same memory."""
        train, evaluation = (
            Items.from_arrays(*(arrays[f"{part}-{content}"] for content in Items._fields))
            for part in ("train", "evaluation")
        )
        constants = {key: tuple(facts[key]) for key in ("mean", "std", "constant_channels")}
        return cls(train, evaluation, facts["classes"], fingerprint=fingerprint, **constants)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, on which sums have the same order everywhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def unit_pixels(images: Tensor) -> Tensor:
    """Images in float32; whole numbers from 0 to 255 become numbers in [0, 1]."""
    return images / 255 if images.dtype == torch.uint8 else images.float()


def normalise(train: Items, test: Items, classes: int, *, overwrite: bool = False) -> ImageData:
    """Both parts with mean 0 and variance 1 per channel over the training images.

    A channel that has one value in all training images gets mean 0 and is not scaled. With
    ``overwrite`` the normalised images take the place of those that were given.
    """
    digest = hashlib.sha256()
    for tensor in (*train, *test):
        digest.update(tensor.contiguous().numpy().data)
    means, deviations, constant_channels = [], [], []
    for number, channel in enumerate(train.images.unbind(1)):
        low, high = channel.aminmax()
        if low == high:
            constant_channels.append(number)
        values = channel.double()
        with one_thread():
            means.append(low.item() if low == high else values.mean().item())
            deviations.append(1.0 if low == high else values.std(correction=0).item())
    # In double precision: rounded constants would change every pixel, and so every result.
    mean, std = (torch.tensor(values, dtype=torch.float64) for values in (means, deviations))

    def normalised(items: Items) -> Items:
        images = items.images if overwrite else torch.empty(items.images.shape)
        for chunk, of_items in zip(
            torch.split(images, CHUNK), torch.split(items.images, CHUNK), strict=True
        ):
            chunk.copy_((of_items - mean[:, None, None]) / std[:, None, None])
        return Items(images, items.labels)

    return ImageData(
        train=normalised(train),
        evaluation=normalised(test),
        classes=classes,
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        fingerprint=digest.hexdigest(),
        constant_channels=tuple(constant_channels),
    )
