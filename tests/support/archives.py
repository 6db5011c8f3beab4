"""Small data sets in the formats of the real ones, and a malicious pickle."""

import gzip
import hashlib
import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision import datasets


def cifar_archive(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> np.ndarray[Any, Any]:
    """A small archive in CIFAR's own format, with its checksums, and no way to the network."""
    kind = getattr(datasets, name)
    rng = np.random.default_rng(0)
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    label, classes = ("labels", 10) if name == "CIFAR10" else ("fine_labels", 100)
    lists: dict[str, list[list[str]]] = {"train_list": [], "test_list": []}
    pixels = []
    for key in lists:
        for file, _ in getattr(kind, key):
            data = rng.integers(0, 256, (classes, 3072), dtype=np.uint8)
            (folder / file).write_bytes(pickle.dumps({"data": data, label: list(range(classes))}))
            lists[key].append([file, hashlib.md5((folder / file).read_bytes()).hexdigest()])
            if key == "train_list":
                pixels.append(data)
    meta = {kind.meta["key"]: [str(i) for i in range(classes)]}
    (folder / kind.meta["filename"]).write_bytes(pickle.dumps(meta))
    digest = hashlib.md5((folder / kind.meta["filename"]).read_bytes()).hexdigest()
    archive = root / kind.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, kind.base_folder)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    for owner in (datasets.CIFAR10, kind):
        monkeypatch.setattr(owner, "url", "http://127.0.0.1:9/nothing.tar.gz")
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": digest})
    monkeypatch.setattr(kind, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    for key, value in lists.items():
        monkeypatch.setattr(kind, key, value)
    return np.concatenate(pixels)


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
