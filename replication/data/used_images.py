"""The images that a scale uses: a whole data set, split, chosen, averaged and normalised."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Literal

import torch
from torch import Tensor

from replication.data import sampling
from replication.data.image_checks import check_classes, check_count, check_pool
from replication.data.images import CHUNK, ImageData, Items, normalise, parts_of, unit_pixels
from replication.data.memory import check_memory
from replication.data.own_images import read_own_images
from replication.data.prepared import own_image_spec, used
from replication.data.specs import IMAGE_DATASETS, ImageSpec, Source


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
        # Only a few at a time, so that they stay in the processor's cache.
        for index, images in zip(
            torch.split(self.index, CHUNK), torch.split(loaded, CHUNK), strict=True
        ):
            images.copy_(_averaged(unit_pixels(self.part.images[index]), pool))
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
        """The pairs, loaded as by `_Selection.load`."""
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
    """Load a data set, split it, choose images of each part, and normalise them.

    Args:
        name: the data set's name; without a ``source``, that of one of the suite's data sets.
        root: folder of all data sets.
        train: number of training images; all by default.
        test: number of test images (or held-out ones); all by default.
        items: number of single images that the training part is made of; in a data set with one
            source, the others are for testing.
        pool: side of the squares of pixels that are averaged into one.
        evaluate_on: ``validation`` holds out a fifth of the training items, and uses no test items.
            Pairs are built after the split, so that no item is in pairs of both parts.
        source: where images of one's own are.
        balanced: take equally many training images, and ``items``, of every class, or as close to
            that as possible, and hold out a fifth of every class. Test images are drawn from all
            classes alike.
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
        if evaluate_on == "validation" and not balanced:
            remedy += ", or add `balanced: true`"
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
    return own_image_spec(source, root), parts_of(arrays)


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
    """``count`` images or pairs out of these single images; by default all, or as many pairs."""
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
