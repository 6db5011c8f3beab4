"""The data sets of a scale: those of the suite by name, and one's own."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from replication.config.yaml_model import Count, Line, OneOf, StrictModel
from replication.data import specs
from replication.data.image_folders import ARCHIVED, file_state, source_state
from replication.data.prepared import (
    UsedDescription,
    expand_root,
    image_spec,
    own_folder,
    own_image_spec,
    read_used,
    text_spec,
    used,
    used_folder,
)
from replication.data.specs import STREAMS, Source
from replication.errors import InputError

Part = Literal["test", "validation"]
PLACES = ("folder", "npz", "torchvision")


BALANCED = Field(
    False,
    description="Take the same number of training images, and of `items`, of every class, or as"
    " close to that as possible.",
)


class Dataset(StrictModel):
    """A data set, and how much of it is used."""

    @property
    def sizes(self) -> dict[str, Any]:
        """How much of it is used, as arguments of its loading function."""
        return self.model_dump(exclude={"name"})

    def state(self, root: str = "data") -> str:
        """The state of the files that the data are prepared from, which changes when a file does.

        It is a hash of their names, sizes and times, for which a folder is listed; where they are
        gone, the state in which the data were prepared; empty for data that are not prepared from
        such files. ``root`` is the folder of all data sets.

        Raises:
            InputError: a folder cannot be listed.
        """
        return ""


class ImageDataset(Dataset):
    """An image data set, and how much of it is used."""

    name: Annotated[str, OneOf(specs.IMAGE_DATASETS)]
    train: Count | None = Field(None, description="Training images; all of them without this key.")
    test: Count | None = Field(None, description="Test images; all of them without this key.")
    items: Count | None = Field(
        None,
        description="Single images that training images come from; the others are left out, or are"
        " for testing where the data set has no test images of its own.",
    )
    pool: Count = Field(1, description="Side of the squares of pixels that are averaged into one.")
    balanced: bool = BALANCED

    def state(self, root: str = "data") -> str:
        """See `Dataset.state`; this is of a data set that can be a folder of images."""
        folder, path = specs.IMAGE_DATASETS[self.name].folder, expand_root(root)
        if not folder:
            return ""
        return source_state(path / folder, path / "prepared" / self.name, otherwise=ARCHIVED)

    def spec(self, evaluate_on: Part, root: str = "data") -> specs.ImageSpec:
        """The data set as it is used: its numbers of images and their size."""
        return image_spec(self.name, evaluate_on=evaluate_on, **self.sizes)


class OwnImages(Dataset):
    """Images of one's own, and how much of them is used."""

    folder: Line | None = Field(
        None, description="With train/ and test/, each with a folder of images for every class."
    )
    npz: Line | None = Field(
        None, description="With x_train, y_train, x_test, y_test: (n, height, width[, channels])."
    )
    torchvision: Line | None = Field(None, description="A class of torchvision.datasets: SVHN.")
    size: tuple[Count, Count] | None = Field(
        None, description="Height and width of a folder's images, or what images are resized to."
    )
    resize: Literal["crop", "pad", "stretch"] | None = Field(
        None,
        description="How images of other sizes are brought to `size`: cropped on two sides, padded"
        " with zeros on two sides, or stretched. Without it they are refused.",
    )
    channels: Count | None = Field(
        None,
        description="Of a folder's images: 1, 3 or 4. Of an npz file's, where it is not clear which"
        " axis has the channels.",
    )
    train: Count | None = Field(None, description="Training images; all of them without this key.")
    test: Count | None = Field(None, description="Test images; all of them without this key.")
    pool: Count = Field(1, description="Side of the squares of pixels that are averaged into one.")
    balanced: bool = BALANCED

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if sum(map(bool, (self.folder, self.npz, self.torchvision))) != 1:
            raise ValueError("name one of `folder`, `npz` and `torchvision`")
        if self.folder and not (self.size and self.channels):
            raise ValueError("a `folder` needs `size`, which is [height, width], and `channels`")
        if self.folder and self.channels not in (1, 3, 4):
            raise ValueError("`channels` of a `folder` must be 1 (grey), 3 (colour) or 4 (alpha)")
        if self.npz and (self.size or self.resize):
            raise ValueError("`size` and `resize` belong to a `folder` or a class of torchvision")
        if self.torchvision and self.channels:
            raise ValueError("`channels` belong to a `folder` or an `npz` file")
        if self.torchvision and bool(self.size) != bool(self.resize):
            raise ValueError("`size` and `resize` of a class of torchvision belong together")
        if not self.name:
            raise ValueError(
                f"`{self.folder or self.npz}` has no name that its runs could be named after; use a"
                " folder below it"
            )
        return self

    @property
    def source(self) -> Source:
        """Where the images are."""
        if self.folder:
            return Source("folder", self.folder, self.size, self.channels, self.resize)
        if self.npz:
            return Source("npz", self.npz, channels=self.channels)
        return Source("torchvision", self.torchvision or "", self.size, resize=self.resize)

    @property
    def name(self) -> str:
        """What its runs are named after."""
        return self.source.name

    @property
    def sizes(self) -> dict[str, Any]:
        """See `Dataset.sizes`; also where the images are."""
        return {**self._used, "source": self.source}

    @property
    def _used(self) -> dict[str, Any]:
        return self.model_dump(include={"train", "test", "pool", "balanced"})

    def state(self, root: str = "data") -> str:
        """See `Dataset.state`."""
        place, prepared = self.folder or self.npz, own_folder(self.source, expand_root(root))
        return source_state(Path(place), prepared) if place else ""

    def spec(self, evaluate_on: Part, root: str = "data") -> specs.ImageSpec:
        """The data set as it is used; raises InputError where it is not prepared."""
        whole = own_image_spec(self.source, expand_root(root))
        return used(whole, evaluate_on=evaluate_on, **self._used)


