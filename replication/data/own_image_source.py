"""Where images of one's own are, found out by looking: what a folder has to be described with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from replication.data.image_folders import list_images
from replication.data.image_reading import ORIENTATION, READING_ERRORS
from replication.data.own_images import read_own_images
from replication.data.prepared import own_image_spec
from replication.data.specs import ImageSpec, Source
from replication.errors import InputError

LONGEST_RESIZED_SIDE = 32
"""Pixels of a side to which images of several sizes are brought: the paper's."""
GREY = ("L", "1", "I")
"""How Pillow's modes of grey images begin."""
ON_THEIR_SIDE = range(5, 9)
"""EXIF orientations of images whose height and width are exchanged when they are turned."""

Header = tuple[int, int, str]
"""Height and width of an image as viewers show it, and Pillow's mode of its pixels."""


def folder_source(place: Path) -> Source:
    """A folder of images, with the height, width and channels of a data set that has them all.

    Images of several sizes are resized and cropped to squares of at most `LONGEST_RESIZED_SIDE`
    pixels, as large as the shortest side of all. There is one channel if all images are grey, four
    if all have transparency, and else three. Whether all of them can be brought to these channels
    is checked when they are prepared.

    Raises:
        InputError: there is no image in ``train/<class>/`` or ``test/<class>/``, or one of them
            cannot be read.
    """
    headers = [_read_header(file.path) for file in list_images(place).files()]
    if not headers:
        raise InputError(
            f"{place}: no images; put them into {place}/train/<class>/ and {place}/test/<class>/"
        )
    sizes = {(height, width) for height, width, _ in headers}
    size = sizes.pop()
    resize: Literal["crop"] | None = None
    if sizes:
        side = min(LONGEST_RESIZED_SIDE, *(min(header[:2]) for header in headers))
        size, resize = (side, side), "crop"
    return Source("folder", str(place), size, _channels([mode for *_, mode in headers]), resize)


def _channels(modes: Sequence[str]) -> Literal[1, 3, 4]:
    if all(mode.startswith(GREY) for mode in modes):
        return 1
    return 4 if all(mode == "RGBA" for mode in modes) else 3


def _read_header(file: str) -> Header:
    """What is known of an image without reading its pixels."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            height, width, mode = image.height, image.width, image.mode
            turned = image.getexif().get(ORIENTATION) in ON_THEIR_SIDE
    except (Image.DecompressionBombError, *READING_ERRORS) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{file}: cannot be read as an image ({reason}); replace it") from None
    return (width, height, mode) if turned else (height, width, mode)


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
