"""What the data sets hold, as far as it is known before they are read; no torch is needed."""

from dataclasses import dataclass
from typing import Literal

from replication.config.scale import Corpus, ImageDataset


@dataclass(frozen=True)
class Images:
    """Sizes of an image data set: its classes, the shape of an image, images of both parts."""

    classes: int
    channels: int
    height: int
    width: int
    train: int
    test: int


@dataclass(frozen=True)
class Text:
    """Sizes of a corpus: its vocabulary, and the words of its three parts.

    `alphabet` counts the characters of the vocabulary, padding and the marks of a word's ends
    included, `longest` those of the longest word of a window, and `distinct` is the share of a
    window's words that are not in it before.
    """

    words: int
    train: int
    validation: int
    test: int
    alphabet: int
    longest: int
    distinct: float


IMAGES = {
    "digits": Images(10, 1, 8, 8, 1198, 599),
    "two_digit_numbers": Images(100, 1, 8, 16, 1198, 599),
    "fashion_mnist": Images(10, 1, 28, 28, 60_000, 10_000),
    "fashion_mnist_pairs": Images(100, 1, 28, 56, 60_000, 10_000),
    "cifar10": Images(10, 3, 32, 32, 50_000, 10_000),
    "cifar100": Images(100, 3, 32, 32, 50_000, 10_000),
}
# The reference differs between versions of Python: CPython 3.11's. Penn Treebank's alphabet is
# that of Kim et al. 2016; how often words repeat in a window is taken over from the reference.
TEXTS = {
    "python_reference": Text(1000, 44_190, 5_513, 5_516, 36, 18, 0.36),
    "penn_treebank": Text(10_000, 929_589, 73_760, 82_430, 51, 18, 0.4),
}


def images_of(dataset: ImageDataset, evaluate_on: Literal["test", "validation"]) -> Images:
    """The sizes of an image data set as a scale uses it; a fifth is held out for validation."""
    whole = IMAGES[dataset.name]
    train, test = whole.train, whole.test
    if evaluate_on == "validation":
        train, test = train - train // 5, train // 5
    return Images(
        whole.classes,
        whole.channels,
        whole.height,
        whole.width,
        dataset.train or train,
        dataset.test or test,
    )


def text_of(corpus: Corpus) -> Text:
    """The sizes of a corpus as a scale uses it."""
    whole = TEXTS[corpus.name]
    return Text(
        corpus.words or whole.words,
        corpus.train or whole.train,
        whole.validation,
        whole.test,
        whole.alphabet,
        whole.longest,
        whole.distinct,
    )
