"""Data that were prepared once, in folders of arrays from which every training reads.

They are in ``<data_root>/prepared``, which can be deleted at any time and is then made again. A
folder has ``description.json``, which is small and all that a plan reads, and one file
``<digest>-<name>.npy`` for each array. Runs map these into memory, so that several of them share
one copy. There are two kinds of folders:

- a whole data set of images, as they were read from their files: its pixels (n, channels, height,
  width) in uint8, or in float32 from 0 to 1, and its labels (n,) in int64, for the parts ``train``
  and ``test`` (`Description`);
- a data set as a scale uses it, ``<name>-used-<digest>``: normalised images, or streams of words
  (`UsedDescription`).

Importing this module loads no numpy, because Snakemake does so at every start.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Literal

from replication.data.specs import (
    HELD_OUT,
    IMAGE_DATASETS,
    PARTS,
    PREPARE,
    TEXT_DATASETS,
    ImageSpec,
    Source,
    TextSpec,
)
from replication.errors import InputError
from replication.files import JSON_ERRORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from replication.data.images import ImageData
    from replication.data.text import Corpus

    Arrays = dict[str, NDArray[Any]]

PREPARED_FORMAT = 1
USED_FORMAT = 1
DESCRIPTION = "description.json"
ArrayTypes = dict[str, tuple[tuple[int, ...], str]]
"""The shapes and types of arrays, by their names."""
DATA_KINDS = {
    "images": "replication.data.images:ImageData",
    "text": "replication.data.text:Corpus",
}
"""The classes of data as they are used, by what their description calls them."""


@dataclass(frozen=True)
class Description:
    """What ``description.json`` says of a whole data set of images.

    Attributes:
        sha256: fingerprint of the pixels and labels of both parts, in order.
        state: the state of the files that they were read from (see `image_folders.files_state`).
        classes: the names of the classes, in the order of the labels.
        shape: (channels, height, width) of every image.
        train: number of training images.
        test: number of test images.
        pixels: ``uint8``, or ``float32`` for values from 0 to 1.
        remarks: what was found and done when the files were read, which their owner should know.
        format: version of these files.
    """

    sha256: str
    state: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train: int
    test: int
    pixels: str
    remarks: tuple[str, ...] = ()
    format: int = PREPARED_FORMAT

    @property
    def arrays(self) -> ArrayTypes:
        """The arrays that belong to it."""
        types: ArrayTypes = {}
        for part in PARTS:
            count: int = getattr(self, part)
            types[f"{part}-images"] = (count, *self.shape), self.pixels
            types[f"{part}-labels"] = (count,), "int64"
        return types


@dataclass(frozen=True)
class UsedDescription:
    """What ``description.json`` says of a data set as a scale uses it.

    Attributes:
        kind: one of `DATA_KINDS`.
        sha256: fingerprint of the images before they were normalised, or of the words; runs record
            it.
        arrays: the shapes and types of the arrays.
        facts: what else belongs to the data, such as the constants of their normalisation.
        format: version of these files.
    """

    kind: str
    sha256: str
    arrays: ArrayTypes
    facts: dict[str, Any]
    format: int = USED_FORMAT


def expand_root(root: str | Path) -> Path:
    """The folder of all data sets, where ``~`` is a home; raises InputError for an unknown one."""
    try:
        return Path(root).expanduser()
    except RuntimeError as error:
        raise InputError(f"`data_root`: {root}: {error}; write the path out") from None


def read_description(folder: Path) -> Description | None:
    """The description of a whole data set; None if there is none of this version."""
    try:
        fields = json.loads((folder / DESCRIPTION).read_bytes())
        if fields["format"] != PREPARED_FORMAT:
            return None
        lists = {key: tuple(fields.get(key, ())) for key in ("classes", "shape", "remarks")}
        return Description(**{**fields, **lists})
    except JSON_ERRORS:
        return None


def find_description(folder: Path, place: str) -> Description:
    """As `read_description`; raises InputError, naming the ``place`` of the images, if none."""
    if (description := read_description(folder)) is None:
        raise InputError(f"{place}: its images are not prepared yet; {PREPARE}")
    return description


def own_folder(source: Source, root: Path) -> Path:
    """The folder of prepared images of one's own, in the folder of all data sets."""
    digest = hashlib.sha256(repr(_placed(source, root)).encode(errors="surrogateescape"))
    return root / "prepared" / f"{source.name}-{digest.hexdigest()[:12]}"


def _placed(value: Any, root: Path) -> Any:
    """A choice with the place of a source or file as seen from the folder of all data sets.

    So other files have others, and a study that is moved or copied with its data keeps its own.
    """
    if isinstance(value, Source) and value.kind != "torchvision":
        return replace(value, place=_seen_from(root, value.place))
    return _seen_from(root, value) if isinstance(value, Path) else value


def _seen_from(root: Path, place: str | Path) -> str:
    return os.path.relpath(os.path.abspath(place), os.path.abspath(root))


