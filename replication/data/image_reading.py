"""Single images as arrays of one size and one number of channels: turned, converted and resized."""

import struct
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from replication.errors import InputError
from replication.wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Resize = Literal["crop", "pad", "stretch"]
Notes = Counter[str]
"""How many images were changed while they were read, by what was done to them (`CHANGES`)."""

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's mode of images by their number of channels."""
KINDS_OF_IMAGE = {
    "L": "a grey image",
    "LA": "a grey image with transparency",
    "RGB": "an image in colour",
    "RGBA": "an image in colour with transparency",
    "CMYK": "an image in the four printing colours",
    "LAB": "an image in the colour space L*a*b*",
    "HSV": "an image in the colour space HSV",
    "YCbCr": "an image in the colour space YCbCr",
    "I": "an image with 32 bits a pixel",
    "F": "an image with floating-point pixels",
}
"""What images of Pillow's modes are."""
CHANGES = {
    "turned": "were rotated according to their EXIF orientation",
    "palette": "had a palette, and were converted to its colours",
    "one bit": "had one bit a pixel, and were converted to black and white",
    "16 bits": "had 16 bits a pixel, and were scaled to 8",
    "grey": "were grey, and were repeated in three channels",
    "resized": "were resized",
    "enlarged": "were smaller than `size`, and were enlarged",
}
"""What a note says, after the number of images."""
ORIENTATION = 0x0112
"""The EXIF tag of an image's orientation."""
READING_ERRORS = (OSError, ValueError, SyntaxError, struct.error, EOFError, KeyError, TypeError)
"""What Pillow raises for damaged files of one format or another."""


class Wanted(NamedTuple):
    """What all images of a data set are brought to.

    Attributes:
        size: (height, width) in pixels.
        channels: 1, 3 or 4.
        resize: how images of other sizes are brought to this one; None where they are refused.
        converts: whether images of other kinds are converted where nothing is lost but depth.
        size_remedy: what to do about an image of another size, for the message.
        channels_remedy: the same for an image of another kind.
    """

    size: tuple[int, int]
    channels: int
    resize: Resize | None = None
    converts: bool = True
    size_remedy: str = (
        "add `resize: crop` to the data set, or `pad` or `stretch`, which brings all images to this"
        " `size`"
    )
    channels_remedy: str = "convert it, or change `channels`"


def read_image(file: str, wanted: Wanted, notes: Notes | None = None) -> "NDArray[Any]":
    """Read an image as (channels, height, width) in uint8.

    It is rotated according to its EXIF orientation. Grey images are repeated in three channels
    where these are wanted, palettes and images of one bit are converted, and 16 bits a pixel scaled
    to 8. ``notes`` counts such changes.

    Raises:
        InputError: the file cannot be read, has other channels, another size that is not to be
            changed, or several frames.
    """
    import numpy as np
    import PIL.Image

    notes = Counter() if notes is None else notes
    try:
        with warnings.catch_warnings():
            # Large photographs are fine; what is larger by far raises an error.
            warnings.simplefilter("ignore")
            with PIL.Image.open(file) as opened:
                frames = 1 if opened.format == "MPO" else getattr(opened, "n_frames", 1)
                image = _turned(opened, notes)
                image.load()
    except PIL.Image.DecompressionBombError:
        raise InputError(
            f"{file}: has more than {2 * (PIL.Image.MAX_IMAGE_PIXELS or 0):,} pixels, which may be"
            " an attack; make it smaller"
        ) from None
    except READING_ERRORS as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{file}: cannot be read as an image ({reason}); replace it") from None
    if frames > 1:
        raise InputError(f"{file}: has {frames} frames; save the one that you want as an image")
    image = _converted(file, image, wanted, notes)
    image = fitted(file, image, wanted, notes)
    pixels = np.asarray(image)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    return pixels.transpose(2, 0, 1)


def fitted(place: str, image: "Image", wanted: Wanted, notes: Notes) -> "Image":
    """An image in the size that is wanted.

    ``crop`` covers the size and cuts off what is beyond it on two sides, ``pad`` fits the image
    into it and fills two sides with zeros, and ``stretch`` changes the ratio of the sides. All
    average over the pixels that become one.

    Raises:
        InputError: it has another size, and ``resize`` does not say what to do; the message names
            the ``place`` of the image.
    """
    height, width = wanted.size
    if (image.height, image.width) == wanted.size:
        return image
    if wanted.resize is None:
        raise InputError(
            f"{place}: {image.height} × {image.width} pixels, not {height} × {width};"
            f" {wanted.size_remedy}"
        )
    from torchvision.transforms import functional

    notes["resized"] += 1
    ratios = height / image.height, width / image.width
    if max(ratios) > 1:
        notes["enlarged"] += 1
    if wanted.resize == "stretch":
        stretched: Image = functional.resize(image, [height, width], antialias=True)
        return stretched
    ratio = max(ratios) if wanted.resize == "crop" else min(ratios)
    sides = [max(1, round(side * ratio)) for side in (image.height, image.width)]
    scaled = functional.resize(image, sides, antialias=True)
    # Cuts off what is beyond the size, and fills with zeros what is missing.
    centre: Image = functional.center_crop(scaled, [height, width])
    return centre


def list_changes(notes: Notes) -> list[str]:
    """What was done to how many images, each in a sentence."""
    return [
        f"1 image {change.replace('were', 'was')}"
        if notes[what] == 1
        else f"{notes[what]:,} images {change}"
        for what, change in CHANGES.items()
        if notes[what]
    ]


def _turned(image: "Image", notes: Notes) -> "Image":
    from PIL import ImageOps

    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except READING_ERRORS:  # viewers ignore what they cannot read of it
        return image
    if orientation not in range(2, 9):
        return image
    notes["turned"] += 1
    return ImageOps.exif_transpose(image)


def _converted(file: str, image: "Image", wanted: Wanted, notes: Notes) -> "Image":
    """An image in the mode with the wanted channels; raises InputError if there is no such mode."""
    mode = MODES[wanted.channels]
    if wanted.converts:
        image = _in_plain_mode(image, mode, notes)
    if image.mode != mode:
        kind = KINDS_OF_IMAGE.get(image.mode, "an image of another kind")
        raise InputError(
            f"{file}: {kind} (mode {image.mode}), not {KINDS_OF_IMAGE[mode]} (mode {mode}) with"
            f" {counted(wanted.channels, 'channel')}; {wanted.channels_remedy}"
        )
    return image


def _in_plain_mode(image: "Image", mode: str, notes: Notes) -> "Image":
    """A grey image, or one in colour, instead of a palette, one bit or 16 bits a pixel.

    ``mode`` is the one that is wanted in the end.
    """
    import numpy as np
    import PIL.Image

    original = image.mode
    if original in ("P", "PA"):
        has_transparency = original == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if has_transparency else "RGB")
        pixels = np.asarray(image)
        if mode == "L" and not has_transparency and (pixels == pixels[..., :1]).all():
            image = image.convert("L")
        notes["palette"] += 1
    elif original == "1":
        image = image.convert("L")
        notes["one bit"] += 1
    elif original.startswith("I;16"):
        # 257 · 255 is the largest number of 16 bits.
        scaled = (np.asarray(image).astype(np.int64) + 128) // 257
        image = PIL.Image.fromarray(scaled.astype(np.uint8))
        notes["16 bits"] += 1
    if image.mode == "L" and mode == "RGB":
        image = image.convert("RGB")
        notes["grey"] += 1
    return image
