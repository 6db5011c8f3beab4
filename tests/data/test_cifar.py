"""CIFAR from its archive and from a folder of its images: the same bytes, and what is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.archives import SMALL_CIFAR, cifar_archive, cifar_folder
from support.checks import refused
from torchvision import datasets

from replication.config.datasets import ImageDataset
from replication.data import cifar
from replication.data.prepared import read_description
from replication.data.specs import IMAGE_DATASETS
from replication.data.used_images import load_images

NAMES = ["cifar10", "cifar100"]


def test_the_archive_is_read_in_the_order_of_class_and_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = cifar_archive(tmp_path, "cifar10", monkeypatch)
    data = load_images("cifar10", tmp_path, download=True)
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (data.mean, data.std))
    torch.testing.assert_close(data.train.images * std + mean, torch.from_numpy(pixels) / 255)
    labels = torch.arange(10).repeat_interleave(SMALL_CIFAR["train"])
    assert torch.equal(data.train.labels, labels)


@pytest.mark.parametrize("name", NAMES)
def test_archive_and_folder_give_the_same_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        cifar_folder(tmp_path / "folder", name, patched)
        from_folder = load_images(name, tmp_path / "folder", download=True)
    cifar_archive(tmp_path / "archive", name, monkeypatch)
    from_archive = load_images(name, tmp_path / "archive", download=True)
    assert from_archive.fingerprint == from_folder.fingerprint
    one, other = (
        read_description(tmp_path / kind / "prepared" / name) for kind in ("folder", "archive")
    )
    assert one is not None
    assert other is not None
    assert one.sha256 == other.sha256
    assert one.classes == IMAGE_DATASETS[name].class_names


def test_trainings_read_prepared_arrays_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = cifar_folder(tmp_path, "cifar10", monkeypatch)
    first = load_images("cifar10", tmp_path, download=True)
    before = ImageDataset(name="cifar10").state(str(tmp_path))
    shutil.rmtree(place)
    assert load_images("cifar10", tmp_path).fingerprint == first.fingerprint
    # The data step goes on with them too, and has no reason to download an archive.
    assert load_images("cifar10", tmp_path, download=True).fingerprint == first.fingerprint
    assert ImageDataset(name="cifar10").state(str(tmp_path)) == before


def test_an_archive_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cifar_archive(tmp_path, "cifar10", monkeypatch)
    dataset = ImageDataset(name="cifar10")
    before = dataset.state(str(tmp_path))
    first = load_images("cifar10", tmp_path, download=True)
    assert dataset.state(str(tmp_path)) == before
    (tmp_path / datasets.CIFAR10.filename).unlink()
    shutil.rmtree(tmp_path / datasets.CIFAR10.base_folder)
    assert load_images("cifar10", tmp_path, download=True).fingerprint == first.fingerprint


def test_the_state_of_a_folder_changes_with_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = ImageDataset(name="cifar10")
    assert dataset.state(str(tmp_path)) == "archive"
    place = cifar_folder(tmp_path, "cifar10", monkeypatch)
    before = dataset.state(str(tmp_path))
    assert before == dataset.state(str(tmp_path)) != ""
    next((place / "test" / "frog").iterdir()).unlink()
    assert dataset.state(str(tmp_path)) != before


@pytest.mark.parametrize("name", NAMES)
def test_loading_never_downloads_and_writes_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar, "fetch", lambda *_: pytest.fail("a download"))
    with refused(f"{tmp_path}/cifar-", "its images are not prepared yet; run `replication data`"):
        load_images(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_archive_without_a_network_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar_archive(tmp_path, "cifar10", monkeypatch)
    archive = tmp_path / datasets.CIFAR10.filename
    archive.write_bytes(archive.read_bytes()[:1000])
    with refused(
        f"{tmp_path}: CIFAR-10 cannot be read or downloaded",
        "or put a new cifar-10-python.tar.gz there, or its images into",
    ):
        load_images("cifar10", tmp_path, download=True)


def first_image(place: Path) -> Path:
    return min((place / "train" / "bird").iterdir())


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a missing image": (
        lambda place: first_image(place).unlink(),
        "train/bird: has 4 images, but CIFAR-10 has 5 of this class",
    ),
    "an image too many": (
        lambda place: shutil.copy(first_image(place), place / "train/bird/another.png"),
        "train/bird: has 6 images, but CIFAR-10 has 5 of this class",
    ),
    "a missing class": (
        lambda place: shutil.rmtree(place / "test/ship"),
        "test/ship: has 0 images, but CIFAR-10 has 2 of this class",
    ),
    "a missing part": (
        lambda place: shutil.rmtree(place / "test"),
        "test/airplane: has 0 images, but CIFAR-10 has 2 of this class",
    ),
    "an unknown class": (
        lambda place: shutil.copytree(place / "train/bird", place / "train/penguin"),
        "train/penguin: CIFAR-10 has no class of this name",
    ),
    "an image of another size": (
        lambda place: Image.new("RGB", (32, 31)).save(first_image(place)),
        "31 × 32 pixels, not 32 × 32",
    ),
    "an image without colour": (
        lambda place: Image.new("L", (32, 32)).save(first_image(place)),
        "a grey image (mode L), not an image in colour (mode RGB) with 3 channels; unpack",
    ),
    "a damaged image": (
        lambda place: first_image(place).write_bytes(b"no image"),
        "cannot be read as an image",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_is_not_cifar_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = cifar_folder(tmp_path, "cifar10", monkeypatch)
    change, says = FOLDERS[name]
    change(place)
    with refused(f"{place}/", says):
        load_images("cifar10", tmp_path, download=True)


def test_the_classes_are_those_of_the_labels() -> None:
    for name, classes in (("cifar10", 10), ("cifar100", 100)):
        names = IMAGE_DATASETS[name].class_names
        assert len(names) == len(set(names)) == classes
        assert list(names) == sorted(names)


def test_pixels_of_a_prepared_data_set_are_whole_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar_folder(tmp_path, "cifar10", monkeypatch)
    load_images("cifar10", tmp_path, download=True)
    arrays = sorted((tmp_path / "prepared/cifar10").glob("*-images.npy"))
    assert [np.load(file).dtype for file in arrays] == [np.uint8, np.uint8]
