"""Image data of one's own: a folder of images, arrays in an npz file, or a class of torchvision.

They are read and checked once, when data are prepared, and kept as arrays in
``<data_root>/prepared``, from where every training reads them. What was prepared from files that
have changed since is not used.
"""

import hashlib
import inspect
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from replication import files
from replication.data.specs import PREPARE, ImageSpec, Source
from replication.errors import InputError

PARTS = ("train", "test")
KEYS = ("x_train", "y_train", "x_test", "y_test")
Arrays = dict[str, NDArray[Any]]


def read(source: Source, root: Path, download: bool = False) -> Arrays:
    """The arrays by `KEYS`: images (n, height, width, channels), labels (n,) in int64.

    With ``download`` they are prepared where that is due.

    Raises:
        InputError: they are not prepared, or the files have changed or cannot be used.
    """
    file, listed = source.prepared(root), _listing(source)
    try:
        if download and _state(file) != listed:
            file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(file.with_suffix(".lock")):
                arrays = _checked(source, _collect(source, root))
                write = partial(_write, arrays={**arrays, "listing": np.array(listed)})
                files.write_atomically(file, write)
        state = _state(file)
        if state is None:
            raise InputError(f"{source.place}: not prepared yet; {PREPARE}")
        if state != listed:
            raise InputError(f"{source.place}: has changed since it was prepared; {PREPARE}")
        return _load(file, KEYS)
    except OSError as error:
        raise InputError(f"{file}: cannot be read or written ({error}); check the disk") from None


def spec(source: Source, root: Path) -> ImageSpec:
    """Classes, shape and sizes of prepared images; raises InputError as `read`."""
    arrays = read(source, root)
    _, height, width, channels = arrays["x_train"].shape
    return ImageSpec(
        label=source.name,
        loader="",
        classes=int(arrays["y_train"].max()) + 1,
        shape=(channels, height, width),
        train=len(arrays["y_train"]),
        test=len(arrays["y_test"]),
    )


def _load(file: Path, keys: Sequence[str]) -> Arrays:
    # numpy leaves a damaged file open that it has opened itself.
    with file.open("rb") as stream, np.load(stream) as content:
        return {key: content[key] for key in keys}


