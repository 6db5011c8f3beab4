"""Where images of one's own are, found out by looking: what a folder has to be described with."""

from collections.abc import Sequence
from pathlib import Path

from replication.data.image_folders import MODES, list_images, listed_files
from replication.data.own_images import own_image_spec, read_own_images
from replication.data.specs import ImageSpec, Source
from replication.errors import InputError


def folder_source(place: Path) -> Source:
    """A folder of images, with their height and width, and the channels of the first one.

    Whether all images have these channels is checked when the images are prepared.

    Raises:
        InputError: there is no image in ``train/<class>/`` or ``test/<class>/``, one of them cannot
            be read, the first one is neither grey nor in colour, or their sizes differ.
    """
    files = [file.path for file in listed_files(list_images(place))]
    if not files:
        raise InputError(
            f"{place}: no images; put them into {place}/train/<class>/ and {place}/test/<class>/"
        )
    headers = [_read_header(file) for file in files]
    mode = headers[0][1]
    channels = {name: number for number, name in MODES.items()}.get(mode)
    if channels is None:
        raise InputError(
            f"{files[0]}: pixels of mode {mode}; convert all images to grey or to colour ({mode}"
            f" is none of {', '.join(MODES.values())})"
        )
    return Source(
        "folder", str(place), _common_size(place, [size for size, _ in headers]), channels
    )


def _read_header(file: str) -> tuple[tuple[int, int], str]:
    """The size (height, width) of an image, and Pillow's mode of it, without its pixels."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            return (image.height, image.width), image.mode
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise InputError(f"{file}: cannot be read as an image ({error}); replace it") from None


def _common_size(place: Path, sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The size that all images have; photographs of several sizes are refused."""
    different = sorted(set(sizes))
    if len(different) == 1:
        return different[0]
    smallest, largest = (" × ".join(map(str, size)) for size in (different[0], different[-1]))
    raise InputError(
        f"{place}: images of {len(different)} sizes, from {smallest} to {largest} pixels; resize"
        " all of them to one size"
    )


def look_at_images(source: Source, root: Path) -> ImageSpec:
    """Prepare images of one's own as a training does, and describe them.

    Args:
        source: where the images are.
        root: folder of all data sets, which gets the prepared images.

    Raises:
        InputError: they cannot be used; the line says why and how to change that.
    """
    read_own_images(source, root, download=True)
    return own_image_spec(source, root)
