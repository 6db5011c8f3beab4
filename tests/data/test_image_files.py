"""Image data sets as files in the real formats: unpacked once, missing and damaged ones named."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from support.archives import fashion_files
from support.checks import refused
from torchvision import datasets

from replication.data import image_files, images
from replication.data.image_files import digits
from replication.data.used_images import load_images

DEAD = "http://127.0.0.1:9/"


def unnormalised(part: images.Items, data: images.ImageData) -> torch.Tensor:
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (data.mean, data.std))
    return part.images * std + mean


def test_digits_are_those_of_scikit_learn_each_in_one_part() -> None:
    train, test = digits(Path())
    assert (len(train.labels), len(test.labels)) == (1198, 599)
    every = load_digits()
    expected = np.column_stack([every.data, every.target])
    pixels = torch.cat([train.images, test.images]).flatten(1) * 16
    loaded = torch.cat([pixels, torch.cat([train.labels, test.labels])[:, None]], dim=1)
    assert sorted(loaded.tolist()) == sorted(expected.tolist())
    counts = torch.bincount(test.labels).double() / torch.bincount(torch.tensor(every.target))
    assert counts.tolist() == pytest.approx([1 / 3] * 10, abs=0.01)


def test_fashion_mnist_is_unpacked_from_debians_package_and_paired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = fashion_files(tmp_path / "debian")
    monkeypatch.setattr(image_files, "DEBIAN_FASHION_MNIST", tmp_path / "debian")
    data = load_images("fashion_mnist", tmp_path / "data", download=True)
    expected = torch.from_numpy(pixels)[:, None] / 255
    torch.testing.assert_close(unnormalised(data.train, data), expected)
    pairs = load_images("fashion_mnist_pairs", tmp_path / "data", train=100, balanced=True)
    assert pairs.train.images.shape == (100, 1, 28, 56)
    assert len(pairs.evaluation.labels) == 20


def test_fashion_mnist_without_a_network_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "DEBIAN_FASHION_MNIST", tmp_path / "none")
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [DEAD])
    with refused(
        f"{tmp_path}: Fashion-MNIST cannot be read or downloaded", "package dataset-fashion-mnist"
    ):
        load_images("fashion_mnist", tmp_path, download=True)


@pytest.mark.parametrize("name", ["fashion_mnist", "fashion_mnist_pairs"])
def test_loading_never_downloads_and_writes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "fetch", lambda *_: pytest.fail("a download"))
    monkeypatch.setattr(image_files, "DEBIAN_FASHION_MNIST", tmp_path / "none")
    with refused(f"{tmp_path}: Fashion-MNIST is missing or damaged (", "run `replication data`"):
        load_images(name, tmp_path)
    assert list(tmp_path.iterdir()) == []