def own_image_spec(source: Source, root: Path) -> ImageSpec:
    """Classes, shape and sizes of prepared images; raises InputError if they are not prepared."""
    description = find_description(own_folder(source, root), source.place)
    return ImageSpec(
        label=source.name,
        loader="",
        classes=len(description.classes),
        shape=description.shape,
        train=description.train,
        test=description.test,
        class_names=description.classes,
    )


def image_spec(name: str, **sizes: Any) -> ImageSpec:
    """An image data set as a scale uses it; ``sizes`` are the arguments of `used`."""
    return used(IMAGE_DATASETS[name], **sizes)


def used(
    spec: ImageSpec,
    train: int | None = None,
    test: int | None = None,
    items: int | None = None,
    pool: int = 1,
    balanced: bool = False,
    evaluate_on: Literal["test", "validation"] = "test",
) -> ImageSpec:
    """A data set with the numbers of images, and their size, that are used of it.

    The arguments are those of `used_images.load_images`; ``balanced`` changes no number.
    """
    channels, height, width = spec.shape
    spec = replace(spec, shape=(channels, height // pool, width // pool))
    if items:
        rest = spec.train - items if spec.one_source else 0
        spec = replace(spec, train=items, test=spec.test + rest)
    if evaluate_on == "validation":
        held_out = spec.train // HELD_OUT
        spec = replace(spec, train=spec.train - held_out, test=held_out)
    return replace(spec, train=train or spec.train, test=test or spec.test)


def text_spec(name: str, words: int | None = None, train: int | None = None) -> TextSpec:
    """A text data set as a scale uses it: with its vocabulary and number of training words."""
    spec = TEXT_DATASETS[name]
    return replace(spec, words=words or spec.words, train=train or spec.train)


def used_folder(
    root: Path,
    name: str,
    sizes: Mapping[str, Any],
    evaluate_on: Literal["test", "validation"] = "test",
) -> Path:
    """The folder of a data set as a scale uses it, by what is chosen of which files.

    The arguments are those of `load`. Only preparing the data again can tell whether the files have
    changed since; runs use what was prepared.
    """
    chosen = name, sorted((key, _placed(value, root)) for key, value in sizes.items()), evaluate_on
    digest = hashlib.sha256(repr(chosen).encode(errors="surrogateescape")).hexdigest()[:12]
    return root / "prepared" / f"{name}-used-{digest}"


def read_used(folder: Path) -> UsedDescription | None:
    """The description of a data set as it is used; None if there is none of this version."""
    try:
        fields = json.loads((folder / DESCRIPTION).read_bytes())
        if fields["format"] != USED_FORMAT or fields["kind"] not in DATA_KINDS:
            return None
        types = {key: (tuple(shape), kind) for key, (shape, kind) in fields["arrays"].items()}
        return UsedDescription(**{**fields, "arrays": types})
    except JSON_ERRORS:
        return None


def read_arrays(folder: Path, description: Description | UsedDescription) -> "Arrays":
    """Map the arrays of a folder into memory.

    Raises:
        InputError: a file is missing or damaged.
    """
    import numpy as np

    arrays = {}
    for name, (shape, kind) in description.arrays.items():
        file = folder / array_file(description.sha256, name)
        try:
            # Copy on write: torch warns of memory that it must not write.
            array = np.load(file, mmap_mode="c")
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"{file}: cannot be read ({error}); delete {folder} and {PREPARE}"
            ) from None
        if array.shape != shape or array.dtype != kind:
            raise InputError(
                f"{file}: has {array.dtype} of shape {array.shape} instead of {kind} of shape"
                f" {shape}; delete {folder} and {PREPARE}"
            )
        arrays[name] = array
    return arrays


def array_file(sha256: str, name: str) -> str:
    """The name of the file of an array, which other contents do not share."""
    return f"{sha256[:16]}-{name}.npy"


def load(
    name: str,
    root: str | Path,
    sizes: Mapping[str, Any],
    evaluate_on: Literal["test", "validation"] = "test",
) -> "ImageData | Corpus":
    """A data set as a scale uses it: mapped as it was prepared, else read from its files.

    The arguments are those of `prepare.read`, which may not download anything here.

    Raises:
        InputError: what was prepared is damaged; or it is not prepared, and its files are missing,
            damaged, or have to be prepared first.
    """
    folder = used_folder(expand_root(root), name, sizes, evaluate_on)
    description = read_used(folder)
    data: ImageData | Corpus
    if description is None:
        data = resolve_name("replication.data.prepare:read")(name, root, sizes, evaluate_on)
    else:
        arrays = read_arrays(folder, description)
        kind = resolve_name(DATA_KINDS[description.kind])
        data = kind.from_arrays(arrays, description.facts, description.sha256)
    return data


def describe_data(name: str, data: "ImageData | Corpus") -> dict[str, Any]:
    """What a run records of its data: name, counts, and a SHA-256 of every item in order."""
    return {"name": name, **data.counts, "sha256": data.fingerprint}
