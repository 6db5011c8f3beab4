"""The registry of data sets: one entry each, readable without torch."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class ImageSpec:
    """An image data set: its classes, the shape of an image, and the sizes of its two parts.

    ``loader`` names the function that reads it, as in `pkgutil.resolve_name`: (root, download) to
    the training and the test `Items`. Where ``pairs`` is true, the loader's items are single ones,
    of which two are put side by side; classes and width are those of a pair.
    """

    label: str
    classes: int
    channels: int
    height: int
    width: int
    train: int
    test: int
    loader: str
    pairs: bool = False


@dataclass(frozen=True)
class TextSpec:
    """A text data set: the size of its vocabulary, and the words of its three parts.

    ``loader`` names the function that reads it: (root, words, download) to a `Corpus`.
    """

    label: str
    words: int
    train: int
    validation: int
    test: int
    loader: str


_IMAGES, _TEXT = "replication.data.image_files:", "replication.data.text_files:"

DATASETS: dict[str, ImageSpec | TextSpec] = {
    "digits": ImageSpec(
        label="scikit-learn’s digits",
        classes=10,
        channels=1,
        height=8,
        width=8,
        train=1198,
        test=599,
        loader=_IMAGES + "digits",
    ),
    "two_digit_numbers": ImageSpec(
        label="two-digit numbers of scikit-learn’s digits",
        classes=100,
        channels=1,
        height=8,
        width=16,
        train=1198,
        test=599,
        loader=_IMAGES + "digits",
        pairs=True,
    ),
    "fashion_mnist": ImageSpec(
        label="Fashion-MNIST",
        classes=10,
        channels=1,
        height=28,
        width=28,
        train=60_000,
        test=10_000,
        loader=_IMAGES + "fashion_mnist",
    ),
    "fashion_mnist_pairs": ImageSpec(
        label="pairs of Fashion-MNIST items",
        classes=100,
        channels=1,
        height=28,
        width=56,
        train=60_000,
        test=10_000,
        loader=_IMAGES + "fashion_mnist",
        pairs=True,
    ),
    "cifar10": ImageSpec(
        label="CIFAR-10",
        classes=10,
        channels=3,
        height=32,
        width=32,
        train=50_000,
        test=10_000,
        loader=_IMAGES + "cifar10",
    ),
    "cifar100": ImageSpec(
        label="CIFAR-100",
        classes=100,
        channels=3,
        height=32,
        width=32,
        train=50_000,
        test=10_000,
        loader=_IMAGES + "cifar100",
    ),
    # The text differs between versions of Python; these are the sizes in CPython 3.11.
    "python_reference": TextSpec(
        label="the Python language reference",
        words=1000,
        train=44_190,
        validation=5_513,
        test=5_516,
        loader=_TEXT + "python_reference",
    ),
    "penn_treebank": TextSpec(
        label="Penn Treebank",
        words=10_000,
        train=929_589,
        validation=73_760,
        test=82_430,
        loader=_TEXT + "penn_treebank",
    ),
}
IMAGE_DATASETS = {name: spec for name, spec in DATASETS.items() if isinstance(spec, ImageSpec)}
TEXT_DATASETS = {name: spec for name, spec in DATASETS.items() if isinstance(spec, TextSpec)}

PREPARE = "run `replication data`, or call snakemake, which prepares the data first"
"""How to get a missing data set, as error messages say it."""

HELD_OUT = 5
"""One in so many training images is held out for validation."""


def image_spec(
    name: str,
    train: int | None = None,
    test: int | None = None,
    evaluate_on: Literal["test", "validation"] = "test",
) -> ImageSpec:
    """An image data set as a scale uses it: with its numbers of training and evaluation images."""
    spec = IMAGE_DATASETS[name]
    whole = (spec.train, spec.test)
    if evaluate_on == "validation":
        held_out = spec.train // HELD_OUT
        whole = (spec.train - held_out, held_out)
    return replace(spec, train=train or whole[0], test=test or whole[1])


def text_spec(name: str, words: int | None = None, train: int | None = None) -> TextSpec:
    """A text data set as a scale uses it: with its vocabulary and number of training words."""
    spec = TEXT_DATASETS[name]
    return replace(spec, words=words or spec.words, train=train or spec.train)
