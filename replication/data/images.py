"""Image data sets, whole and as tensors: no loader workers, batches by indexing."""

import gzip
import hashlib
import importlib.util
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from replication import files
from replication.config.scale import ImageDataset
from replication.data.download import download
from replication.errors import InputError

# Splits and pairs are part of a data set's definition: the same for every run, whatever its seed.
SPLIT_SEED = 0
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


class Items(NamedTuple):
    """Images (n, channels, height, width) in float32, in [0, 1] until they are normalised, and
    their labels (n,) in int64."""

    images: Tensor
    labels: Tensor

    def take(self, index: Tensor) -> "Items":
        """The items at ``index``, in its order."""
        return Items(self.images[index], self.labels[index])


@dataclass(frozen=True)
class ImageData:
    """A data set ready for training.

    ``train`` and ``evaluation`` hold images (n, channels, height, width) in float32, normalised to
    mean 0 and variance 1 per channel over the training images; ``mean`` and ``std`` are what that
    took, for pixels in [0, 1]. ``fingerprint`` is a SHA-256 of every image and label in order.
    """

    train: Items
    evaluation: Items
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fingerprint: str

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self.train.images.shape[1]

    def to(self, device: torch.device) -> "ImageData":
        """The same data on another device."""
        train, evaluation = (
            Items(*(tensor.to(device) for tensor in part)) for part in (self.train, self.evaluation)
        )
        return ImageData(train, evaluation, self.classes, self.mean, self.std, self.fingerprint)


def load_images(
    dataset: ImageDataset, root: Path, evaluate_on: Literal["test", "validation"]
) -> ImageData:
    """Load a data set, split it as asked, and normalise it.

    For ``validation`` a fifth of the training items is held out and the test items are not looked
    at; pairs are built after the split, so that no item is in pairs of both parts.

    Raises:
        InputError: files are missing and cannot be downloaded, or fewer images exist than asked.
    """
    train, test = SOURCES[dataset.name](root)
    if evaluate_on == "validation":
        order = _shuffled(len(train.labels), "validation")
        held_out = len(order) // 5
        test, train = train.take(order[:held_out]), train.take(order[held_out:])
    make = _pairs if dataset.name in PAIRS else _first
    train = make(train, dataset.train, f"{dataset.name}: `train`")
    test = make(test, dataset.test, f"{dataset.name}: `test`")
    return _normalise(train, test)


def _first(items: Items, count: int | None, key: str) -> Items:
    if count is not None and count > len(items.labels):
        raise InputError(f"{key}: {count} images asked, {len(items.labels)} there are; ask fewer")
    return items.take(_shuffled(len(items.labels), "subset")[:count]) if count else items


def _pairs(items: Items, count: int | None, key: str) -> Items:
    """Two items side by side, drawn with replacement; the class is that of the two-digit number."""
    total = len(items.labels)
    generator = torch.Generator().manual_seed(_seed("pairs"))
    drawn = torch.randint(total, (2, count or total), generator=generator)
    left, right = (items.take(index) for index in drawn)
    classes = int(items.labels.max()) + 1
    return Items(
        torch.cat([left.images, right.images], dim=-1), left.labels * classes + right.labels
    )


def _normalise(train: Items, test: Items) -> ImageData:
    raw = hashlib.sha256()
    for tensor in (*train, *test):
        raw.update(tensor.contiguous().numpy().tobytes())
    channels = [channel.double() for channel in train.images.unbind(1)]
    mean = torch.tensor([channel.mean() for channel in channels])
    std = torch.tensor([channel.std(correction=0) for channel in channels])

    def normalised(items: Items) -> Items:
        shape = (1, -1, 1, 1)
        images = (items.images - mean.view(shape)) / std.view(shape)
        return Items(images.float(), items.labels)

    return ImageData(
        train=normalised(train),
        evaluation=normalised(test),
        classes=int(torch.cat([train.labels, test.labels]).max()) + 1,
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        fingerprint=raw.hexdigest(),
    )


def _seed(purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose}/{SPLIT_SEED}".encode()).digest()[:7])


def _shuffled(n: int, purpose: str) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(_seed(purpose)))


