"""Single images: turned, converted, resized, or refused by name."""

import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PIL import Image
from support.checks import refused

from replication.data.image_reading import Wanted, list_changes, read_image

GREY, COLOUR, ALPHA = (Wanted((4, 6), channels) for channels in (1, 3, 4))


def png_of_16_bits(file: Path, pixels: np.ndarray) -> None:
    """Write (height, width, 3) in uint16, which Pillow cannot."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "image.png"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp"])
def test_images_are_turned_as_their_orientation_says(
    kind: str, orientation: int, tmp_path: Path
) -> None:
    upright = np.zeros((4, 6, 3), np.uint8)
    upright[:2, :3] = 255  # the upper left quarter
    turns = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).transpose(1, 0, 2), 8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"image.{kind}"
    options: dict[str, Any] = {"lossless": True} if kind == "webp" else {"quality": 100}
    Image.fromarray(np.ascontiguousarray(turns[orientation])).save(file, exif=exif, **options)
    notes: Counter[str] = Counter()
    pixels = read_image(str(file), COLOUR, notes).transpose(1, 2, 0)
    assert np.abs(pixels.astype(int) - upright).max() < 60
    assert notes["turned"] == (orientation > 1)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_plain_images_are_read_as_they_are(mode: str, file: Path) -> None:
    channels = len(mode)
    shape = (4, 6) if channels == 1 else (4, 6, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    notes: Counter[str] = Counter()
    read = read_image(str(file), Wanted((4, 6), channels), notes)
    assert np.array_equal(read, pixels.reshape(4, 6, channels).transpose(2, 0, 1))
    assert not notes


def test_palettes_one_bit_and_grey_are_converted_and_counted(file: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 2, (4, 6, 3), dtype=np.uint8) * 255
    Image.fromarray(colours).quantize(8).save(file)
    notes: Counter[str] = Counter()
    assert np.array_equal(read_image(str(file), COLOUR, notes), colours.transpose(2, 0, 1))
    Image.fromarray(colours[..., 0]).convert("1").save(file)
    assert np.array_equal(read_image(str(file), GREY, notes)[0], colours[..., 0])
    Image.fromarray(colours[..., 0]).quantize(2).save(file)
    assert np.array_equal(read_image(str(file), GREY, notes)[0], colours[..., 0])
    Image.fromarray(colours[..., 0]).save(file)
    assert np.array_equal(read_image(str(file), COLOUR, notes), np.stack([colours[..., 0]] * 3))
    with Image.open(file) as image:
        image.convert("P").save(file, transparency=0)
    assert read_image(str(file), ALPHA, notes)[3].min() == 0
    assert list_changes(notes) == [
        "3 images had a palette, and were converted to its colours",
        "1 image had one bit a pixel, and was converted to black and white",
        "1 image was grey, and was repeated in three channels",
    ]


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_16_bits_are_scaled_to_8(kind: str, tmp_path: Path) -> None:
    values = np.array([[0, 1, 128, 129, 257, 32768], [65535, 65407, 65406, 60000, 300, 5]] * 2)
    file = tmp_path / f"deep.{kind}"
    Image.fromarray(values.astype(np.uint16)).save(file)
    notes: Counter[str] = Counter()
    assert np.array_equal(read_image(str(file), GREY, notes)[0], np.rint(values / 257))
    assert np.array_equal(read_image(str(file), COLOUR, notes)[2], np.rint(values / 257))
    assert notes["16 bits"] == 2


def test_16_bits_in_colour_are_read(file: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (4, 6, 3))
    png_of_16_bits(file, values)
    read = read_image(str(file), COLOUR).transpose(1, 2, 0)
    assert np.abs(read - values / 257).max() <= 1


REFUSED: dict[str, tuple[str, Wanted, str]] = {
    "CMYK": ("tif", COLOUR, "an image in the four printing colours (mode CMYK)"),
    "CMYK as alpha": ("jpg", ALPHA, "an image in the four printing colours (mode CMYK)"),
    "LAB": ("tif", COLOUR, "an image in the colour space L*a*b* (mode LAB)"),
    "RGBA": ("png", COLOUR, "an image in colour with transparency (mode RGBA)"),
    "RGB": ("png", GREY, "an image in colour (mode RGB), not a grey image (mode L)"),
    "RGB without alpha": ("png", ALPHA, "an image in colour (mode RGB)"),
    "L": ("png", ALPHA, "a grey image (mode L)"),
    "LA": ("png", GREY, "a grey image with transparency (mode LA)"),
    "F": ("tif", GREY, "an image with floating-point pixels (mode F)"),
    "I": ("tif", GREY, "an image with 32 bits a pixel (mode I)"),
    "YCbCr": ("tif", COLOUR, "an image in the colour space YCbCr (mode YCbCr)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_kinds_of_images_are_refused_by_name(name: str, tmp_path: Path) -> None:
    kind, wanted, says = REFUSED[name]
    file = tmp_path / f"odd.{kind}"
    Image.new(name.split()[0], (6, 4)).save(file)
    with refused(f"{file}: {says}", "convert it, or change `channels`"):
        read_image(str(file), wanted)


def test_damaged_images_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "whole.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    for number, content in enumerate((b"", b"no image", whole.read_bytes()[:1000])):
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(content)
        with refused(f"{file}: cannot be read as an image", "replace it"):
            read_image(str(file), COLOUR)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 1000)
    with refused(f"{whole}: has more than 2,000 pixels", "make it smaller"):
        read_image(str(whole), COLOUR)


def test_an_animation_is_no_image(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 4), (shade, 0, 0)) for shade in (0, 99, 200)]
    for kind in ("tif", "webp", "png"):
        file = tmp_path / f"moving.{kind}"
        frames[0].save(file, save_all=True, append_images=frames[1:])
        with refused(f"{file}: has 3 frames; save the one that you want"):
            read_image(str(file), COLOUR)


def test_another_size_is_refused_with_what_resizes_it(file: Path) -> None:
    Image.new("RGB", (7, 4)).save(file)
    with refused(f"{file}: 4 × 7 pixels, not 4 × 6; add `resize: crop` to the data set, or `pad`"):
        read_image(str(file), COLOUR)


@pytest.mark.parametrize(
    "shape", [(40, 60), (60, 40), (40, 40), (100, 3), (3, 100), (2, 2), (4, 7)]
)
@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_every_image_is_brought_to_the_size(
    resize: Any, shape: tuple[int, int], file: Path
) -> None:
    Image.new("RGB", shape[::-1], (200, 100, 50)).save(file)
    notes: Counter[str] = Counter()
    read = read_image(str(file), Wanted((4, 6), 3, resize), notes)
    assert read.shape == (3, 4, 6)
    assert notes["resized"] == 1
    filled = (read == np.array([200, 100, 50])[:, None, None]).all(0)
    assert filled.all() == (resize != "pad" or shape == (40, 60))
    # What is padded is zero, on two sides alike within a pixel.
    assert (read[:, ~filled] == 0).all()
    columns, rows = filled.any(0), filled.any(1)
    assert abs(columns.argmax() - columns[::-1].argmax()) <= 1
    assert abs(rows.argmax() - rows[::-1].argmax()) <= 1


def test_resizing_averages_over_pixels(file: Path) -> None:
    stripes = np.zeros((40, 60), np.uint8)
    stripes[:, ::2] = 200
    Image.fromarray(stripes).save(file)
    read = read_image(str(file), Wanted((4, 6), 1, "stretch"))
    assert np.abs(read[:, :, 1:-1].astype(int) - 100).max() < 8


def test_images_of_the_size_are_not_touched(file: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    notes: Counter[str] = Counter()
    read = read_image(str(file), Wanted((4, 6), 3, "crop"), notes)
    assert np.array_equal(read, pixels.transpose(2, 0, 1))
    assert not notes
