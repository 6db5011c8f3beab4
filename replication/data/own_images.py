"""Image data of one's own: a folder of images, arrays in an npz file, or a class of torchvision.

They are read and checked once, when data are prepared; `prepared` keeps the arrays. A training, or
a question about their number, reads what was prepared and does not look at the files themselves:
`config.datasets` says whether these have changed.
"""

import inspect
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replication.data.image_folders import (
    EXTENSIONS,
    Listing,
    list_images,
    listed_files,
    read_image,
    source_state,
    state_of,
)
from replication.data.memory import check_bytes
from replication.data.prepared import (
    PARTS,
    Collected,
    RawImages,
    find_description,
    prepare,
    read_arrays,
)
from replication.data.specs import ImageSpec, Source
from replication.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = dict[str, tuple["NDArray[Any]", "NDArray[Any]"]]
"""Images (n, channels, height, width) and labels (n,) in int64 by part."""
KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_own_images(source: Source, root: Path, download: bool = False) -> Arrays:
    """Map prepared images of one's own into memory; with ``download`` prepare them where due.

    Args:
        source: where the images are.
        root: folder of all data sets, which has the prepared arrays.
        download: whether to look at the files, and prepare them if they are new or have changed.

    Raises:
        InputError: they are not prepared, or cannot be used.
    """
    folder = source.prepared(root)
    if download:
        listing = list_images(Path(source.place)) if source.kind == "folder" else {}
        description = prepare(
            folder, _state(source, listing, folder), lambda: _collect(source, listing, root)
        )
    else:
        description = find_description(folder, source.place)
    return read_arrays(folder, description)


def own_image_spec(source: Source, root: Path) -> ImageSpec:
    """Classes, shape and sizes of prepared images; raises InputError if they are not prepared."""
    description = find_description(source.prepared(root), source.place)
    return ImageSpec(
        label=source.name,
        loader="",
        classes=len(description.classes),
        shape=description.shape,
        train=description.train,
        test=description.test,
        class_names=description.classes,
    )


def _state(source: Source, listing: Listing, prepared: Path) -> str:
    if source.kind == "torchvision":  # it checks its own files
        return source.kind
    place = Path(source.place)
    if any(listing.values()):
        return state_of(place, listed_files(listing))
    return source_state(place, prepared)


def _collect(source: Source, listing: Listing, root: Path) -> Collected:
    if source.kind == "folder":
        return _from_folder(source, listing)
    if source.kind == "npz":
        return _from_arrays(source.place, _read_npz(Path(source.place)))
    return _from_arrays(source.place, _read_torchvision(source.place, root))


def _from_folder(source: Source, listing: Listing) -> Collected:
    place = Path(source.place)
    for part in PARTS:
        if not listing[part]:
            raise InputError(
                f"{place / part}: no such folder, or no folder in it; `folder` needs train/ and"
                " test/, each with a folder of images for every class"
            )
        if empty := [name for name, files in listing[part].items() if not files]:
            raise InputError(
                f"{place / part / empty[0]}: no images (names end in {', '.join(EXTENSIONS)});"
                " add some, or move the folder away"
            )
    train, test = (set(listing[part]) for part in PARTS)
    if train != test:
        one = sorted(train ^ test)[0]
        has, lacks = PARTS if one in train else PARTS[::-1]
        raise InputError(
            f"{place}: {has}/ has a class `{one}` and {lacks}/ has not; both need the same classes"
        )
    classes = tuple(sorted(train))
    assert source.size is not None
    assert source.channels is not None
    parts = {
        part: RawImages(
            (
                read_image(file.path, source.size, source.channels)
                for files in listing[part].values()
                for file in files
            ),
            [label for label, name in enumerate(classes) for _ in listing[part][name]],
        )
        for part in PARTS
    }
    return Collected(classes, (source.channels, *source.size), "uint8", parts)


