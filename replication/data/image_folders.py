"""Folders of images, ``train/<class>/<file>`` and ``test/<class>/<file>``: listed and read."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from replication.data.prepared import PARTS, read_description
from replication.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
NO_FILES = "missing"
"""State of files that are not there."""
ARCHIVED = "archive"
"""State of images that come from an archive, which has checksums."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's mode of images with so many channels."""


class ListedFile(NamedTuple):
    """A file as a listing has it: its path, its size in bytes, and its time in nanoseconds."""

    path: str
    size: int
    modified: int


Listing = dict[str, dict[str, list[ListedFile]]]
"""The images of each class of each part, all in the order of their names."""


def list_images(place: Path, extensions: tuple[str, ...] = EXTENSIONS) -> Listing:
    """List the images of a folder; parts that are missing have no classes.

    Links are followed. Images may be in subfolders of their class.

    Raises:
        InputError: a folder cannot be listed.
    """
    listing: Listing = {}
    for part in PARTS:
        try:
            folders = sorted(entry.name for entry in os.scandir(place / part) if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            folders = []
        except OSError as error:
            raise InputError(f"{place / part}: cannot be listed ({error.strerror})") from None
        try:
            listing[part] = {
                name: sorted(_walk(str(place / part / name), extensions), key=_order)
                for name in folders
            }
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be listed ({error.strerror})") from None
    return listing


def state_of(place: Path, files: Iterable[ListedFile]) -> str:
    """A hash of the names below ``place``, sizes and times of files: whether one has changed."""
    digest = hashlib.sha256()
    for file in files:
        name = os.path.relpath(file.path, place)
        digest.update(f"{name}\0{file.size}\0{file.modified}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def folder_state(place: Path) -> str:
    """The state of a folder of images; raises InputError as `list_images`."""
    return state_of(place, listed_files(list_images(place)))


def file_state(file: Path) -> str:
    """The state of one file, as `state_of`; of a missing one, ``missing``."""
    try:
        status = file.stat()
    except OSError:
        return NO_FILES
    return state_of(file.parent, [ListedFile(str(file), status.st_size, status.st_mtime_ns)])


def source_state(place: Path, prepared: Path, otherwise: str = NO_FILES) -> str:
    """The state of the folder or file that images are prepared from.

    Where it is gone, that in which they were prepared, because they can still be used.

    Args:
        place: the folder or file.
        prepared: folder of the prepared images.
        otherwise: the state where there is neither.

    Raises:
        InputError: a folder cannot be listed.
    """
    if place.is_dir():
        return folder_state(place)
    if place.exists():
        return file_state(place)
    description = read_description(prepared)
    return description.state if description else otherwise


def listed_files(listing: Listing) -> Iterator[ListedFile]:
    """All files of a listing in its order."""
    for classes in listing.values():
        for files in classes.values():
            yield from files


def read_image(file: str, size: tuple[int, int] | None, channels: int | None) -> "NDArray[Any]":
    """Read an image of this size (height, width): (channels, height, width) in uint8.

    Raises:
        InputError: the file cannot be read, or has another size or other channels.
    """
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            pixels = np.asarray(image)
            mode = image.mode
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise InputError(f"{file}: cannot be read as an image ({error}); replace it") from None
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    height, width, depth = pixels.shape
    if mode != MODES.get(channels or 0):
        raise InputError(
            f"{file}: {depth} channels (mode {mode}), not {channels}; convert it, or"
            " change `channels`"
        )
    if (height, width) != size:
        wanted = " × ".join(map(str, size or ()))
        raise InputError(f"{file}: {height} × {width} pixels, not {wanted}; resize all images")
    return pixels.transpose(2, 0, 1)


def _walk(folder: str, extensions: tuple[str, ...]) -> Iterator[ListedFile]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _walk(entry.path, extensions)
            elif entry.name.lower().endswith(extensions):
                status = entry.stat()
                yield ListedFile(entry.path, status.st_size, status.st_mtime_ns)


def _order(file: ListedFile) -> tuple[str, str]:
    folder, name = os.path.split(file.path)
    return folder, name
