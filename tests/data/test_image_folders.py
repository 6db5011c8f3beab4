"""What is in a folder of images: links, other programs' files, and names of every kind."""

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image
from support.checks import refused

from replication.config.datasets import OwnImages
from replication.data.image_folders import folder_state, list_images
from replication.data.own_images import read_own_images
from replication.data.prepare import prepare, remark_on
from replication.data.specs import Source

SIDE = 4


def save(file: Path, colour: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (SIDE, SIDE), (colour, 0, 0)).save(file)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes of two images each, in both parts."""
    for number, part in enumerate(("train", "test")):
        for label in ("cat", "dog"):
            for image in range(2):
                save(tmp_path / "pets" / part / label / f"{image}.png", 50 * number + image)
    return tmp_path / "pets"


def source_of(place: Path) -> Source:
    return Source("folder", str(place), (SIDE, SIDE), 3)


def remarks(place: Path) -> list[str]:
    """What is said of the files of a folder when it is prepared."""
    sizes, root = {"source": source_of(place)}, place.parent / "data"
    lines = remark_on("pets", root, sizes, prepare("pets", root, sizes))
    return [line for line in lines if line.startswith(str(place))]


def test_images_of_linked_classes_are_read_and_their_changes_noticed(
    pets: Path, tmp_path: Path
) -> None:
    (pets / "train/cat").rename(tmp_path / "cats")
    (pets / "train/cat").symlink_to(tmp_path / "cats")
    (tmp_path / "one.png").write_bytes((pets / "train/dog/1.png").read_bytes())
    (pets / "train/dog/1.png").unlink()
    (pets / "train/dog/1.png").symlink_to(tmp_path / "one.png")
    root, dataset = tmp_path / "data", OwnImages(folder=str(pets), size=(SIDE, SIDE), channels=3)
    before = read_own_images(source_of(pets), root, download=True)["train-images"].copy()
    for file in (tmp_path / "cats/0.png", tmp_path / "one.png"):
        state = dataset.state()
        save(file, 200)
        assert dataset.state() != state
    after = read_own_images(source_of(pets), root, download=True)["train-images"]
    assert [index for index in range(4) if (before[index] != after[index]).any()] == [0, 3]


@pytest.mark.parametrize("link", ["train/cat/2.png", "train/bird", "test"])
def test_a_broken_link_is_named(link: str, pets: Path) -> None:
    if link == "test":
        (pets / "test").rename(pets / "elsewhere")
    (pets / link).symlink_to("nowhere")
    if link == "test":
        with refused(f"{pets / 'test'}: no such folder, or no folder in it"):
            read_own_images(source_of(pets), pets / "data", download=True)
        return
    with refused(f"{pets / link}: this link leads to nothing (nowhere)", "or delete it"):
        list_images(pets)


@pytest.mark.parametrize("target", [".", "..", "../..", "loop"])
def test_a_link_that_leads_in_a_circle_is_named(target: str, pets: Path) -> None:
    (pets / "train/cat/loop").symlink_to(target)
    with refused(str(pets / "train/cat/loop")):
        list_images(pets)


def test_files_and_folders_of_other_programs_are_no_images_and_no_classes(pets: Path) -> None:
    state = folder_state(pets)
    for name in (
        *("train/.ipynb_checkpoints/0.png", "test/@eaDir/0.png", "train/__MACOSX/0.png"),
        *("train/cat/.ipynb_checkpoints/0-checkpoint.png", "train/cat/@eaDir/0.png"),
        *("train/dog/.thumbnails/deep/0.png", "test/dog/._1.png", "test/dog/.DS_Store"),
    ):
        save((pets / name).with_suffix(".png"))
    assert folder_state(pets) == state
    listing = list_images(pets)
    assert {part: [*classes] for part, classes in listing.parts.items()} == {
        "train": ["cat", "dog"],
        "test": ["cat", "dog"],
    }
    (skipped,) = [line for line in remarks(pets) if "skipped" in line]
    assert skipped.startswith(f"{pets}: files and folders whose names begin with ")
    assert "are skipped, 8 in all: " in skipped
    assert skipped.endswith(": .DS_Store.png, ._1.png, .ipynb_checkpoints and others")


def test_files_that_are_not_read_are_counted_by_their_kind(pets: Path) -> None:
    for name in ("a.heic", "b.HEIC", "c.avif", "notes.txt", "README"):
        (pets / "train/cat" / name).write_text("x")
    (pets / "train/list.csv").write_text("x")
    save(pets / "test/alone.jpg")
    (unread, outside) = [line for line in remarks(pets) if "not read" in line]
    assert unread.startswith(f"{pets}: files whose names do not end in .jpg, ")
    assert "1 .avif, 1 .csv, 2 .heic, 1 .txt, 1 without an extension" in unread
    assert outside.startswith(f"{pets / 'test'}: images outside the folders of classes are not")
    assert outside.endswith("; there is 1")


def test_classes_are_the_same_in_every_form_of_unicode(pets: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD"))
    (pets / "train/cat").rename(pets / "train" / composed)
    (pets / "test/cat").rename(pets / "test" / decomposed)
    listing = list_images(pets)
    assert [*listing.parts["train"]] == [*listing.parts["test"]] == [composed, "dog"]
    save(pets / "train" / decomposed / "0.png")
    with refused(str(pets / "train"), "another folder's name differs from this one's only in how"):
        list_images(pets)


def test_classes_that_one_part_lacks_are_all_named(pets: Path) -> None:
    for name in ("wolf", "bear"):
        save(pets / "test" / name / "0.png")
    (pets / "test/dog").rename(pets / "test/dogs")
    with refused(str(pets), "only train/ has dog, and only test/ has bear, dogs, wolf"):
        read_own_images(source_of(pets), pets / "data", download=True)


def test_a_file_whose_name_is_not_utf8_is_read_and_a_class_is_refused(pets: Path) -> None:
    save(pets / "train/cat/2.png", 200)
    os.rename(os.fsencode(pets / "train/cat/2.png"), os.fsencode(pets / "train/cat") + b"/\xff.png")
    arrays = read_own_images(source_of(pets), pets.parent / "data", download=True)
    assert arrays["train-labels"].tolist() == [0, 0, 0, 1, 1]
    assert len(remarks(pets)) <= 1
    os.rename(os.fsencode(pets / "train/dog"), os.fsencode(pets / "train") + b"/\xe4")
    with refused(f"'{pets}", "\\udce4", "is not UTF-8 or has control characters; rename it"):
        list_images(pets)


def test_test_images_that_are_training_images_are_counted(pets: Path) -> None:
    save(pets / "test/dog/1.png", 1)
    save(pets / "test/dog/2.png", 0)
    (line,) = remarks(pets)
    assert line.startswith(
        f"{pets}: 2 of the test images are also training images, equal in every pixel"
    )
    # They are said every time, not only when the images are read.
    assert remarks(pets) == [line]


def test_the_current_folder_has_its_own_name(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name in ((".", "pets"), ("..", pets.parent.name), ("train/..", "pets")):
        monkeypatch.chdir(pets)
        source = OwnImages(folder=place, size=(SIDE, SIDE), channels=3)
        assert source.name == name.lower().replace("-", "_")
    with pytest.raises(ValueError, match="`/` has no name that its runs could be named after"):
        OwnImages(folder="/", size=(SIDE, SIDE), channels=3)


def test_a_copy_without_times_is_the_same_data(pets: Path, tmp_path: Path) -> None:
    root, dataset = tmp_path / "data", OwnImages(folder=str(pets), size=(SIDE, SIDE), channels=3)
    before, state = prepare(dataset.name, root, dataset.sizes), dataset.state()
    for file in pets.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    assert dataset.state() != state
    assert prepare(dataset.name, root, dataset.sizes).fingerprint == before.fingerprint
