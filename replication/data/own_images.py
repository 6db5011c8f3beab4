"""Image data of one's own: a folder of images, arrays in an npz file, or a class of torchvision.

They are read and checked once, when data are prepared; `prepared` keeps the arrays. A training, or
a question about their number, reads what was prepared and does not look at the files themselves:
`config.datasets` says whether these have changed.
"""

import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replication.data.image_checks import MOST_NAMED_CLASSES
from replication.data.image_folders import (
    EXTENSIONS,
    Listing,
    files_state,
    list_images,
    source_state,
)
from replication.data.image_reading import MODES, Notes, Wanted, list_changes, read_image
from replication.data.memory import check_bytes
from replication.data.prepared import find_description, own_folder, read_arrays, read_description
from replication.data.specs import PARTS, Source
from replication.data.torchvision_images import read_torchvision
from replication.data.write_prepared import Collected, RawImages, prepare_whole
from replication.errors import InputError
from replication.wording import first_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from replication.data.prepared import Arrays

KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_own_images(source: Source, root: Path, download: bool = False) -> "Arrays":
    """Map prepared images of one's own into memory; with ``download`` prepare them where due.

    Args:
        source: where the images are.
        root: folder of all data sets, which has the prepared arrays.
        download: whether to look at the files, and prepare them if they are new or have changed.

    Raises:
        InputError: they are not prepared, or cannot be used.
    """
    folder = own_folder(source, root)
    if download:
        listing = list_images(Path(source.place)) if source.kind == "folder" else Listing()
        description = prepare_whole(
            folder, _state(source, listing, folder), lambda: _collect(source, listing, root)
        )
    else:
        description = find_description(folder, source.place)
    return read_arrays(folder, description)


def remark_on_source(source: Source, root: Path) -> list[str]:
    """What was passed over and changed in images of one's own, each in a sentence on one line."""
    listing = list_images(Path(source.place)) if source.kind == "folder" else Listing()
    description = read_description(own_folder(source, root))
    read = description.remarks if description else ()
    return [
        *listing.remarks(Path(source.place)),
        *(f"{source.place}: {remark}" for remark in read),
    ]


def _state(source: Source, listing: Listing, prepared: Path) -> str:
    if source.kind == "torchvision":  # it checks its own files
        return source.kind
    place = Path(source.place)
    if any(listing.parts.values()):
        return files_state(place, listing.files())
    return source_state(place, prepared)


def _collect(source: Source, listing: Listing, root: Path) -> Collected:
    if source.kind == "folder":
        return _from_folder(source, listing)
    if source.kind == "npz":
        return _from_arrays(source, _read_npz(Path(source.place)), Counter())
    notes: Notes = Counter()
    return _from_arrays(source, read_torchvision(source, root, notes), notes)


def _from_folder(source: Source, listing: Listing) -> Collected:
    place, parts = Path(source.place), listing.parts
    for part in PARTS:
        if not parts[part]:
            raise InputError(
                f"{place / part}: no such folder, or no folder in it; `folder` needs train/ and"
                " test/, each with a folder of images for every class"
            )
        if empty := [name for name, files in parts[part].items() if not files]:
            raise InputError(
                f"{place / part / empty[0]}: no images (names end in {', '.join(EXTENSIONS)});"
                " add some, or take this class out of train/ and test/"
            )
    _check_same_classes(place, *(set(parts[part]) for part in PARTS))
    classes = tuple(sorted(parts["train"]))
    assert source.size is not None
    assert source.channels is not None
    wanted, notes = Wanted(source.size, source.channels, source.resize), Counter[str]()
    raw = {
        part: RawImages(
            _read_all([file.path for name in classes for file in parts[part][name]], wanted, notes),
            [label for label, name in enumerate(classes) for _ in parts[part][name]],
        )
        for part in PARTS
    }
    shape = (source.channels, *source.size)
    return Collected(classes, shape, "uint8", raw, lambda: list_changes(notes))


def _read_all(files: list[str], wanted: Wanted, notes: Notes) -> Iterator["NDArray[Any]"]:
    for file in files:
        yield read_image(file, wanted, notes)


def _check_same_classes(place: Path, train: set[str], test: set[str]) -> None:
    """Raise InputError, which names them, if some classes are in one part alone."""
    only = {"train": sorted(train - test), "test": sorted(test - train)}
    lacking = [
        f"only {part}/ has {first_of(names, MOST_NAMED_CLASSES)}"
        for part, names in only.items()
        if names
    ]
    if lacking:
        raise InputError(
            f"{place}: train/ and test/ need the same classes, but {', and '.join(lacking)}"
        )


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


def _from_arrays(source: Source, arrays: dict[str, "NDArray[Any]"], notes: Notes) -> Collected:
    """Check arrays by `KEYS`.

    Raises:
        InputError: their shapes, types or labels do not fit.
    """
    import numpy as np

    place = source.place
    shapes = {arrays[f"x_{part}"].shape[1:] for part in PARTS}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        shown = " and ".join(str(arrays[f"x_{part}"].shape) for part in PARTS)
        raise InputError(
            f"{place}: images of shapes {shown}; they have to be (n, height, width) or (n,"
            " height, width, channels), all of one size"
        )
    for part in PARTS:
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        unit = images.dtype.kind == "f" and images.size and 0 <= images.min() <= images.max() <= 1
        if images.dtype != np.uint8 and not unit:
            raise InputError(
                f"{place}: x_{part} is {images.dtype}; save uint8, or floats from 0 to 1"
            )
        _check_axes(f"{place}: x_{part}", images.shape, source.channels, len(labels))
        if labels.dtype.kind not in "iu" or labels.shape != (len(images),) or not len(labels):
            raise InputError(
                f"{place}: y_{part}: {labels.dtype} of shape {labels.shape}; save one whole"
                f" number for each of the {len(images)} images"
            )
    classes = set(arrays["y_train"].tolist())
    if classes != set(range(len(classes))) or not set(arrays["y_test"].tolist()) <= classes:
        raise InputError(
            f"{place}: labels have to be 0 to n − 1, and each has to be among the training images"
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
    shape = (channels, height, width)
    return Collected(names, shape, pixels, parts, lambda: list_changes(notes))


def _check_axes(what: str, shape: tuple[int, ...], channels: int | None, labels: int) -> None:
    """Raise InputError if images of this shape (n, height, width, channels) look transposed.

    ``channels`` is the number that their owner says they have, ``labels`` the number of labels.
    """
    number, first, second, last = shape
    if channels is not None:
        if last != channels:
            raise InputError(
                f"{what}: {last} channels in shape {shape}, which is read as (n, height, width,"
                f" channels), but `channels` is {channels}; transpose the array"
            )
        return
    if number != labels and last == labels:
        order, permutation = "(height, width, channels, n)", (3, 0, 1, 2)
    elif last > max(MODES) and (first <= max(MODES) or (second == last != first)):
        order, permutation = "(n, channels, height, width)", (0, 2, 3, 1)
    else:
        return
    raise InputError(
        f"{what}: shape {shape} looks like {order}, but is read as (n, height, width, channels);"
        f" save numpy.transpose(x, {permutation}), or add `channels: {last}` to the data set if the"
        f" images do have {last} channels"
    )


def _unit(images: "NDArray[Any]", kinds: set[str]) -> "NDArray[Any]":
    """Images in uint8 as floats from 0 to 1 where the other part has these."""
    return images / 255 if images.dtype.kind == "u" and kinds != {"u"} else images
