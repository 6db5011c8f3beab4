"""Folders of images, ``train/<class>/<file>`` and ``test/<class>/<file>``: what is in them."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from unicodedata import category, normalize

from replication.data.prepared import read_description
from replication.data.specs import PARTS
from replication.errors import InputError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
SKIPPED = (".", "@", "__MACOSX")
"""Prefixes of the names of files and folders that other programs leave among images."""
NO_FILES = "missing"
"""State of files that are not there."""
ARCHIVED = "archive"
"""State of images that come from an archive, which has checksums."""


class ListedFile(NamedTuple):
    """A file as a listing has it: its path, its size in bytes, and its time in nanoseconds."""

    path: str
    size: int
    modified: int


@dataclass(frozen=True)
class Listing:
    """What is in a folder of images.

    Attributes:
        parts: the images of each class of each part, all in the order of their names. Names of
            classes are in the composed form of Unicode (NFC), which disks may differ in.
        skipped: the names of files and folders that were left out as other programs' (`SKIPPED`).
        unread: how many other files there are, by the end of their names.
        outside: how many images of each part are in no folder of a class.
    """

    parts: dict[str, dict[str, list[ListedFile]]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def files(self) -> Iterator[ListedFile]:
        """All images, in their order."""
        for classes in self.parts.values():
            for files in classes.values():
                yield from files

    def remarks(self, place: Path) -> list[str]:
        """What was passed over in the folder ``place``, each in a sentence on one line."""
        sentences = []
        if self.skipped:
            names = ", ".join(sorted(self.skipped)[:3])
            sentences.append(
                f"{place}: files and folders whose names begin with {', '.join(SKIPPED[:-1])} or"
                f" {SKIPPED[-1]} are skipped, {self.skipped.total()} in all: {names}"
                + (" and others" if len(self.skipped) > 3 else "")
            )
        if self.unread:
            kinds = ", ".join(f"{number} {end}" for end, number in sorted(self.unread.items()))
            sentences.append(
                f"{place}: files whose names do not end in {', '.join(EXTENSIONS)} are not read:"
                f" {kinds}; convert those that are images"
            )
        for part, number in self.outside.items():
            sentences.append(
                f"{place / part}: images outside the folders of classes are not read; there"
                f" {'is' if number == 1 else 'are'} {number}"
            )
        return sentences


def list_images(place: Path) -> Listing:
    """List the images of a folder; parts that are missing have no classes.

    Links are followed. Images may be in subfolders of their class.

    Raises:
        InputError: a folder cannot be listed, a link is broken or leads in a circle, or the name of
            a class cannot be used.
    """
    listing = Listing()
    for part in PARTS:
        classes: dict[str, list[ListedFile]] = {}
        listing.parts[part] = classes
        try:
            entries = sorted(os.scandir(place / part), key=lambda entry: _composed(entry.name))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise InputError(f"{place / part}: cannot be listed ({error.strerror})") from None
        try:
            for entry in entries:
                if _is_skipped(entry, listing):
                    continue
                if not entry.is_dir():
                    _note_file(entry, listing, listing.outside, part)
                    continue
                name = _class_name(entry)
                if name in classes:
                    raise InputError(
                        f"{entry.path}: another folder's name differs from this one's only in how"
                        " its accents are encoded; put their images into one folder"
                    )
                classes[name] = sorted(_walk(entry.path, listing), key=_order)
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be listed ({error.strerror})") from None
    return listing


def _walk(folder: str, listing: Listing) -> Iterator[ListedFile]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_skipped(entry, listing):
                continue
            if entry.is_dir():
                if entry.is_symlink() and _contains(os.path.realpath(entry.path), folder):
                    raise InputError(
                        f"{entry.path}: this link leads to a folder that it is in; delete it"
                    )
                yield from _walk(entry.path, listing)
            elif entry.name.lower().endswith(EXTENSIONS):
                status = entry.stat()
                yield ListedFile(entry.path, status.st_size, status.st_mtime_ns)
            else:
                _note_file(entry, listing)


def _is_skipped(entry: "os.DirEntry[str]", listing: Listing) -> bool:
    """Whether an entry is another program's; raises InputError if it is a broken link instead."""
    if entry.name.startswith(SKIPPED):
        listing.skipped[entry.name] += 1
        return True
    if entry.is_symlink() and not os.path.exists(entry.path):
        raise InputError(
            f"{entry.path}: this link leads to nothing ({os.readlink(entry.path)}); restore what it"
            " led to, or delete it"
        )
    return False


def _note_file(
    entry: "os.DirEntry[str]",
    listing: Listing,
    outside: Counter[str] | None = None,
    part: str = "",
) -> None:
    """Count a file that is not read."""
    end = os.path.splitext(entry.name)[1].lower()
    if outside is not None and end in EXTENSIONS:
        outside[part] += 1
    else:
        listing.unread[end or "without an extension"] += 1


def _contains(folder: str, inner: str) -> bool:
    inner = os.path.realpath(inner)
    return inner == folder or inner.startswith(folder.rstrip(os.sep) + os.sep)


def _class_name(entry: "os.DirEntry[str]") -> str:
    name = _composed(entry.name)
    if any(category(letter) in ("Cc", "Cs") for letter in name):
        raise InputError(
            f"{entry.path!a}: the name of this folder, and so of a class, is not UTF-8 or has"
            " control characters; rename it"
        )
    return name


def _composed(name: str) -> str:
    return normalize("NFC", name)


def _order(file: ListedFile) -> tuple[str, str]:
    folder, name = os.path.split(_composed(file.path))
    return folder, name


def files_state(place: Path, files: Iterable[ListedFile]) -> str:
    """A hash of the names below ``place``, sizes and times of files: whether one has changed."""
    digest = hashlib.sha256()
    for file in files:
        name = os.path.relpath(file.path, place)
        digest.update(f"{name}\0{file.size}\0{file.modified}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def folder_state(place: Path) -> str:
    """The state of a folder of images; raises InputError like `list_images`."""
    return files_state(place, list_images(place).files())


def file_state(file: Path) -> str:
    """The state of one file, like `files_state`; for a missing one, ``missing``."""
    try:
        status = file.stat()
    except OSError:
        return NO_FILES
    return files_state(file.parent, [ListedFile(str(file), status.st_size, status.st_mtime_ns)])


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