def _write(file: Path, arrays: Arrays) -> None:
    with file.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def _state(file: Path) -> str | None:
    """What the arrays were prepared from; None if there are none that can be read."""
    try:
        return str(_load(file, ["listing"])["listing"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _listing(source: Source) -> str:
    """A hash of the names, sizes and times of the files; torchvision checks its own."""
    place, digest = Path(source.place), hashlib.sha256()
    if source.kind == "torchvision":
        return "torchvision"
    found = sorted(place.rglob("*")) if source.kind == "folder" else [place]
    for path in found:
        if path.is_file():
            status = path.stat()
            name = path.relative_to(place.parent)
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _collect(source: Source, root: Path) -> Arrays:
    if source.kind == "npz":
        return _from_npz(Path(source.place))
    parts = (
        (_from_folder(source, part) for part in PARTS)
        if source.kind == "folder"
        else (_from_torchvision(source.place, root, part) for part in PARTS)
    )
    found: Arrays = {}
    for part, (images, labels) in zip(PARTS, parts, strict=True):
        found |= {f"x_{part}": images, f"y_{part}": labels}
    return found


def _from_npz(file: Path) -> Arrays:
    try:
        found = _load(file, KEYS)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; correct `npz`") from None
    except KeyError as error:
        raise InputError(f"{file}: no array {error}; save {', '.join(KEYS)}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: damaged ({error}); save it again with numpy.savez") from None
    for part in PARTS:
        if found[f"x_{part}"].ndim == 3:
            found[f"x_{part}"] = found[f"x_{part}"][..., None]
    return found


def _from_folder(source: Source, part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    from torchvision.datasets import ImageFolder

    folder, train = Path(source.place) / part, Path(source.place) / "train"
    try:
        found = ImageFolder(str(folder))
        classes = ImageFolder(str(train)).classes
    except FileNotFoundError as error:
        raise InputError(
            f"{source.place}: {' '.join(str(error).split())}; it needs train/ and test/, each with"
            " a folder of images for every class"
        ) from None
    if found.classes != classes:
        raise InputError(f"{folder}: other classes than {train}; make them the same")
    images = [_pixels(Path(path), source) for path, _ in found.samples]
    return np.stack(images), np.array([label for _, label in found.samples])


def _pixels(file: Path, source: Source) -> NDArray[Any]:
    """One image (height, width, channels) in uint8."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            pixels = np.asarray(image)
            mode = image.mode
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise InputError(f"{file}: cannot be read as an image ({error}); replace it") from None
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    height, width, channels = pixels.shape
    if pixels.dtype != np.uint8 or channels != source.channels or mode == "P":
        raise InputError(
            f"{file}: {channels} channels (mode {mode}), not {source.channels}; convert it, or"
            " change `channels`"
        )
    if (height, width) != source.size:
        wanted = " × ".join(map(str, source.size or ()))
        raise InputError(f"{file}: {height} × {width} pixels, not {wanted}; resize all images")
    return pixels


def _from_torchvision(name: str, root: Path, part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    import torchvision.datasets

    kind: Any = getattr(torchvision.datasets, name, None)
    taken = inspect.signature(kind).parameters if inspect.isclass(kind) else {}
    if not taken.keys() & {"train", "split"}:
        raise InputError(
            f"`torchvision: {name}`: no class of torchvision.datasets with a training and a test"
            " part; see its documentation"
        )
    choice: dict[str, Any] = {"train": part == "train"} if "train" in taken else {"split": part}
    if "download" in taken:
        choice["download"] = True
    try:
        samples = list(_samples(kind(str(root), **choice)))
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"`torchvision: {name}`: cannot be read or downloaded ({reason}); check the network, or"
            f" put its files into {root}"
        ) from None
    if len({image.shape for image, _ in samples}) > 1:
        raise InputError(
            f"`torchvision: {name}`: images of several sizes; write them as one size into a folder"
        )
    images, labels = zip(*samples, strict=True)
    return np.stack(images), np.array(labels)


def _samples(dataset: Any) -> Iterator[tuple[NDArray[Any], int]]:
    for index in range(len(dataset)):
        image, label = dataset[index]
        pixels = np.asarray(image)
        yield pixels if pixels.ndim == 3 else pixels[..., None], int(label)


def _checked(source: Source, arrays: Arrays) -> Arrays:
    """The arrays, with labels as int64.

    Raises:
        InputError: their shapes, types or labels do not fit.
    """
    shapes = {arrays[f"x_{part}"].shape[1:] for part in PARTS}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        found = " and ".join(str(arrays[f"x_{part}"].shape) for part in PARTS)
        raise InputError(
            f"{source.place}: images of shapes {found}; they have to be (n, height, width) or (n,"
            " height, width, channels), of one size"
        )
    for part in PARTS:
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        unit = images.dtype.kind == "f" and images.size and 0 <= images.min() <= images.max() <= 1
        if images.dtype != np.uint8 and not unit:
            raise InputError(
                f"{source.place}: x_{part}: {images.dtype}; uint8, or floats from 0 to 1"
            )
        if labels.dtype.kind not in "iu" or labels.shape != (len(images),) or not len(labels):
            raise InputError(
                f"{source.place}: y_{part}: {labels.dtype} of shape {labels.shape}; one whole"
                f" number for each of the {len(images)} images"
            )
        arrays[f"y_{part}"] = labels.astype(np.int64)
    classes = set(arrays["y_train"].tolist())
    if classes != set(range(len(classes))) or not set(arrays["y_test"].tolist()) <= classes:
        raise InputError(
            f"{source.place}: labels have to be 0 to n − 1, each of them among the training images"
        )
    return arrays
