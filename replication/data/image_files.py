"""The image data sets as files: where they come from, and how they are read.

A loader takes the folder of all data sets and whether it may download what is missing. It returns
the training and the test part, in the order of the files, with pixels from 0 to 1 or in uint8. It
raises an `InputError` where files are missing, damaged, or cannot be downloaded. (`data.cifar` has
those of CIFAR.)
"""

import gzip
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from replication import files
from replication.data.download import UNREADABLE, last_line
from replication.data.download import download as fetch
from replication.data.images import Items
from replication.data.sampling import shuffled
from replication.data.specs import PREPARE
from replication.errors import InputError

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
Parts = tuple[Items, Items]


def digits(root: Path, download: bool = False) -> Parts:
    """scikit-learn's 8×8 digits: 1,198 for training and 599, a third of each class, for testing.

    Neither argument is used: the digits are part of scikit-learn.
    """
    # Read directly: importing scikit-learn would cost every run a second.
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
    order = shuffled(len(table), "digits")
    order = order[items.labels[order].argsort(stable=True)]
    test = torch.arange(len(order)) % 3 == 0
    return items.take(order[~test]), items.take(order[test])


def fashion_mnist(root: Path, download: bool = False) -> Parts:
    """Fashion-MNIST, 28×28: 60,000 for training and 10,000 for testing.

    Unpacked from Debian's package where it is installed, else downloaded.

    Raises:
        InputError: a file is damaged, or missing and not downloaded.
    """
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
                fetch(FashionMNIST.mirrors[0] + name, archive, md5)
            content = gzip.decompress(archive.read_bytes())
            files.write_atomically(file, partial(Path.write_bytes, data=content))

    def read(train: bool) -> Items:
        part = "train" if train else "t10k"
        images, labels = raw / f"{part}-images-idx3-ubyte", raw / f"{part}-labels-idx1-ubyte"
        try:
            items = Items(read_image_file(str(images)), read_label_file(str(labels)))
            n = len(items.labels)
            if items.images.shape != (n, 28, 28) or not n or items.labels.max() > 9:
                raise ValueError("they do not belong together")
        except FileNotFoundError:
            raise
        except (AssertionError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"{images} or {labels} is damaged ({str(error) or 'no idx file'}); delete both and"
                f" {PREPARE}"
            ) from None
        return Items(items.images[:, None], items.labels)

    hint = "or install Debian's package dataset-fashion-mnist"
    return _load(read, provide, download, root, "Fashion-MNIST", hint)


def _load(
    read: Callable[[bool], Items],
    provide: Callable[[], None],
    download: bool,
    root: Path,
    name: str,
    hint: str,
) -> Parts:
    """Read both parts; if a file is missing and ``download`` is true, provide them first.

    Processes that provide the same data set wait for each other. A complete one is read without
    writing to its folder.
    """
    try:
        try:
            return read(True), read(False)
        except FileNotFoundError:
            if not download:
                raise
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / f".{name}.lock"):
                provide()
                return read(True), read(False)
    except UNREADABLE as error:
        reason = last_line(error)
        if download:
            raise InputError(
                f"{root}: {name} cannot be read or downloaded ({reason}); check the network and the"
                f" free disk space, {hint}"
            ) from None
        raise InputError(f"{root}: {name} is missing or damaged ({reason}); {PREPARE}") from None
