"""Looking at a folder of images gives what a scale has to say of it, or one line."""

from pathlib import Path

import pytest
from PIL import Image
from support.checks import refused

from replication.data.image_reading import ORIENTATION
from replication.data.own_image_source import folder_source, look_at_images
from replication.data.specs import Source


def write_images(folder: Path, mode: str = "L", size: tuple[int, int] = (6, 4)) -> Path:
    """Two images of two classes in each part, of this size (width, height)."""
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            for number in range(2):
                Image.new(mode, size, number).save(folder / part / name / f"{number}.png")
    return folder


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
def test_size_and_channels_are_those_of_the_images(
    mode: str, channels: int, tmp_path: Path
) -> None:
    folder = write_images(tmp_path / "images", mode)
    source = folder_source(folder)
    assert source == Source("folder", str(folder), (4, 6), channels)
    images = look_at_images(source, tmp_path / "data")
    assert (images.train, images.test, images.classes) == (4, 4, 2)
    assert images.shape == (channels, 4, 6)


def test_a_folder_without_images_says_where_they_belong(tmp_path: Path) -> None:
    with refused(f"{tmp_path}: no images", f"put them into {tmp_path}/train/<class>/"):
        folder_source(tmp_path)


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images")
    (folder / "train/cat/0.png").write_text("text")
    with refused(f"{folder}/train/cat/0.png: cannot be read", "replace"):
        folder_source(folder)


@pytest.mark.parametrize(
    ("modes", "channels"),
    [(("L", "1"), 1), (("L", "P"), 3), (("L", "RGB"), 3), (("RGBA", "RGBA"), 4), (("I;16",), 1)],
)
def test_the_channels_are_those_that_all_images_can_have(
    modes: tuple[str, ...], channels: int, tmp_path: Path
) -> None:
    folder = write_images(tmp_path / "images", modes[0])
    Image.new(modes[-1], (6, 4)).save(folder / "train/cat/0.png")
    source = folder_source(folder)
    assert source.channels == channels
    assert look_at_images(source, tmp_path / "data").shape == (channels, 4, 6)


def test_photographs_of_several_sizes_are_cropped_to_squares(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", size=(50, 40))
    Image.new("L", (640, 480)).save(folder / "test/dog/1.png")
    source = folder_source(folder)
    assert source == Source("folder", str(folder), (32, 32), 1, "crop")
    assert look_at_images(source, tmp_path / "data").shape == (1, 32, 32)
    Image.new("L", (9, 12)).save(folder / "test/dog/0.png")
    assert folder_source(folder).size == (9, 9)


def test_photographs_that_lie_on_their_side_have_the_size_that_viewers_show(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", size=(6, 4))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("L", (4, 6)).save(folder / "train/cat/0.png", exif=exif)
    assert folder_source(folder) == Source("folder", str(folder), (4, 6), 1)
