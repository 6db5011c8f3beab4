"""Images of one's own are read and checked once, and refused in one line."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from replication.config.datasets import OwnImages
from replication.data import own_images
from replication.data.own_images import read_own_images
from replication.data.prepare import prepare, remark_on
from replication.data.prepared import load, own_folder, own_image_spec
from replication.data.specs import Source
from replication.errors import InputError

SIDE = 6


def write_folder(place: Path, channels: int = 3, each: int = 3) -> Source:
    """Two classes of images, whose first pixel is their number."""
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            folder = place / part / label
            folder.mkdir(parents=True)
            for number in range(each):
                pixels = np.full((SIDE, SIDE + 2, channels), 40 * number, np.uint8)
                Image.fromarray(pixels.squeeze()).save(folder / f"{number}.png")
    return Source("folder", str(place), (SIDE, SIDE + 2), channels)


def arrays(n: int = 8) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    named_arrays = {}
    for part in ("train", "test"):
        named_arrays[f"x_{part}"] = generator.integers(0, 256, (n, SIDE, SIDE), dtype=np.uint8)
        named_arrays[f"y_{part}"] = np.arange(n) % 4
    return named_arrays


def write_npz(place: Path, **changed: np.ndarray) -> Source:
    np.savez(place, **{**arrays(), **changed})
    return Source("npz", str(place))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_of_images_is_loaded(channels: int, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "Pets", channels)
    data = prepare("pets", tmp_path / "data", {"source": source})
    assert data.train.images.shape == (6, channels, SIDE, SIDE + 2)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.classes == 2
    # In the order of the files, as values of [0, 1] before they were normalised.
    mean, std = torch.tensor(data.mean), torch.tensor(data.std)
    pixels = data.train.images[:, :, 0, 0] * std + mean
    assert torch.allclose(255 * pixels[:3, 0], torch.tensor([0.0, 40, 80]), atol=1e-3)
    spec = own_image_spec(source, tmp_path / "data")
    assert (spec.classes, spec.shape, spec.train) == (2, (channels, SIDE, SIDE + 2), 6)
    assert spec.label == source.name == "pets"


@pytest.mark.parametrize("name", ["mine", "digits"])  # the second is one of the suite's, too
@pytest.mark.parametrize("scaled", [False, True])
def test_arrays_are_loaded(scaled: bool, name: str, tmp_path: Path) -> None:
    images = arrays()["x_train"]
    changed = {"x_train": images / 255, "x_test": images / 255} if scaled else {}
    source = write_npz(tmp_path / f"{name}.npz", **changed)
    data = prepare(name, tmp_path / "data", {"source": source, "train": 5})
    assert data.train.images.shape == (5, 1, SIDE, SIDE)
    assert data.classes == 4


def test_a_class_of_torchvision_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    class Fake:
        def __init__(self, root: str, split: str = "train", download: bool = False) -> None:
            assert download
            self.n = {"train": 6, "test": 3}[split]

        def __len__(self) -> int:
            return self.n

        def __getitem__(self, index: int) -> tuple[Image.Image, int]:
            return Image.fromarray(np.full((4, 4, 3), index, np.uint8)), index % 3

    monkeypatch.setattr(torchvision.datasets, "Fake", Fake, raising=False)
    data = prepare("fake", tmp_path, {"source": Source("torchvision", "Fake")})
    assert data.train.images.shape == (6, 3, 4, 4)
    assert data.evaluation.labels.tolist() == [0, 1, 2]


def test_files_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_folder(tmp_path / "pets")
    first = prepare("pets", tmp_path / "data", {"source": source})
    monkeypatch.setattr(Image, "open", None)
    again = prepare("pets", tmp_path / "data", {"source": source})
    assert again.fingerprint == first.fingerprint


def test_trainings_and_plans_do_not_list_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, root = write_folder(tmp_path / "pets"), tmp_path / "data"
    with pytest.raises(InputError, match="not prepared yet; run `replication data`"):
        own_image_spec(source, root)
    first = prepare("pets", root, {"source": source})
    monkeypatch.setattr(own_images, "list_images", lambda *_: pytest.fail("a listing"))
    assert load("pets", root, {"source": source}).fingerprint == first.fingerprint
    assert own_image_spec(source, root).train == 6


def test_a_plan_of_prepared_images_imports_no_torch() -> None:
    code = (
        "import sys, replication.data.own_images, replication.config.datasets;"
        " sys.exit(bool({'torch', 'numpy'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plan_reads_no_arrays(tmp_path: Path) -> None:
    source, root = write_folder(tmp_path / "pets"), tmp_path / "data"
    prepare("pets", root, {"source": source})
    for file in own_folder(source, root).glob("*.npy"):
        file.unlink()
    assert own_image_spec(source, root).shape == (3, SIDE, SIDE + 2)


def test_changed_files_are_noticed_and_prepared_again(tmp_path: Path) -> None:
    source, root = write_folder(tmp_path / "pets"), tmp_path / "data"
    dataset = OwnImages(folder=source.place, size=(SIDE, SIDE + 2), channels=3)
    with pytest.raises(InputError, match="not prepared yet; run `replication data`"):
        read_own_images(source, root)
    read_own_images(source, root, download=True)
    before = dataset.state()
    (tmp_path / "pets/train/cat/0.png").unlink()
    assert dataset.state() != before
    # A training goes on with what was prepared.
    assert len(read_own_images(source, root)["train-labels"]) == 6
    assert len(read_own_images(source, root, download=True)["train-labels"]) == 5
    assert len(list(own_folder(source, root).glob("*.npy"))) == 4


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_prepared_images_are_used_when_their_files_are_gone(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    if kind == "folder":
        source = write_folder(tmp_path / "pets")
        dataset = OwnImages(folder=source.place, size=(SIDE, SIDE + 2), channels=3)
    else:
        source = write_npz(tmp_path / "pets.npz")
        dataset = OwnImages(npz=source.place)
    read_own_images(source, root, download=True)
    before = dataset.state(str(root))
    Path(source.place).rename(tmp_path / "elsewhere")
    read_own_images(source, root, download=True)
    assert dataset.state(str(root)) == before
    shutil.rmtree(root)
    with pytest.raises(InputError, match="no such f"):
        read_own_images(source, root, download=True)


def test_arrays_that_are_in_use_outlive_a_change(tmp_path: Path) -> None:
    source, root = write_folder(tmp_path / "pets"), tmp_path / "data"
    images = read_own_images(source, root, download=True)["train-images"]
    (tmp_path / "pets/train/cat/0.png").unlink()
    read_own_images(source, root, download=True)
    assert images[:, 0, 0, 0].tolist() == [0, 40, 80, 0, 40, 80]


def test_files_behind_a_link_are_followed(tmp_path: Path) -> None:
    write_folder(tmp_path / "pets")
    (tmp_path / "linked").mkdir()
    for part in ("train", "test"):
        (tmp_path / "linked" / part).symlink_to(tmp_path / "pets" / part)
    source = Source("folder", str(tmp_path / "linked"), (SIDE, SIDE + 2), 3)
    dataset = OwnImages(folder=source.place, size=(SIDE, SIDE + 2), channels=3)
    assert len(read_own_images(source, tmp_path / "data", download=True)["train-labels"]) == 6
    before = dataset.state()
    (tmp_path / "pets/train/cat/0.png").unlink()
    assert dataset.state() != before


@pytest.mark.parametrize("damage", ["description.json", "*-train-images.npy"])
def test_damaged_prepared_files_are_prepared_again(damage: str, tmp_path: Path) -> None:
    source, root = write_npz(tmp_path / "mine.npz"), tmp_path / "data"
    read_own_images(source, root, download=True)
    next(own_folder(source, root).glob(damage)).write_bytes(b"PK")
    with pytest.raises(InputError, match="run `replication data`"):
        read_own_images(source, root)
    assert len(read_own_images(source, root, download=True)["train-labels"]) == 8


def resized(place: Path) -> None:
    Image.new("RGB", (SIDE, SIDE)).save(place / "train/dog/1.png")


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "other size": (
        resized,
        "dog/1.png: 6 × 6 pixels, not 6 × 8; add `resize: crop` to the data set, or `pad`",
    ),
    "other channels": (
        lambda p: Image.new("RGBA", (SIDE + 2, SIDE)).save(p / "test/cat/2.png"),
        "cat/2.png: an image in colour with transparency (mode RGBA), not an image in colour"
        " (mode RGB) with 3 channels; convert it, or change `channels`",
    ),
    "not an image": (
        lambda p: (p / "train/cat/0.png").write_text("cat"),
        "cat/0.png: cannot be read as an image",
    ),
    "empty class": (
        lambda p: [image.unlink() for image in (p / "train/dog").iterdir()],
        "train/dog: no images (names end in .jpg, ",
    ),
    "no test part": (
        lambda p: (p / "test").rename(p / "tests"),
        "test: no such folder, or no folder in it; `folder` needs train/ and test/, each with a",
    ),
    "other classes": (
        lambda p: (p / "test/dog").rename(p / "test/wolf"),
        "need the same classes, but only train/ has dog, and only test/ has wolf",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_cannot_be_used_is_one_line(name: str, tmp_path: Path) -> None:
    source = write_folder(tmp_path / "pets")
    change, says = FOLDERS[name]
    change(tmp_path / "pets")
    with pytest.raises(InputError) as caught:
        read_own_images(source, tmp_path / "data", download=True)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


ARRAYS: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "labels with a gap": ({"y_train": np.arange(8) % 4 * 2}, "labels have to be 0 to n − 1"),
    "unknown test label": ({"y_test": np.arange(8)}, "labels have to be 0 to n − 1"),
    "labels that are no numbers": ({"y_train": np.array(["a"] * 8)}, "y_train: <U1 of shape (8,)"),
    "too few labels": ({"y_test": np.arange(4)}, "for each of the 8 images"),
    "test images of another size": (
        {"x_test": np.zeros((8, 3, 3), np.uint8)},
        "of one size",
    ),
    "flat images": (
        {f"x_{part}": np.zeros((8, 36), np.uint8) for part in ("train", "test")},
        "they have to be (n, height, width)",
    ),
    "values beyond 1": (
        {"x_train": np.full((8, SIDE, SIDE), 2.0)},
        "x_train is float64; save uint8",
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_cannot_be_used_are_one_line(name: str, tmp_path: Path) -> None:
    changed, says = ARRAYS[name]
    source = write_npz(tmp_path / "mine.npz", **changed)
    with pytest.raises(InputError) as caught:
        read_own_images(source, tmp_path / "data", download=True)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file; correct `npz`"),
        (b"PK\x03\x04", "damaged"),
        ({"x_train": np.zeros(1)}, "no array 'y_train"),
    ],
)
def test_an_npz_file_that_is_none_is_one_line(content: object, says: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.npz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(file, **content)
    with pytest.raises(InputError) as caught:
        read_own_images(Source("npz", str(file)), tmp_path / "data", download=True)
    assert says in str(caught.value)


def images_of(*shape: int) -> dict[str, np.ndarray]:
    """Images of this shape in both parts, with eight labels."""
    return {f"x_{part}": np.zeros(shape, np.uint8) for part in ("train", "test")}


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((8, 3, 6, 6), "looks like (n, channels, height, width)"),
        ((8, 1, 6, 6), "save numpy.transpose(x, (0, 2, 3, 1))"),
        ((8, 4, 6, 9), "or add `channels: 9` to the data set if the images do have 9 channels"),
        ((8, 13, 6, 6), "looks like (n, channels, height, width)"),
        ((6, 6, 3, 8), "looks like (height, width, channels, n)"),
        ((6, 7, 1, 8), "save numpy.transpose(x, (3, 0, 1, 2))"),
    ],
)
def test_axes_in_another_order_are_refused(
    shape: tuple[int, ...], says: str, tmp_path: Path
) -> None:
    source = write_npz(tmp_path / "mine.npz", **images_of(*shape))
    with pytest.raises(InputError) as caught:
        read_own_images(source, tmp_path / "data", download=True)
    assert f"shape {shape}" in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "shape", [(8, 6, 6, 3), (8, 3, 3, 3), (8, 3, 6, 1), (8, 6, 7, 13), (8, 9, 9, 9), (8, 4, 6)]
)
def test_axes_in_the_order_that_is_asked_for_are_read(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    source = write_npz(tmp_path / "mine.npz", **images_of(*shape))
    images = read_own_images(source, tmp_path / "data", download=True)["train-images"]
    height, width, channels = (*shape[1:], 1)[:3]
    assert images.shape == (8, channels, height, width)


def test_channels_say_which_axis_has_them(tmp_path: Path) -> None:
    source = write_npz(tmp_path / "mine.npz", **images_of(8, 1, 12, 9))
    images = read_own_images(replace(source, channels=9), tmp_path / "data", download=True)
    assert images["train-images"].shape == (8, 9, 1, 12)
    with pytest.raises(InputError, match=r"9 channels in shape .* but `channels` is 3; transpose"):
        read_own_images(replace(source, channels=3), tmp_path / "data", download=True)


def test_a_class_that_only_one_part_has_is_named(tmp_path: Path) -> None:
    source = write_npz(tmp_path / "mine.npz", y_test=np.arange(8) % 3)
    with pytest.raises(InputError, match="mine: no test image of class 3; add images of it"):
        prepare("mine", tmp_path / "data", {"source": source})


@pytest.mark.parametrize("balanced", [False, True])
def test_a_held_out_part_without_a_class_is_refused(balanced: bool, tmp_path: Path) -> None:
    source = write_npz(tmp_path / "mine.npz")
    sizes = {"source": source, "balanced": balanced}
    with pytest.raises(InputError, match=r"mine: no validation image of class .*; add images of"):
        prepare("mine", tmp_path / "data", sizes, "validation")
    few = write_npz(tmp_path / "few.npz", x_train=arrays()["x_train"][:4], y_train=np.arange(4))
    with pytest.raises(InputError, match="no validation image of class 0, 1, 2, 3; add images"):
        prepare("few", tmp_path / "data", {"source": few, "balanced": balanced}, "validation")


def test_images_of_several_sizes_are_resized(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "pets")
    Image.new("RGB", (40, 20), (9, 9, 9)).save(tmp_path / "pets/train/dog/1.png")
    Image.new("RGB", (2, 2), (9, 9, 9)).save(tmp_path / "pets/test/dog/1.png")
    fingerprints, root = set(), tmp_path / "data"
    for resize in ("crop", "pad", "stretch"):
        sizes = {"source": replace(source, resize=resize)}
        data = prepare("pets", root, sizes)
        assert data.size == f"{SIDE} × {SIDE + 2} × 3 (height × width × channels)"
        fingerprints.add(data.fingerprint)
        assert remark_on("pets", root, sizes, data)[:2] == [
            f"{source.place}: 2 images were resized",
            f"{source.place}: 1 image was smaller than `size`, and was enlarged",
        ]
    assert len(fingerprints) == 2  # crop and stretch fill one colour alike


def test_an_unknown_class_of_torchvision_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`torchvision: SHVN`: not a class of torchvision"):
        read_own_images(Source("torchvision", "SHVN"), tmp_path, download=True)


class Splits:
    """A class of torchvision with other parts."""

    def __init__(self, root: str, split: str, download: bool = False) -> None:
        if split not in ("byclass", "letters"):
            raise ValueError(f"Unknown value {split!r} for argument split.")


class NeedsMore:
    """One that has to be told what its labels are."""

    def __init__(self, root: str, classes: list[str], train: bool = True) -> None:
        raise AssertionError


class Boxes(list):  # type: ignore[type-arg]
    """One whose labels are no numbers."""

    def __init__(self, root: str, train: bool = True) -> None:
        super().__init__([(Image.new("L", (4, 4)), {"boxes": []})])


class Videos(list):  # type: ignore[type-arg]
    """One whose samples are no images."""

    def __init__(self, root: str, split: str = "train") -> None:
        super().__init__([(np.zeros((2, 3, 4, 4)), 0)])


class NoParts:
    """One without parts."""

    def __init__(self, root: str, transform: object = None) -> None: ...


@pytest.mark.parametrize("kind", [Splits, NeedsMore, Boxes, Videos, NoParts])
def test_a_class_of_torchvision_with_other_parts_says_how_to_export_it(
    kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision.datasets

    monkeypatch.setattr(torchvision.datasets, "Odd", kind, raising=False)
    with pytest.raises(InputError) as caught:
        read_own_images(Source("torchvision", "Odd"), tmp_path, download=True)
    assert str(caught.value).startswith("`torchvision: Odd`: takes (root, ")
    assert "write its images into a folder as train/<class>/" in str(caught.value)
    assert "network" not in str(caught.value)


def test_images_of_torchvision_are_resized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    class Photographs(list):  # type: ignore[type-arg]
        def __init__(self, root: str, split: str = "train") -> None:
            super().__init__([(Image.new("RGB", (9 + n, 8)), n % 2) for n in range(4)])

    monkeypatch.setattr(torchvision.datasets, "Photographs", Photographs, raising=False)
    source = Source("torchvision", "Photographs")
    with pytest.raises(InputError, match="several sizes or channels; add `size` and `resize: cr"):
        read_own_images(source, tmp_path, download=True)
    arrays_of_size = read_own_images(
        replace(source, size=(4, 5), resize="crop"), tmp_path, download=True
    )
    assert arrays_of_size["train-images"].shape == (4, 3, 4, 5)
