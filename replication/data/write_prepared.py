"""Writes the folders of `prepared`: whole or not at all, and one process at a time."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock

from replication.data.prepared import (
    DATA_KINDS,
    DESCRIPTION,
    Description,
    UsedDescription,
    array_file,
    read_arrays,
    read_description,
    read_used,
)
from replication.data.specs import PARTS
from replication.errors import InputError
from replication.files import flush, write_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from replication.data.images import ImageData
    from replication.data.text import Corpus

UNFINISHED = ".new-"
"""Prefix of the names of folders that arrays are being written to."""


class RawImages(NamedTuple):
    """A part of a data set that is to be prepared.

    ``images`` yields arrays (channels, height, width) in uint8, or in a floating type from 0 to 1,
    all of one shape; ``labels`` has their classes.
    """

    images: Iterable["NDArray[Any]"]
    labels: list[int]


class Collected(NamedTuple):
    """A data set that is to be prepared: the names of its classes, an image's shape and type, its
    parts by name, and what to remark once all images have been read."""

    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    pixels: str
    parts: dict[str, RawImages]
    remarks: Callable[[], list[str]] = list


def prepare_whole(folder: Path, state: str, collect: Callable[[], Collected]) -> Description:
    """Prepare what ``collect`` gives, unless that was done in this ``state`` of the files.

    Processes that prepare the same data set wait for each other. Arrays that another process has
    mapped stay as they are.

    Raises:
        InputError: the images cannot be used, or the folder cannot be written.
    """
    with _alone_in(folder):
        description = read_description(folder)
        if description is None or description.state != state or not _is_whole(folder, description):
            description = _write_whole(folder, state, collect())
    return description


def store(folder: Path, data: "ImageData | Corpus") -> UsedDescription:
    """Keep data as they are used, unless the folder has the same; see `prepare_whole`.

    Raises:
        InputError: the folder cannot be written.
    """
    import numpy as np

    classes = {name.rpartition(":")[2]: kind for kind, name in DATA_KINDS.items()}
    arrays = data.arrays
    types = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    description = UsedDescription(classes[type(data).__name__], data.fingerprint, types, data.facts)
    with _alone_in(folder):
        if read_used(folder) != description or not _is_whole(folder, description):
            with _temporary_folder(folder) as temporary:
                for name, array in arrays.items():
                    np.save(temporary / f"{name}.npy", array)
                _put(temporary, folder, description)
    return description


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Make a folder, and keep other processes from preparing data in it.

    Raises:
        InputError: it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            # Left by a process that was killed, because running ones hold the lock.
            for unfinished in folder.glob(f"{UNFINISHED}*"):
                shutil.rmtree(unfinished, ignore_errors=True)
            yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{folder}: the prepared data cannot be written ({reason}); free disk space, give write"
            " permission, or choose another `data_root`"
        ) from None


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[Path]:
    temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _is_whole(folder: Path, description: Description | UsedDescription) -> bool:
    try:
        return bool(read_arrays(folder, description))
    except InputError:
        return False


def _write_whole(folder: Path, state: str, collected: Collected) -> Description:
    import numpy as np

    digest = hashlib.sha256()
    of_training: set[bytes] = set()
    repeated = 0
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
                image_digest = hashlib.sha256(array[number].data).digest()
                if part == "train":
                    of_training.add(image_digest)
                else:
                    repeated += image_digest in of_training
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
            remarks=(*collected.remarks(), *_remark_on_repeated(repeated)),
        )
        _put(temporary, folder, description)
    return description


def _remark_on_repeated(number: int) -> list[str]:
    if not number:
        return []
    return [
        f"{number:,} of the test images are also training images, equal in every pixel, so the test"
        " error is too low; remove them from one of the two parts"
    ]


def _put(temporary: Path, folder: Path, description: Description | UsedDescription) -> None:
    """Move arrays to their folder, write their description last, and delete the previous arrays."""
    names = {name: array_file(description.sha256, name) for name in description.arrays}
    for name, file_name in names.items():
        file = temporary / f"{name}.npy"
        flush(file)
        file.replace(folder / file_name)
    write_text(folder / DESCRIPTION, json.dumps(asdict(description), indent=2) + "\n")
    for file in folder.glob("*.npy"):
        if file.name not in names.values():
            file.unlink()
