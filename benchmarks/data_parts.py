"""Carries CIFAR-100 in parts to a machine that takes only a few megabytes at a time.

The images of a class are the tiles of one picture in lossless WebP, 1.8 kB an image. A part is a
tar file of such pictures and of the names of their tiles; the parts can be unpacked one after
another, and in any order, into the folder of images that `name: cifar100` reads.
"""

import io
import json
import math
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from replication.data.specs import IMAGE_DATASETS
from replication.errors import InputError

FOLDER = IMAGE_DATASETS["cifar100"].folder
SIDE = 32
COLUMNS = 25
"""Tiles beside each other in a picture."""


def pack(data_root: Path, parts_folder: Path, parts: int) -> list[Path]:
    """Write the folder of images under ``data_root`` into this many tar files, which are returned.

    Raises:
        InputError: there is no such folder.
    """
    place = data_root / FOLDER
    folders = sorted(folder for folder in place.glob("*/*") if folder.is_dir())
    if not folders:
        raise InputError(
            f"{place}: no folder of images; docs/how-to/get-cifar.md says how to get them"
        )
    parts_folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number in range(parts):
        file = parts_folder / f"{FOLDER}.{number + 1}-of-{parts}.tar"
        with tarfile.open(file, "w") as tar:
            for folder in folders[number::parts]:
                name = folder.relative_to(place).as_posix()
                images = sorted(folder.glob("*.png"))
                _add(tar, f"{name}.webp", _picture(images))
                _add(tar, f"{name}.json", json.dumps([each.name for each in images]).encode())
        written.append(file)
    return written


def unpack(parts: Sequence[Path], data_root: Path) -> int:
    """Write the images of these parts into the folder under ``data_root``; returns their number.

    Raises:
        InputError: a part is missing or damaged.
    """
    count = 0
    for part in parts:
        try:
            with tarfile.open(part) as tar:
                for file, tile in _tiles(tar):
                    target = data_root / FOLDER / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    tile.save(target, compress_level=1)
                    count += 1
        except (OSError, tarfile.TarError, ValueError, KeyError) as error:
            raise InputError(f"{part}: cannot be unpacked ({error}); copy it again") from None
    return count


def _picture(images: Sequence[Path]) -> bytes:
    rows = math.ceil(len(images) / COLUMNS)
    picture = np.zeros((rows * SIDE, COLUMNS * SIDE, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        picture[_tile(number)] = np.asarray(Image.open(image).convert("RGB"))
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "WEBP", lossless=True, quality=100, method=4, exact=True)
    return stream.getvalue()


def _tile(number: int) -> tuple[slice, slice]:
    """Where a tile is in its picture: rows and columns of pixels."""
    row, column = divmod(number, COLUMNS)
    return slice(row * SIDE, (row + 1) * SIDE), slice(column * SIDE, (column + 1) * SIDE)


def _tiles(tar: tarfile.TarFile) -> Iterator[tuple[str, Image.Image]]:
    """The path ``<part>/<class>/<file>`` of each image, and the image."""
    for member in tar.getnames():
        if not member.endswith(".webp"):
            continue
        folder = member.removesuffix(".webp")
        names = json.loads(_content(tar, f"{folder}.json"))
        picture = np.asarray(Image.open(io.BytesIO(_content(tar, member))).convert("RGB"))
        for number, name in enumerate(names):
            yield f"{folder}/{Path(name).name}", Image.fromarray(picture[_tile(number)])


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    assert stream
    return stream.read()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