def _read_npz(file: Path) -> dict[str, "NDArray[Any]"]:
    """The arrays by `KEYS`, images as (n, height, width, channels) where they are (n, height,
    width)."""
    import numpy as np

    try:
        with zipfile.ZipFile(file) as archive:
            check_bytes(str(file), sum(member.file_size for member in archive.infolist()))
        # numpy leaves a damaged file open that it has opened itself.
        with file.open("rb") as stream, np.load(stream) as content:
            arrays = {key: content[key] for key in KEYS}
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; correct `npz`") from None
    except KeyError as error:
        raise InputError(f"{file}: no array {error}; save {', '.join(KEYS)}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: damaged ({error}); save it again with numpy.savez") from None
    for part in PARTS:
        if arrays[f"x_{part}"].ndim == 3:
            arrays[f"x_{part}"] = arrays[f"x_{part}"][..., None]
    return arrays


def _read_torchvision(name: str, root: Path) -> dict[str, "NDArray[Any]"]:
    """The arrays by `KEYS` of a class of torchvision, which downloads what is missing."""
    import numpy as np
    import torchvision.datasets

    kind: Any = getattr(torchvision.datasets, name, None)
    taken = inspect.signature(kind).parameters if inspect.isclass(kind) else {}
    if not taken.keys() & {"train", "split"}:
        raise InputError(
            f"`torchvision: {name}`: no class of torchvision.datasets with a training and a test"
            " part; see its documentation"
        )
    arrays: dict[str, NDArray[Any]] = {}
    for part in PARTS:
        choice: dict[str, Any] = {"train": part == "train"} if "train" in taken else {"split": part}
        if "download" in taken:
            choice["download"] = True
        try:
            samples = list(_samples(kind(str(root), **choice)))
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"`torchvision: {name}`: cannot be read or downloaded ({reason}); check the"
                f" network, or put its files into {root}"
            ) from None
        if len({image.shape for image, _ in samples}) > 1:
            raise InputError(
                f"`torchvision: {name}`: images of several sizes; write them as one size into a"
                " folder"
            )
        images, labels = zip(*samples, strict=True)
        arrays |= {f"x_{part}": np.stack(images), f"y_{part}": np.array(labels)}
    return arrays


def _samples(dataset: Any) -> Iterator[tuple["NDArray[Any]", int]]:
    import numpy as np

    for index in range(len(dataset)):
        image, label = dataset[index]
        pixels = np.asarray(image)
        yield pixels if pixels.ndim == 3 else pixels[..., None], int(label)


def _from_arrays(place: str, arrays: dict[str, "NDArray[Any]"]) -> Collected:
    """Check arrays by `KEYS`.

    Raises:
        InputError: their shapes, types or labels do not fit.
    """
    import numpy as np

    shapes = {arrays[f"x_{part}"].shape[1:] for part in PARTS}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        shown = " and ".join(str(arrays[f"x_{part}"].shape) for part in PARTS)
        raise InputError(
            f"{place}: images of shapes {shown}; they have to be (n, height, width) or (n,"
            " height, width, channels), of one size"
        )
    for part in PARTS:
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        unit = images.dtype.kind == "f" and images.size and 0 <= images.min() <= images.max() <= 1
        if images.dtype != np.uint8 and not unit:
            raise InputError(f"{place}: x_{part}: {images.dtype}; uint8, or floats from 0 to 1")
        if labels.dtype.kind not in "iu" or labels.shape != (len(images),) or not len(labels):
            raise InputError(
                f"{place}: y_{part}: {labels.dtype} of shape {labels.shape}; one whole"
                f" number for each of the {len(images)} images"
            )
    classes = set(arrays["y_train"].tolist())
    if classes != set(range(len(classes))) or not set(arrays["y_test"].tolist()) <= classes:
        raise InputError(
            f"{place}: labels have to be 0 to n − 1, each of them among the training images"
        )
    height, width, channels = next(iter(shapes))
    kinds: set[str] = {arrays[f"x_{part}"].dtype.kind for part in PARTS}
    parts = {
        part: RawImages(
            (image.transpose(2, 0, 1) for image in _unit(arrays[f"x_{part}"], kinds)),
            arrays[f"y_{part}"].tolist(),
        )
        for part in PARTS
    }
    names = tuple(str(label) for label in range(len(classes)))
    pixels = "uint8" if kinds == {"u"} else "float32"
    return Collected(names, (channels, height, width), pixels, parts)


def _unit(images: "NDArray[Any]", kinds: set[str]) -> "NDArray[Any]":
    """Images in uint8 as floats from 0 to 1 where the other part has these."""
    return images / 255 if images.dtype.kind == "u" and kinds != {"u"} else images
