"""Image data sets, whole and as tensors: no loader workers, batches by indexing."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from replication.data.own_images import read
from replication.data.specs import HELD_OUT, IMAGE_DATASETS, Source
from replication.errors import InputError


class Items(NamedTuple):
    """Images (n, channels, height, width) in float32, in [0, 1] until they are normalised, and
    their labels (n,) in int64."""

    images: Tensor
    labels: Tensor

    def take(self, index: Tensor) -> "Items":
        """The items at ``index``, in its order."""
        return Items(self.images[index], self.labels[index])


@dataclass(frozen=True)
class ImageData:
    """A data set ready for training.

    ``train`` and ``evaluation`` hold images (n, channels, height, width) in float32, normalised to
    mean 0 and variance 1 per channel over the training images; ``mean`` and ``std`` are the
    constants of that normalisation, for pixels in [0, 1]. ``fingerprint`` is a SHA-256 of every
    image and label in order.
    """

    train: Items
    evaluation: Items
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str

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


def load_images(
    name: str,
    root: Path,
    train: int | None = None,
    test: int | None = None,
    items: int | None = None,
    pool: int = 1,
    evaluate_on: Literal["test", "validation"] = "test",
    source: Source | None = None,
    *,
    download: bool = False,
) -> ImageData:
    """Load a data set, split it, take so many images of each part (None: all), and normalise them.

    ``root`` is the folder of all data sets. ``items`` is how many single images the training part
    is made of; of a data set with one source the others are for testing. ``pool`` is the side of
    the squares of pixels that are averaged into one. For ``validation`` a fifth of the training
    items is held out, and the test items are not used. Pairs are built after the split, so that no
    item is in pairs of both parts. ``source`` is where images of one's own are.

    Raises:
        InputError: files are missing, damaged or cannot be downloaded, the data set has fewer
            images than requested, or ``pool`` does not divide their sides.
    """
    # Images of one's own may have the name of one of the suite's data sets.
    spec = None if source else IMAGE_DATASETS[name]
    if spec:
        parts, classes = resolve_name(spec.loader)(root, download), spec.classes
    else:
        assert source is not None
        parts, classes = _own(source, root, download)
    training_items, evaluation_items = (_averaged(part, pool, f"{name}: `pool`") for part in parts)
    if items:
        training_items, rest = _split(training_items, items, f"{name}: `items`")
        if spec and spec.one_source:
            evaluation_items = Items(*map(torch.cat, zip(evaluation_items, rest, strict=True)))
    if evaluate_on == "validation":
        order = shuffled(len(training_items.labels), "validation")
        held_out = len(order) // HELD_OUT
        evaluation_items = training_items.take(order[:held_out])
        training_items = training_items.take(order[held_out:])
    select = _pairs if spec and spec.pairs else _subset
    return normalise(
        select(training_items, train, f"{name}: `train`"),
        select(evaluation_items, test, f"{name}: `test`"),
        classes,
    )


def _own(source: Source, root: Path, download: bool) -> tuple[tuple[Items, Items], int]:
    """The two parts of images of one's own, and the number of classes."""
    arrays = read(source, root, download)
    train, test = (
        Items(_unit(arrays[f"x_{part}"]), torch.from_numpy(arrays[f"y_{part}"]))
        for part in ("train", "test")
    )
    return (train, test), int(train.labels.max()) + 1


def _unit(images: NDArray[Any]) -> Tensor:
    """Images (n, height, width, channels) as (n, channels, height, width) in [0, 1]."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return pixels / 255 if pixels.dtype == torch.uint8 else pixels.float()


def shuffled(n: int, purpose: str) -> Tensor:
    """A fixed random order of n items (n,), one for each purpose."""
    return torch.randperm(n, generator=_generator(purpose))


def _generator(purpose: str) -> torch.Generator:
    # Splits and pairs define a data set: they are the same for every run, whatever its seed.
    digest = hashlib.sha256(f"{purpose}/0".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))


def _averaged(items: Items, side: int, key: str) -> Items:
    """Images whose squares of `side` times `side` pixels are averaged into one."""
    height, width = items.images.shape[-2:]
    if height % side or width % side:
        raise InputError(f"{key}: {side} does not divide the sides of {height} × {width} images")
    return items if side == 1 else Items(avg_pool2d(items.images, side), items.labels)


def _split(items: Items, count: int, key: str, purpose: str = "items") -> tuple[Items, Items]:
    """A fixed random choice of `count` items, and the others."""
    total = len(items.labels)
    if count > total:
        raise InputError(f"{key} asks for {count} images, the data set has {total}; lower it")
    order = shuffled(total, purpose)
    return items.take(order[:count]), items.take(order[count:])


def _subset(items: Items, count: int | None, key: str) -> Items:
    return _split(items, count, key, "subset")[0] if count else items


def pair_items(total: int, count: int) -> Tensor:
    """Which of the single items stand left and right in a data set of pairs: (2, count)."""
    return torch.randint(total, (2, count), generator=_generator("pairs"))


def _pairs(items: Items, count: int | None, key: str) -> Items:
    """Two items side by side, drawn with replacement; the class is the two-digit number."""
    total = len(items.labels)
    left, right = (items.take(index) for index in pair_items(total, count or total))
    classes = int(items.labels.max()) + 1
    images = torch.cat([left.images, right.images], dim=-1)
    return Items(images, left.labels * classes + right.labels)


def normalise(train: Items, test: Items, classes: int) -> ImageData:
    """Both parts with mean 0 and variance 1 per channel over the training images."""
    digest = hashlib.sha256()
    for tensor in (*train, *test):
        digest.update(tensor.contiguous().numpy().tobytes())
    channels = [channel.double() for channel in train.images.unbind(1)]
    mean = torch.tensor([channel.mean() for channel in channels])
    std = torch.tensor([channel.std(correction=0) for channel in channels])

    def normalised(items: Items) -> Items:
        images = (items.images - mean[:, None, None]) / std[:, None, None]
        return Items(images.float(), items.labels)

    constants = tuple(mean.tolist()), tuple(std.tolist())
    return ImageData(normalised(train), normalised(test), classes, *constants, digest.hexdigest())
