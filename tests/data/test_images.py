"""Image data sets: splits that never mix, pairs, views, and files in the real formats."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from support.archives import cifar_archive, fashion_files
from torchvision import datasets
from torchvision.transforms import v2

from replication.config.scale import ImageDataset, ImageRecipe
from replication.data import images
from replication.data.augmentation import Augmenter, draw_views
from replication.data.images import load_images
from replication.data.specs import images_of
from replication.errors import InputError


def unnormalised(part: images.Items, data: images.ImageData) -> torch.Tensor:
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (data.mean, data.std))
    return part.images * std + mean


def test_digits_are_those_of_scikit_learn_each_in_one_part() -> None:
    train, test = images.digits(Path())
    assert (len(train.labels), len(test.labels)) == (1198, 599)
    every = load_digits()
    expected = np.column_stack([every.data, every.target])
    pixels = torch.cat([train.images, test.images]).flatten(1) * 16
    found = torch.cat([pixels, torch.cat([train.labels, test.labels])[:, None]], dim=1)
    assert sorted(found.tolist()) == sorted(expected.tolist())
    counts = torch.bincount(test.labels).double() / torch.bincount(torch.tensor(every.target))
    assert counts.tolist() == pytest.approx([1 / 3] * 10, abs=0.01)


@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
def test_no_digit_is_in_pairs_of_both_parts(evaluate_on: Any) -> None:
    data = load_images(ImageDataset(name="two_digit_numbers"), Path(), evaluate_on)
    halves = []
    for part in (data.train, data.evaluation):
        pixels = unnormalised(part, data).mul(16).round()
        single = torch.cat([pixels[..., :8], pixels[..., 8:]]).flatten(1)
        halves.append(set(map(tuple, single.tolist())))
    # Some digits of the data set are the same to the pixel.
    assert len(halves[0] & halves[1]) <= 2
    assert data.train.images.shape[1:] == (1, 8, 16)
    assert data.classes == 100


def test_validation_items_come_from_the_training_part() -> None:
    dataset = ImageDataset(name="digits")
    test = load_images(dataset, Path(), "test")
    validation = load_images(dataset, Path(), "validation")
    assert len(validation.evaluation.labels) == len(test.train.labels) // 5
    whole = {tuple(i) for i in unnormalised(test.train, test).mul(16).round().flatten(1).tolist()}
    for part in (validation.train, validation.evaluation):
        pixels = unnormalised(part, validation).mul(16).round().flatten(1).tolist()
        assert {tuple(image) for image in pixels} <= whole


def test_the_class_of_a_pair_is_its_number() -> None:
    items = images.Items(torch.arange(10.0).view(10, 1, 1, 1), torch.arange(10))
    pairs = images._pairs(items, 50, "")
    tens, units = pairs.images[:, 0, 0].unbind(-1)
    assert torch.equal(pairs.labels, (10 * tens + units).long())
    assert torch.equal(images._pairs(items, 50, "").images, pairs.images)


def test_images_are_normalised_by_the_training_part_alone() -> None:
    data = load_images(ImageDataset(name="digits"), Path(), "test")
    assert data.train.images.mean().item() == pytest.approx(0, abs=1e-6)
    assert data.train.images.std(correction=0).item() == pytest.approx(1, abs=1e-6)
    assert abs(data.evaluation.images.mean().item()) > 1e-4


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize("name", ["digits", "two_digit_numbers"])
def test_the_sizes_of_a_data_set_are_those_it_is_reckoned_with(name: Any, part: Any) -> None:
    for dataset in (ImageDataset(name=name), ImageDataset(name=name, train=300, test=100)):
        data, sizes = load_images(dataset, Path(), part), images_of(dataset, part)
        assert data.train.images.shape == (
            sizes.train, sizes.channels, sizes.height, sizes.width)  # fmt: skip
        assert len(data.evaluation.labels) == sizes.test
        assert data.classes == sizes.classes


def test_more_images_than_there_are_is_an_error() -> None:
    with pytest.raises(InputError, match=r"digits: `train`: 9999 images asked, 1198 there are"):
        load_images(ImageDataset(name="digits", train=9999), Path(), "test")


def recipe(**keys: Any) -> ImageRecipe:
    values = {"epochs": 1, "batch_size": 8, "learning_rate": 0.1, "milestones": (), "gamma": 0.2,
              "momentum": 0.9, "weight_decay": 0.0, "crop_padding": 0, "flip": False}  # fmt: skip
    return ImageRecipe(**{**values, **keys})


@pytest.mark.parametrize("flip", [False, True])
def test_views_are_torchvisions_reflected_crops_and_flips(flip: bool) -> None:
    pictures = torch.randn(60, 3, 10, 14, generator=torch.Generator().manual_seed(0))
    options = recipe(crop_padding=3, flip=flip)
    views = draw_views(60, options, torch.Generator().manual_seed(1))
    index = torch.randperm(60, generator=torch.Generator().manual_seed(2))
    found = Augmenter(pictures, options)(index, views)
    pad = v2.Pad(3, padding_mode="reflect")
    for i, image in enumerate(pictures[index]):
        mirrored, corner = divmod(int(views[i]), 7 * 7)
        expected = v2.functional.crop(pad(image), *divmod(corner, 7), 10, 14)
        if mirrored:
            expected = v2.functional.horizontal_flip(expected)
        assert torch.equal(found[i], expected)
    assert bool((views >= 7 * 7).any()) == flip


def test_every_crop_is_drawn_equally_often_and_half_are_mirrored() -> None:
    options = recipe(crop_padding=4, flip=True)
    views = draw_views(81 * 200, options, torch.Generator().manual_seed(0))
    counts = torch.bincount(views % 81, minlength=81)
    assert len(counts) == 81
    assert 140 < int(counts.min()) < int(counts.max()) < 260
    assert (views >= 81).double().mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("name", "classes"), [("CIFAR10", 10), ("CIFAR100", 100)])
def test_cifar_is_read_from_an_archive_in_its_format(
    name: str, classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = cifar_archive(tmp_path, name, monkeypatch)
    dataset = ImageDataset(name=name.lower())  # type: ignore[arg-type]
    data = load_images(dataset, tmp_path, "test")
    assert data.classes == classes
    assert data.train.images.shape[1:] == (3, 32, 32)
    expected = torch.from_numpy(pixels).view(-1, 3, 32, 32) / 255
    torch.testing.assert_close(unnormalised(data.train, data), expected)


def test_a_damaged_cifar_archive_without_a_network_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar_archive(tmp_path, "CIFAR10", monkeypatch)
    archive = tmp_path / datasets.CIFAR10.filename
    archive.write_bytes(archive.read_bytes()[:1000])
    with pytest.raises(InputError) as caught:
        load_images(ImageDataset(name="cifar10"), tmp_path, "test")
    assert "CIFAR10 cannot be read or downloaded" in str(caught.value)
    assert "put cifar-10-python.tar.gz there by hand" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fashion_mnist_is_taken_from_debians_package_and_paired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = fashion_files(tmp_path / "debian")
    monkeypatch.setattr(images, "DEBIAN_FASHION_MNIST", tmp_path / "debian")
    data = load_images(ImageDataset(name="fashion_mnist"), tmp_path / "data", "test")
    expected = torch.from_numpy(pixels)[:, None] / 255
    torch.testing.assert_close(unnormalised(data.train, data), expected)
    pairs = load_images(
        ImageDataset(name="fashion_mnist_pairs", train=30), tmp_path / "data", "test"
    )
    assert pairs.train.images.shape == (30, 1, 28, 56)
    assert len(pairs.evaluation.labels) == 20


def test_an_empty_data_root_without_a_network_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "DEBIAN_FASHION_MNIST", tmp_path / "none")
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(InputError) as caught:
        load_images(ImageDataset(name="fashion_mnist"), tmp_path / "data", "test")
    message = str(caught.value)
    assert "Fashion-MNIST cannot be read or downloaded" in message
    assert "Debian's package dataset-fashion-mnist has it" in message
    assert "\n" not in message
