"""The registry of data sets: one entry each, readable without torch."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class ImageSpec:
    """An image data set: its classes, the shape of an image, and the sizes of its two parts.

    ``loader`` names the function that reads it, as in `pkgutil.resolve_name`: (root, download) to
    the training and the test `Items`. ``shape`` is (channels, height, width). Where ``pairs`` is
    true, the loader's items are single ones, of which two are put side by side; classes and shape
    are those of a pair. Where ``one_source`` is true, the test part is the suite's own choice from
    the same images as the training part, which can be made smaller in favour of it.
    ``class_names`` are in the order of the labels; without them a class is called by its number.
    ``folder`` is where its images can be, as ``<folder>/<part>/<class>/<file>.png`` in the folder
    of all data sets.
    """

    label: str
    loader: str
    classes: int
    shape: tuple[int, int, int]
    train: int
    test: int
    pairs: bool = False
    one_source: bool = False
    class_names: tuple[str, ...] = ()
    folder: str = ""


@dataclass(frozen=True)
class TextSpec:
    """A text data set: the size of its vocabulary, and the words of its three parts.

    ``loader`` names the function that reads it: (root, words, download) to a `Corpus`.
    """

    label: str
    loader: str
    words: int
    train: int
    validation: int
    test: int


def name_of(place: str) -> str:
    """What the runs on a folder or file are named after: its own name, in letters of run ids.

    That of ``.`` is the name of the current folder.
    """
    stem = Path(os.path.abspath(place)).stem.lower()
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in stem)


@dataclass(frozen=True)
class Source:
    """Where images of one's own are: ``place`` is a folder, an npz file, or the name of a class.

    Images in a folder have this ``size`` (height, width) and number of ``channels``, or are brought
    to this size as ``resize`` says. Those of a class of torchvision can be brought to a size as
    well. For an npz file, ``channels`` says how many there are where that is not clear.
    """

    kind: Literal["folder", "npz", "torchvision"]
    place: str
    size: tuple[int, int] | None = None
    channels: int | None = None
    resize: Literal["crop", "pad", "stretch"] | None = None

    @property
    def name(self) -> str:
        """What runs and files are named after: the place's own name."""
        return name_of(self.place)


def _pairs_of(spec: ImageSpec, label: str) -> ImageSpec:
    channels, height, width = spec.shape
    shape = (channels, height, 2 * width)
    return replace(spec, label=label, classes=spec.classes**2, shape=shape, pairs=True)


_IMAGES, _TEXT = "replication.data.image_files:", "replication.data.text_files:"
_DIGITS = ImageSpec(
    "scikit-learn’s digits",
    _IMAGES + "digits",
    classes=10,
    shape=(1, 8, 8),
    train=1198,
    test=599,
    one_source=True,
)
_FASHION_MNIST = ImageSpec(
    "Fashion-MNIST",
    _IMAGES + "fashion_mnist",
    classes=10,
    shape=(1, 28, 28),
    train=60_000,
    test=10_000,
)
_CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"
_CIFAR100_CLASSES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
    butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
    crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house
    kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
    mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
    plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
    shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table
    tank telephone television tiger tractor train trout tulip turtle wardrobe whale
    willow_tree wolf woman worm
"""
_CIFAR10 = ImageSpec(
    "CIFAR-10",
    "replication.data.cifar:cifar10",
    classes=10,
    shape=(3, 32, 32),
    train=50_000,
    test=10_000,
    class_names=tuple(_CIFAR10_CLASSES.split()),
    folder="cifar-10",
)
_CIFAR100 = replace(
    _CIFAR10,
    label="CIFAR-100",
    loader="replication.data.cifar:cifar100",
    classes=100,
    class_names=tuple(_CIFAR100_CLASSES.split()),
    folder="cifar-100",
)

DATASETS: dict[str, ImageSpec | TextSpec] = {
    "digits": _DIGITS,
    "two_digit_numbers": _pairs_of(_DIGITS, "two-digit numbers of scikit-learn’s digits"),
    "fashion_mnist": _FASHION_MNIST,
    "fashion_mnist_pairs": _pairs_of(_FASHION_MNIST, "pairs of Fashion-MNIST items"),
    "cifar10": _CIFAR10,
    "cifar100": _CIFAR100,
    "python_reference": TextSpec(
        "the Python language reference",
        _TEXT + "python_reference",
        words=1000,
        train=44_190,
        validation=5_513,
        test=5_516,
    ),
    "penn_treebank": TextSpec(
        "Penn Treebank",
        _TEXT + "penn_treebank",
        words=10_000,
        train=929_589,
        validation=73_760,
        test=82_430,
    ),
}
IMAGE_DATASETS = {name: spec for name, spec in DATASETS.items() if isinstance(spec, ImageSpec)}
TEXT_DATASETS = {name: spec for name, spec in DATASETS.items() if isinstance(spec, TextSpec)}

PARTS = ("train", "test")
"""The parts of a data set of images."""
STREAMS = ("train", "validation", "test")
"""The parts of a text."""
PREPARE = "run `replication data`, or snakemake, which prepares the data first"
"""How to get a missing data set, as error messages say it."""

HELD_OUT = 5
"""One in this many training images is held out for validation."""
