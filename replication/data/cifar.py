"""CIFAR-10 and CIFAR-100, from torchvision's archive or from a folder of their images.

Both give the same arrays, because both have CIFAR's own file names: images are in the order of
their class's name and then of their file's name. (The archive's own order is different.)
"""

import hashlib
import pickle
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from replication.data.download import UNREADABLE, last_line
from replication.data.download import download as fetch
from replication.data.image_folders import (
    ARCHIVED,
    Listing,
    files_state,
    list_images,
    source_state,
)
from replication.data.image_reading import Wanted, read_image
from replication.data.images import Items, parts_of
from replication.data.prepared import find_description, read_arrays
from replication.data.specs import IMAGE_DATASETS, PARTS, ImageSpec
from replication.data.write_prepared import Collected, RawImages, prepare_whole
from replication.errors import InputError

Name = Literal["cifar10", "cifar100"]


def cifar(name: Name, root: Path, download: bool = False) -> tuple[Items, Items]:
    """32×32 in colour: 50,000 for training and 10,000 for testing.

    Args:
        name: which of the two.
        root: folder of all data sets, with the folder of images, or else the archive.
        download: prepare the arrays where necessary; where there is no folder of images, the
            archive is downloaded first.

    Returns:
        The training and the test part, with pixels in uint8.

    Raises:
        InputError: images are missing, damaged, not CIFAR's, or cannot be downloaded.
    """
    folder, place = root / "prepared" / name, root / IMAGE_DATASETS[name].folder
    if not download:
        description = find_description(folder, str(place))
    elif place.is_dir():
        listing = list_images(place)
        state = files_state(place, listing.files())
        description = prepare_whole(folder, state, lambda: _from_folder(name, place, listing))
    else:
        state = source_state(place, folder, otherwise=ARCHIVED)
        description = prepare_whole(folder, state, lambda: _from_archive(name, root))
    train, test = parts_of(read_arrays(folder, description))
    return train, test


cifar10 = partial(cifar, "cifar10")
cifar100 = partial(cifar, "cifar100")


def _expected(name: Name) -> tuple[ImageSpec, dict[str, int]]:
    """The data set's entry in the registry, and how many images of each class its parts have."""
    spec = IMAGE_DATASETS[name]
    return spec, {part: getattr(spec, part) // spec.classes for part in PARTS}


def _from_folder(name: Name, place: Path, listing: Listing) -> Collected:
    """Read a folder of images, which have to be CIFAR's in number, classes and size."""
    spec, each = _expected(name)
    channels, height, width = spec.shape
    remedy = "unpack the images again"
    wanted = Wanted((height, width), channels, None, False, remedy, remedy)
    parts = {}
    for part, classes in listing.parts.items():
        if unknown := sorted(set(classes) - set(spec.class_names)):
            raise InputError(
                f"{place / part / unknown[0]}: {spec.label} has no class of this name; move the"
                " folder away"
            )
        files = []
        for label in spec.class_names:
            of_class = classes.get(label, [])
            if len(of_class) != each[part]:
                raise InputError(
                    f"{place / part / label}: has {len(of_class):,} images, but {spec.label} has"
                    f" {each[part]:,} of this class; unpack the images again"
                )
            files += of_class
        images = (read_image(file.path, wanted) for file in files)
        labels = [label for label in range(spec.classes) for _ in range(each[part])]
        parts[part] = RawImages(images, labels)
    return Collected(spec.class_names, spec.shape, "uint8", parts)


def _from_archive(name: Name, root: Path) -> Collected:
    """Read torchvision's archive, which is downloaded and unpacked first where necessary."""
    import torchvision.datasets

    kind = getattr(torchvision.datasets, name.upper())
    try:
        if not _is_unpacked(kind, root):
            archive = root / kind.filename
            fetch(kind.url, archive, kind.tgz_md5)
            with tarfile.open(archive) as tar:
                # torchvision's own unpacking lets members out of the folder.
                tar.extractall(root, filter="data")
            if not _is_unpacked(kind, root):
                raise ValueError("its files have the wrong checksums")
        return _read_archive(name, root / kind.base_folder, kind)
    except UNREADABLE as error:
        raise InputError(
            f"{root}: {IMAGE_DATASETS[name].label} cannot be read or downloaded"
            f" ({last_line(error)}); check the network and the free disk space, or put a"
            f" new {kind.filename} there, or its images into {root / IMAGE_DATASETS[name].folder}"
        ) from None


def _is_unpacked(kind: Any, root: Path) -> bool:
    """Whether all files of the archive are there and have their checksums."""
    return all(_has_md5(root / kind.base_folder / file, md5) for file, md5 in _files(kind))


def _files(kind: Any) -> list[tuple[str, str]]:
    meta = kind.meta["filename"], kind.meta["md5"]
    return [*map(tuple, kind.train_list), *map(tuple, kind.test_list), meta]


def _has_md5(file: Path, md5: str) -> bool:
    try:
        return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == md5
    except FileNotFoundError:
        return False


def _read_archive(name: Name, folder: Path, kind: Any) -> Collected:
    """Read unpacked files whose checksums are right, and put the images into their order."""
    spec, each = _expected(name)
    names = _unpickle(folder / kind.meta["filename"])[kind.meta["key"]]
    if tuple(sorted(names)) != spec.class_names:
        raise ValueError(f"{kind.meta['filename']}: its classes are not those of {spec.label}")
    parts = {}
    for part, listed in zip(PARTS, (kind.train_list, kind.test_list), strict=True):
        batches = [_unpickle(folder / file) for file, _ in listed]
        pixels = np.concatenate([batch["data"] for batch in batches])
        key = "labels" if name == "cifar10" else "fine_labels"
        classes = [names[label] for batch in batches for label in batch[key]]
        files = [file for batch in batches for file in batch["filenames"]]
        order = sorted(range(len(files)), key=lambda number: (classes[number], files[number]))
        labels = [spec.class_names.index(classes[number]) for number in order]
        if labels != [label for label in range(spec.classes) for _ in range(each[part])]:
            raise ValueError(f"not {each[part]:,} {part} images of every class")
        parts[part] = RawImages(_images(pixels, order, spec.shape), labels)
    return Collected(spec.class_names, spec.shape, "uint8", parts)


def _images(
    pixels: NDArray[Any], order: list[int], shape: tuple[int, int, int]
) -> Iterator[NDArray[Any]]:
    for number in order:
        yield pixels[number].reshape(shape)


def _unpickle(file: Path) -> dict[str, Any]:
    """Read a file of the archive, whose checksum has to be right: a pickle can run any code."""
    with file.open("rb") as stream:
        content: dict[str, Any] = pickle.load(stream, encoding="latin1")  # noqa: S301
    return content