class TextDataset(Dataset):
    """A text data set, and how much of it is used."""

    name: Annotated[str, OneOf(specs.TEXT_DATASETS)]
    words: Count | None = Field(None, description="Vocabulary; the data set's without this key.")
    train: Count | None = Field(None, description="Training words; all without this key.")

    def spec(self, evaluate_on: Part, root: str = "data") -> specs.TextSpec:
        """The data set with the numbers of words that are used, wherever it is evaluated."""
        return text_spec(self.name, self.words, self.train)


class OwnText(Dataset):
    """A text of one's own, and how much of it is used."""

    text: Line = Field(
        description="A text file: 80 % for training, then 10 % for validation and 10 % for testing."
    )
    words: Count = Field(10_000, description="Vocabulary: the most frequent words.")
    train: Count | None = Field(None, description="Training words; all without this key.")

    @property
    def name(self) -> str:
        """What its runs are named after."""
        return specs.name_of(self.text)

    @property
    def sizes(self) -> dict[str, Any]:
        """See `Dataset.sizes`; also where the text is."""
        return {"words": self.words, "train": self.train, "file": Path(self.text)}

    def state(self, root: str = "data") -> str:
        """See `Dataset.state`."""
        return file_state(Path(self.text))

    def spec(self, evaluate_on: Part, root: str = "data") -> specs.TextSpec:
        """The data set with the numbers of words that are used; raises InputError where it is not
        prepared."""
        description = prepared_description(self, evaluate_on, root)
        if description is None:
            raise InputError(f"{self.text}: this text is not prepared yet; {specs.PREPARE}")
        words = len(description.facts["vocabulary"])
        parts = [description.arrays[part][0][0] for part in STREAMS]
        return specs.TextSpec(self.name, "", words, *parts)


def _kind_of(value: object) -> str | None:
    """The tag of an entry's model in `AnyDataset`; None for keys that exclude each other."""
    if isinstance(value, Dataset):
        return f"<{type(value).__name__}>"
    keys = value.keys() if isinstance(value, dict) else set()
    if "name" in keys and keys & {*PLACES, "text"}:
        return None
    if keys & {*PLACES}:
        return "<OwnImages>"
    if "text" in keys:
        return "<OwnText>"
    named = value.get("name") if isinstance(value, dict) else None
    return "<TextDataset>" if named in specs.TEXT_DATASETS else "<ImageDataset>"


AnyDataset = Annotated[
    Annotated[ImageDataset, Tag("<ImageDataset>")]
    | Annotated[TextDataset, Tag("<TextDataset>")]
    | Annotated[OwnImages, Tag("<OwnImages>")]
    | Annotated[OwnText, Tag("<OwnText>")],
    Discriminator(
        _kind_of,
        custom_error_type="own_data_with_a_name",
        custom_error_message="`name` stands for a data set of the suite, `folder`, `npz`,"
        " `torchvision` and `text` for your own; keep one of them",
    ),
]


def prepared_description(
    dataset: AnyDataset, evaluate_on: Part, root: str = "data"
) -> UsedDescription | None:
    """The description of a data set as it is used; None where it is not prepared.

    ``root`` is the folder of all data sets.
    """
    return read_used(used_folder(expand_root(root), dataset.name, dataset.sizes, evaluate_on))
