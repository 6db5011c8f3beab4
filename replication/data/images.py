"""Image data sets, whole and as tensors: no loader workers, batches by indexing."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal, NamedTuple, Self

import torch
from numpy.typing import NDArray
from torch import Tensor

from replication.data import sampling
from replication.data.image_checks import check_classes, check_count, check_pool
from replication.data.memory import check_memory
from replication.data.own_images import own_image_spec, read_own_images
from replication.data.prepared import PARTS
from replication.data.specs import IMAGE_DATASETS, ImageSpec, Source, used

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


@dataclass(frozen=True)
class _Selection:
    """Some images of a part, by their places ``index`` (n,); none is copied before `load`."""

    part: Items
    index: Tensor

    @property
    def labels(self) -> Tensor:
        """Their labels (n,)."""
        return self.part.labels[self.index]

    def take(self, index: Tensor) -> "_Selection":
        """Those at ``index``, in its order."""
        return _Selection(self.part, self.index[index])

    def load(self, pool: int) -> Items:
        """The images with pixels in [0, 1], of which squares of side ``pool`` are averaged."""
        channels, height, width = self.part.images.shape[1:]
        loaded = torch.empty(len(self.index), channels, height // pool, width // pool)
        # So few at a time that they stay in the processor's cache.
        for index, images in zip(
            torch.split(self.index, CHUNK), torch.split(loaded, CHUNK), strict=True
        ):
            pixels = self.part.images[index]
            unit = pixels / 255 if pixels.dtype == torch.uint8 else pixels.float()
            images.copy_(_averaged(unit, pool))
        return Items(loaded, self.labels)


@dataclass(frozen=True)
class _Pairs:
    """Two selections of single images, which are put side by side.

    The class of a pair is that of its left image times ``classes``, the number of classes of the
    single images, plus that of its right image.
    """

    left: _Selection
    right: _Selection
    classes: int

    @property
    def labels(self) -> Tensor:
        """Their classes (n,)."""
        return self.left.labels * self.classes + self.right.labels

    def load(self, pool: int) -> Items:
        """The pairs, as `_Selection.load`."""
        images = [side.load(pool).images for side in (self.left, self.right)]
        return Items(torch.cat(images, dim=-1), self.labels)


def load_images(
    name: str,
    root: Path,
    train: int | None = None,
    test: int | None = None,
    items: int | None = None,
    pool: int = 1,
    evaluate_on: Literal["test", "validation"] = "test",
    source: Source | None = None,
    balanced: bool = False,
    *,
    download: bool = False,
) -> ImageData:
    """Load a data set, split it, take so many images of each part, and normalise them.

    Args:
        name: of the data set; of one of the suite's without a ``source``.
        root: folder of all data sets.
        train: number of training images; all without it.
        test: number of test images (or held-out ones), likewise.
        items: number of single images that the training part is made of; of a data set with one
            source the others are for testing.
        pool: side of the squares of pixels that are averaged into one.
        evaluate_on: ``validation`` holds out a fifth of the training items, and uses no test items.
            Pairs are built after the split, so that no item is in pairs of both parts.
        source: where images of one's own are.
        balanced: take as many training images, and ``items``, of every class, or as near to it as
            can be, and hold out a fifth of every class. Test images are drawn from all alike.
        download: whether missing files may be downloaded, and arrays prepared.

    Raises:
        InputError: files are missing, damaged or cannot be downloaded; the data set has fewer
            images than requested, or none of some class; ``pool`` does not divide their sides; or
            they do not fit into memory.
    """
    spec, parts = _read_parts(name, root, source, download)
    check_pool(name, parts[0].images.shape[1:], pool)
    training, evaluation = _split(name, spec, parts, items, evaluate_on, balanced)
    # Nothing is copied until it is known that the choice can be used.
    to_train_on = _choose(name, spec, training, "train", train, balanced)
    to_evaluate = _choose(name, spec, evaluation, "test", test, balanced=False)
    remedy = "add images of it" if train is None else "raise `train`"
    remedy += "" if balanced or train is None else ", or add `balanced: true`"
    check_classes(name, "training", to_train_on.labels, spec, remedy)
    if not spec.pairs:  # test pairs are a random sample of all pairs of the test images
        remedy = "add images of it" if test is None else "raise `test`, or leave it out"
        check_classes(name, evaluate_on, to_evaluate.labels, spec, remedy)
    check_memory(
        name, used(spec, pool=pool).shape, len(to_train_on.labels), len(to_evaluate.labels)
    )
    return normalise(to_train_on.load(pool), to_evaluate.load(pool), spec.classes, overwrite=True)


def _read_parts(
    name: str, root: Path, source: Source | None, download: bool
) -> tuple[ImageSpec, Sequence[Items]]:
    """The whole data set: its entry in the registry, or one like it; training and test images."""
    if source is None:
        spec = IMAGE_DATASETS[name]
        parts: Sequence[Items] = resolve_name(spec.loader)(root, download)
        return spec, parts
    # Images of one's own may have the name of one of the suite's data sets.
    arrays = read_own_images(source, root, download)
    return own_image_spec(source, root), [Items.from_arrays(*arrays[part]) for part in PARTS]


def _split(
    name: str,
    spec: ImageSpec,
    parts: Sequence[Items],
    items: int | None,
    evaluate_on: Literal["test", "validation"],
    balanced: bool,
) -> tuple[_Selection, _Selection]:
    """The single images that are there for training, and those for the evaluation."""
    training, evaluation = (_Selection(part, torch.arange(len(part.labels))) for part in parts)
    if items:
        check_count(name, "items", items, len(training.index))
        of_training, others = sampling.choose(training.labels, items, "items", balanced)
        if spec.one_source:
            rest, test = training.part.take(others), evaluation.part
            both = Items(*map(torch.cat, zip(test, rest, strict=True)))
            evaluation = _Selection(both, torch.arange(len(both.labels)))
        training = training.take(of_training)
    if evaluate_on == "validation":
        kept, held_out = sampling.hold_out(training.labels, balanced)
        training, evaluation = training.take(kept), training.take(held_out)
    return training, evaluation


def _choose(
    name: str, spec: ImageSpec, single: _Selection, key: str, count: int | None, balanced: bool
) -> _Selection | _Pairs:
    """``count`` images or pairs out of these single images; without it all, or as many pairs."""
    total = len(single.index)
    if spec.pairs:
        sides = (
            sampling.balanced_pairs(single.labels, count or total)
            if balanced
            else sampling.pair_items(total, count or total)
        )
        left, right = (single.take(side) for side in sides)
        return _Pairs(left, right, math.isqrt(spec.classes))
    if count is None:
        return single
    check_count(name, key, count, total)
    return single.take(sampling.choose(single.labels, count, "subset", balanced)[0])


def _averaged(images: Tensor, pool: int) -> Tensor:
    """Images whose squares of ``pool`` times ``pool`` pixels are averaged into one.

    They have the bytes that torch's `avg_pool2d` gives, which takes twice as long.
    """
    if pool == 1:
        return images
    total = torch.zeros_like(images[..., ::pool, ::pool])
    for row in range(pool):
        for column in range(pool):
            total += images[..., row::pool, column::pool]
    return total.div_(pool**2)


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