def digits(root: Path) -> tuple[Items, Items]:
    """scikit-learn's 8×8 digits: 1,198 for training and 599, a third of each class, for testing."""
    # Read where scikit-learn's own loader reads it: importing scikit-learn costs a second a run.
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise InputError("scikit-learn is not installed: pip install -r requirements.txt")
    file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(file, "rt") as lines:
            rows = lines.read().splitlines()
        if not rows:
            raise ValueError("empty")
        table = torch.from_numpy(np.loadtxt(rows, delimiter=",", dtype=np.uint8, ndmin=2))
        if table.shape[1] != 8 * 8 + 1 or table[:, -1].max() > 9:
            raise ValueError("not 64 pixels and a digit on each line")
    except UNREADABLE as error:
        raise InputError(f"{file}: cannot be read ({error}); install scikit-learn again") from None
    items = Items(table[:, :-1].reshape(-1, 1, 8, 8) / 16, table[:, -1].long())
    # A fixed random order, then every third digit of each class.
    order = _shuffled(len(table), "digits")
    order = order[items.labels[order].argsort(stable=True)]
    test = torch.arange(len(order)) % 3 == 0
    return items.take(order[~test]), items.take(order[test])


def fashion_mnist(root: Path) -> tuple[Items, Items]:
    """Fashion-MNIST, 28×28: 60,000 for training and 10,000 for testing."""
    from torchvision.datasets import FashionMNIST
    from torchvision.datasets.mnist import read_image_file, read_label_file

    raw = root / "FashionMNIST" / "raw"

    def provide() -> None:
        for name, md5 in FashionMNIST.resources:
            file, archive = raw / Path(name).stem, DEBIAN_FASHION_MNIST / name
            if file.exists():
                continue
            if not archive.is_file():
                archive = raw / name
                download(FashionMNIST.mirrors[0] + name, archive, md5)
            content = gzip.decompress(archive.read_bytes())
            files.write_atomically(file, partial(Path.write_bytes, data=content))

    def read(train: bool) -> Items:
        part = "train" if train else "t10k"
        images, labels = raw / f"{part}-images-idx3-ubyte", raw / f"{part}-labels-idx1-ubyte"
        items = Items(_read_idx(images, read_image_file), _read_idx(labels, read_label_file))
        n = len(items.labels)
        if items.images.shape != (n, 28, 28) or not n or items.labels.max() > 9:
            raise InputError(
                f"{images} and {labels} do not fit each other; delete both to have them unpacked"
                " again"
            )
        return Items(items.images[:, None] / 255, items.labels)

    hint = "Debian's package dataset-fashion-mnist has it"
    return _read_both(read, provide, root, "Fashion-MNIST", hint)


def _read_idx(file: Path, read: Callable[[str], Tensor]) -> Tensor:
    try:
        return read(str(file))
    except FileNotFoundError:
        raise
    except (AssertionError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{file}: damaged ({str(error) or 'no idx file'}); delete it to have it unpacked again"
        ) from None


def cifar(name: Literal["CIFAR10", "CIFAR100"]) -> Callable[[Path], tuple[Items, Items]]:
    """CIFAR-10 or CIFAR-100 through torchvision, 32×32: 50,000 for training, 10,000 for testing."""

    def load(root: Path) -> tuple[Items, Items]:
        import torchvision.datasets

        kind = getattr(torchvision.datasets, name)
        archive = root / kind.filename

        def provide() -> None:
            download(kind.url, archive, kind.tgz_md5)
            with tarfile.open(archive) as tar:
                # torchvision's own unpacking lets members out of the folder.
                tar.extractall(root, filter="data")

        def read(train: bool) -> Items:
            # It unpickles only what has the right checksums.
            dataset = kind(str(root), train=train)
            images = torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous()
            return Items(images / 255, torch.tensor(dataset.targets))

        return _read_both(read, provide, root, name, f"put {kind.filename} there by hand")

    return load


def _read_both(
    read: Callable[[bool], Items],
    provide: Callable[[], None],
    root: Path,
    name: str,
    hint: str,
) -> tuple[Items, Items]:
    """Training and test part, which jobs that start together provide one after the other.

    What is there is read without writing anything beside it.
    """
    try:
        try:
            return read(True), read(False)
        except (FileNotFoundError, RuntimeError):  # not there, or its checksums do not match
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / f".{name}.lock"):
                provide()
                return read(True), read(False)
    except UNREADABLE as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{root}: {name} cannot be read or downloaded ({reason}); {hint}"
        ) from None


UNREADABLE = (
    *(OSError, RuntimeError, ValueError, EOFError),
    *(HTTPException, tarfile.TarError, zlib.error),
)
SOURCES: dict[str, Callable[[Path], tuple[Items, Items]]] = {
    "digits": digits,
    "two_digit_numbers": digits,
    "fashion_mnist": fashion_mnist,
    "fashion_mnist_pairs": fashion_mnist,
    "cifar10": cifar("CIFAR10"),
    "cifar100": cifar("CIFAR100"),
}
PAIRS = {"two_digit_numbers", "fashion_mnist_pairs"}
