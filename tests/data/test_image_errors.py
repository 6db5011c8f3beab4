"""Damaged image data: one line that names the file, and nothing is lost."""

import gzip
import importlib.util
import shutil
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from support.archives import cifar_archive, fashion_files
from support.project import FILES, TRAIN_TEACHER, WRONG, Project, binary, truncate
from torchvision import datasets

from replication.data import image_files

NO_NETWORK = "http://127.0.0.1:9/"


@pytest.fixture
def digits(project: Project) -> Path:
    """The digits of scikit-learn, in a copy of its folder."""
    sklearn_spec = importlib.util.find_spec("sklearn")
    assert sklearn_spec
    assert sklearn_spec.origin
    file = project / "sklearn/datasets/data/digits.csv.gz"
    file.parent.mkdir(parents=True)
    shutil.copy(Path(sklearn_spec.origin).parent / "datasets/data/digits.csv.gz", file)
    own = ModuleSpec("sklearn", None, origin=str(project / "sklearn/__init__.py"))
    project.monkeypatch.setattr(importlib.util, "find_spec", lambda name: own)
    return file


@pytest.mark.parametrize(
    "damage",
    [truncate, lambda file: file.write_bytes(gzip.compress(b"1,2,3\n4,5,6\n"))],
    ids=["truncated", "other columns"],
)
def test_damaged_digits_are_refused(
    damage: Callable[[Path], object], digits: Path, project: Project
) -> None:
    damage(digits)
    project.refuses(TRAIN_TEACHER, "digits.csv.gz: cannot be read", "install scikit-learn again")


@pytest.fixture
def cifar(project: Project) -> Path:
    """A small CIFAR-10 in its archive, as the scale's data, without a network."""
    (project / "data").mkdir()
    cifar_archive(project / "data", "cifar10", project.monkeypatch)
    project.override(datasets={"cifar10": {"name": "cifar10", "train": None, "test": None}})
    return project / "data/cifar-10-python.tar.gz"


def unpacked_and_damaged(archive: Path) -> None:
    archive.unlink()
    folder = archive.parent / "cifar-10-batches-py"
    folder.mkdir()
    binary(folder / "data_batch_1")


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, truncate, unpacked_and_damaged],
    ids=["missing", "truncated", "unpacked"],
)
def test_damaged_cifar_is_refused(
    damage: Callable[[Path], object], cifar: Path, project: Project
) -> None:
    damage(cifar)
    project.refuses(["data", *FILES, *WRONG], "CIFAR-10", "cifar-10-python.tar.gz")


@pytest.fixture
def fashion(project: Project) -> Path:
    """A small Fashion-MNIST as Debian's package has it, as the scale's data, without a network."""
    fashion_files(project / "debian")
    project.monkeypatch.setattr(image_files, "DEBIAN_FASHION_MNIST", project / "debian")
    project.monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [NO_NETWORK])
    project.override(datasets={"cifar10": {"name": "fashion_mnist", "train": None, "test": None}})
    return project / "debian"


FASHION_DAMAGED: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing": (shutil.rmtree, ("Fashion-MNIST", "dataset-fashion-mnist")),
    "not packed": (
        lambda f: binary(f / "train-images-idx3-ubyte.gz"),
        ("Fashion-MNIST", "dataset-fashion-mnist"),
    ),
    "fewer labels than images": (
        lambda f: shutil.copy(f / "t10k-labels-idx1-ubyte.gz", f / "train-labels-idx1-ubyte.gz"),
        ("train-labels-idx1-ubyte", "delete both"),
    ),
}


@pytest.mark.parametrize("name", FASHION_DAMAGED)
def test_damaged_fashion_mnist_is_refused(name: str, fashion: Path, project: Project) -> None:
    damage, says = FASHION_DAMAGED[name]
    damage(fashion)
    project.refuses(["data", *FILES, *WRONG], *says)
