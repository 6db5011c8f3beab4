"""What a new study consists of: the data, a network and a recipe that fit them.

Sizes and recipes are those with which networks of the suite's scales fit their training images; see
docs/explanation/fair-test.md. They are a start, and meant to be edited.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from replication.data.specs import ImageSpec, Source

Choice = TypeVar("Choice")

LARGEST_SHORT_SIDE = 32
"""Pixels of the shorter side to which larger images are averaged: the paper's, and few enough for a
CPU."""
MOST_IMAGES = 10_000
"""Most training images of a proposal, so that a CPU trains a network in minutes."""
GROWTHS = ((1_000, "1/5"), (4_000, "4/15"), (MOST_IMAGES, "2/5"))
"""The ratio of a DenseNet's growth to the paper's 60, below this many training images."""
LARGEST_GROWTH = "8/15"
RECIPES = ((1_000, (32, 24)), (4_000, (64, 32)), (MOST_IMAGES, (64, 40)))
"""Batch size and epochs, below this many training images."""
LARGEST_RECIPE = (128, 40)


@dataclass(frozen=True)
class StudyProposal:
    """What differs between new studies, as text of their YAML files.

    Attributes:
        dataset: the entry of the data set.
        sizes: the scale's ``networks``, lines of YAML; empty where the row has the sizes.
        row: name of the table's row.
        network: the row's entry.
        epochs: of each training.
        batch_size: images in a step.
        learning_rate: at the beginning.
    """

    dataset: str
    sizes: str
    row: str
    network: str
    epochs: int
    batch_size: int
    learning_rate: float

    @property
    def recipe(self) -> str:
        """The scale's ``images``, lines of YAML; the rate falls as at the suite's scales."""
        milestones = sorted({max(1, round(self.epochs * part)) for part in (1 / 2, 3 / 4, 15 / 16)})
        keys = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "milestones": milestones,
            "weight_decay": "5.0e-4",
            "evaluate_every": self.epochs,
        }
        return "\n".join(f"  {key}: {value}" for key, value in keys.items())


_RESNET = "{network: timm:resnet18, arguments: {channels: [16, 32, 64, 128]}}"


def example_study(folder: str) -> StudyProposal:
    """A study whose data are not known yet and will be in its folder, to be edited."""
    return StudyProposal(
        dataset=f"{{folder: {_quoted(f'{folder}/images')}, size: [8, 8], channels: 1}}",
        sizes="",
        row="resnet18",
        network=_RESNET,
        epochs=16,
        batch_size=64,
        learning_rate=0.05,
    )


def propose_study(source: Source, images: ImageSpec) -> StudyProposal:
    """A study that fits images of one's own.

    The network is the paper's DenseNet-90-60 with fewer units, and a growth for this many images.
    Images of more than `LARGEST_SHORT_SIDE` pixels are averaged to fewer; where no whole number
    divides their sides, a ResNet-18 reads them as they are. Of more than `MOST_IMAGES` training
    images only a part is used.
    """
    train = min(images.train, MOST_IMAGES)
    pool = _pool(*images.shape[1:])
    keys = {
        "pool": f"{pool}" if pool > 1 else "",
        "train": f"{train}, balanced: true" if train < images.train else "",
    }
    used = "".join(f", {key}: {value}" for key, value in keys.items() if value)
    batch_size, epochs = _below(RECIPES, train, LARGEST_RECIPE)
    batch_size = max(2, min(batch_size, train // 4))
    while train % batch_size == 1 and batch_size < train:  # one image has no batch statistics
        batch_size += 1
    growth = _below(GROWTHS, train, LARGEST_GROWTH)
    small = min(images.shape[1:]) // pool <= LARGEST_SHORT_SIDE
    return StudyProposal(
        dataset=f"{{{_place(source)}{used}}}",
        sizes=f"networks:\n  densenet: {{depth_ratio: 1/7, width_ratio: {growth}}}\n\n" * small,
        row="densenet" if small else "resnet18",
        network="{network: densenet_90_60}" if small else _RESNET,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=float(f"{0.2 * batch_size / 64:.2g}"),
    )


def placeholders(proposal: StudyProposal) -> dict[str, str]:
    """What stands in the templates of a study, and what of the proposal replaces it."""
    names = ("dataset", "sizes", "row", "network", "recipe")
    return {f"${name.upper()}": getattr(proposal, name) for name in names}


def _place(source: Source) -> str:
    shown = f"{source.kind}: {_quoted(source.place)}"
    if source.kind != "folder":
        return shown
    resize = f", resize: {source.resize}" if source.resize else ""
    return f"{shown}, size: {list(source.size or ())}, channels: {source.channels}{resize}"


def _quoted(text: str) -> str:
    """The text between single quotes, in which YAML reads no character but the quote itself."""
    return "'" + text.replace("'", "''") + "'"


def _pool(height: int, width: int) -> int:
    """The side of the squares of pixels to average into one; 1 where none divides both sides."""
    for pool in range(1, min(height, width) // 4 + 1):
        if height % pool == width % pool == 0 and min(height, width) // pool <= LARGEST_SHORT_SIDE:
            return pool
    return 1


def _below(steps: Sequence[tuple[int, Choice]], number: int, otherwise: Choice) -> Choice:
    """The choice of the first step that a number is below."""
    return next((choice for limit, choice in steps if number < limit), otherwise)
