"""Where images of one's own are, found out by looking: what a folder has to be described with."""

from pathlib import Path

from replication.data.image_folders import MODES, list_images, listed_files
from replication.data.own_images import own_image_spec, read_own_images
from replication.data.specs import ImageSpec, Source
from replication.errors import InputError


def folder_source(place: Path) -> Source:
    """A folder of images, with the height, width and channels of its first image.

    Whether all images have them is checked when the images are prepared.

    Raises:
        InputError: there is no image in ``train/<class>/`` or ``test/<class>/``, the first one
            cannot be read, or it is neither grey nor in colour.
    """
    from PIL import Image, UnidentifiedImageError

    first = next(listed_files(list_images(place)), None)
    if first is None:
        raise InputError(
            f"{place}: no images; put them into {place}/train/<class>/ and {place}/test/<class>/"
        )
    try:
        with Image.open(first.path) as image:
            (width, height), mode = image.size, image.mode
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        reason = f"cannot be read as an image ({error}); replace it"
        raise InputError(f"{first.path}: {reason}") from None
    channels = {name: number for number, name in MODES.items()}.get(mode)
    if channels is None:
        raise InputError(
            f"{first.path}: pixels of mode {mode}; convert all images to grey or to colour ({mode}"
            f" is none of {', '.join(MODES.values())})"
        )
    return Source("folder", str(place), (height, width), channels)


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
