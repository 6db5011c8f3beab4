"""Small data sets in the formats of the real ones, and a malicious pickle."""

import gzip
import hashlib
import os
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from replication.data import specs

SMALL_CIFAR = {"train": 5, "test": 2}
"""Images of each class in the parts of a small CIFAR."""


def small_cifar(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """The images of a small CIFAR, which the suite then takes for the whole of it.

    By part and by the path ``<class>/<file>.png`` in the canonical order: (32, 32, 3) in uint8.
    """
    spec = specs.IMAGE_DATASETS[name]
    sizes = {part: spec.classes * each for part, each in SMALL_CIFAR.items()}
    monkeypatch.setitem(specs.IMAGE_DATASETS, name, replace(spec, **sizes))
    generator = np.random.default_rng(0)
    return {
        # Numbers with and without leading zeros: the order is that of the names.
        part: {
            f"{label}/{word}_s_{number:06}.png": generator.integers(
                0, 256, (32, 32, 3), dtype=np.uint8
            )
            for label in spec.class_names
            for number, word in enumerate(sorted(f"word{i}" for i in range(8, 8 + each)))
        }
        for part, each in SMALL_CIFAR.items()
    }


def cifar_folder(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small CIFAR as a folder of images in the folder of all data sets."""
    place = root / specs.IMAGE_DATASETS[name].folder
    for part, images in small_cifar(name, monkeypatch).items():
        for path, pixels in images.items():
            file = place / part / path
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
    return place


def cifar_archive(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> np.ndarray[Any, Any]:
    """A small archive in CIFAR's own format, with its checksums, and no way to the network.

    Its images are in another order than the canonical one, in which their pixels are returned:
    those of the training part, (n, 3, 32, 32).
    """
    images, names = small_cifar(name, monkeypatch), specs.IMAGE_DATASETS[name].class_names
    write_cifar_archive(root, name, images, names, monkeypatch)
    return np.stack([pixels.transpose(2, 0, 1) for pixels in images["train"].values()])


def write_cifar_archive(
    root: Path,
    name: str,
    images: Mapping[str, Mapping[str, np.ndarray[Any, Any]]],
    class_names: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Write an archive with these images, as `small_cifar` has them, and have it expected."""
    kind = getattr(datasets, name.upper())
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    label_key = "labels" if name == "cifar10" else "fine_labels"
    lists: dict[str, list[list[str]]] = {}
    for part, of_part in images.items():
        files = getattr(kind, f"{part}_list")
        mixed = np.random.default_rng(1).permutation(len(of_part))
        entries = list(of_part.items())
        lists[f"{part}_list"] = []
        for (file, _), places in zip(files, np.array_split(mixed, len(files)), strict=True):
            chosen = [entries[place] for place in places]
            content = {
                "data": np.stack([pixels.transpose(2, 0, 1).ravel() for _, pixels in chosen]),
                label_key: [class_names.index(path.split("/")[0]) for path, _ in chosen],
                "filenames": [path.split("/")[1] for path, _ in chosen],
            }
            (folder / file).write_bytes(pickle.dumps(content))
            lists[f"{part}_list"].append([file, md5_of(folder / file)])
    meta = folder / kind.meta["filename"]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: list(class_names)}))
    meta_md5 = md5_of(meta)
    archive = root / kind.filename
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(folder, kind.base_folder)
    for unpacked in folder.iterdir():
        unpacked.unlink()
    folder.rmdir()
    for owner in (datasets.CIFAR10, kind):
        monkeypatch.setattr(owner, "url", "http://127.0.0.1:9/nothing.tar.gz")
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": meta_md5})
    monkeypatch.setattr(kind, "tgz_md5", md5_of(archive))
    for key, value in lists.items():
        monkeypatch.setattr(kind, key, value)


def md5_of(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def idx(array: np.ndarray[Any, Any]) -> bytes:
    header = bytes([0, 0, 8, array.ndim])
    return header + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def fashion_files(folder: Path) -> np.ndarray[Any, Any]:
    """A small Fashion-MNIST in idx files, as Debian packs it."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (60, 28, 28), dtype=np.uint8)
    for name, n in (("train", 60), ("t10k", 20)):
        for kind, array in (("images-idx3", pixels[:n]), ("labels-idx1", np.arange(n) % 10)):
            content = idx(array.astype(np.uint8))
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
    return pixels


class Payload:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)
