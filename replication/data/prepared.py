"""Images that were read and checked once, and are kept as arrays from which every training reads.

They are in a folder of ``<data_root>/prepared``, one for each data set:

- ``description.json``: what is there, in a few hundred bytes. A plan reads only this file.
- ``<digest>-<part>-images.npy`` (n, channels, height, width), in uint8 or in float32 from 0 to 1,
  and ``<digest>-<part>-labels.npy`` (n,) in int64, for the parts ``train`` and ``test``. They are
  mapped into memory, so that a training touches only the images that it uses.

Importing this module loads no numpy, because Snakemake does so at every start.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from replication.data.specs import PREPARE
from replication.errors import InputError
from replication.files import write_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = ("train", "test")
PREPARED_FORMAT = 1
DESCRIPTION = "description.json"


@dataclass(frozen=True)
class Description:
    """What ``description.json`` says of prepared images.

    Attributes:
        sha256: fingerprint of the pixels and labels of both parts, in order.
        state: the state of the files that they were read from (see `image_folders.state_of`).
        classes: the names of the classes, in the order of the labels.
        shape: (channels, height, width) of every image.
        train: number of training images.
        test: number of test images.
        pixels: ``uint8``, or ``float32`` for values from 0 to 1.
        format: version of these files.
    """

    sha256: str
    state: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train: int
    test: int
    pixels: str
    format: int = PREPARED_FORMAT


class RawImages(NamedTuple):
    """A part of a data set that is to be prepared.

    ``images`` yields arrays (channels, height, width) in uint8, or in a floating type from 0 to 1,
    all of one shape; ``labels`` has their classes.
    """

    images: Iterable["NDArray[Any]"]
    labels: list[int]


class Collected(NamedTuple):
    """A data set that is to be prepared: the names of its classes, an image's shape and type, and
    its parts by name."""

    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    pixels: str
    parts: dict[str, RawImages]


def read_description(folder: Path) -> Description | None:
    """The description of prepared images; None if there is none of this version."""
    try:
        fields = json.loads((folder / DESCRIPTION).read_bytes())
        if fields["format"] != PREPARED_FORMAT:
            return None
        lists = {key: tuple(fields[key]) for key in ("classes", "shape")}
        return Description(**{**fields, **lists})
    except (OSError, ValueError, LookupError, TypeError):
        return None


def find_description(folder: Path, place: str) -> Description:
    """As `read_description`; raises InputError, naming the ``place`` of the images, if none."""
    description = read_description(folder)
    if description is None:
        raise InputError(f"{place}: its images are not prepared yet; {PREPARE}")
    return description


def prepare(folder: Path, state: str, collect: Callable[[], Collected]) -> Description:
    """Prepare what ``collect`` gives, unless that was done in this ``state`` of the files.

    Processes that prepare the same data set wait for each other. Arrays that another process has
    mapped stay as they are.

    Raises:
        InputError: the images cannot be used, or the folder cannot be written.
    """
    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            description = read_description(folder)
            if description is None or description.state != state or not _is_whole(folder):
                description = _write(folder, state, collect())
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{folder}: the prepared images cannot be written ({reason}); free disk space, or give"
            " write permission"
        ) from None
    return description


def read_arrays(
    folder: Path, description: Description
) -> dict[str, tuple["NDArray[Any]", "NDArray[Any]"]]:
    """Map images and labels of each part into memory.

    Raises:
        InputError: a file is missing or damaged.
    """
    import numpy as np

    parts = {}
    for part in PARTS:
        arrays = []
        count = getattr(description, part)
        expected = {
            "images": ((count, *description.shape), description.pixels),
            "labels": ((count,), "int64"),
        }
        for content, (shape, kind) in expected.items():
            file = folder / _file_name(description.sha256, part, content)
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
            arrays.append(array)
        parts[part] = (arrays[0], arrays[1])
    return parts


def _is_whole(folder: Path) -> bool:
    description = read_description(folder)
    try:
        return description is not None and bool(read_arrays(folder, description))
    except InputError:
        return False


def _file_name(sha256: str, part: str, content: str) -> str:
    return f"{sha256[:16]}-{part}-{content}.npy"


def _write(folder: Path, state: str, collected: Collected) -> Description:
    import numpy as np

    digest = hashlib.sha256()
    with _temporary_folder(folder) as temporary:
        for part in PARTS:
            images, labels = collected.parts[part]
            digest.update(f"{part} {len(labels)} {collected.shape} {collected.pixels}\n".encode())
            file = temporary / f"{part}-images.npy"
            shape = (len(labels), *collected.shape)
            array = np.lib.format.open_memmap(file, "w+", collected.pixels, shape)
            for number, image in enumerate(images):
                array[number] = image
                digest.update(array[number].data)
            array.flush()
            of_labels = np.asarray(labels, "<i8")
            digest.update(of_labels.data)
            np.save(temporary / f"{part}-labels.npy", of_labels)
        description = Description(
            sha256=digest.hexdigest(),
            state=state,
            classes=collected.classes,
            shape=collected.shape,
            train=len(collected.parts["train"].labels),
            test=len(collected.parts["test"].labels),
            pixels=collected.pixels,
        )
        for file in temporary.iterdir():
            file.replace(folder / f"{description.sha256[:16]}-{file.name}")
    write_text(folder / DESCRIPTION, json.dumps(asdict(description), indent=2) + "\n")
    for file in folder.glob("*.npy"):
        if not file.name.startswith(description.sha256[:16]):
            file.unlink()
    return description


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[Path]:
    temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        yield temporary
    finally:
        for file in temporary.iterdir():
            with suppress(OSError):
                file.unlink()
        with suppress(OSError):
            os.rmdir(temporary)
