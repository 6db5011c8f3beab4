"""Data sets of a scale: which keys belong together, and what the recipe of a run says of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plans import tiny_plan

from replication.config.datasets import ImageDataset, OwnImages, OwnText, TextDataset
from replication.config.scale import read_config
from replication.errors import InputError


def test_a_recipe_without_newer_keys_is_as_it_was() -> None:
    assert ImageDataset(name="digits", items=300, pool=2).recipe == {
        "name": "digits",
        "train": None,
        "test": None,
        "items": 300,
        "pool": 2,
    }
    assert TextDataset(name="python_reference", words=500).recipe == {
        "name": "python_reference",
        "words": 500,
        "train": None,
    }


def test_balanced_parts_and_cifars_order_are_part_of_the_recipe() -> None:
    assert ImageDataset(name="digits", balanced=True).recipe["balanced"] is True
    assert OwnImages(npz="a.npz", balanced=True).recipe["balanced"] is True
    for name in ("cifar10", "cifar100"):
        assert ImageDataset.model_validate({"name": name}).recipe["version"] == 2


def test_a_recipe_does_not_say_where_files_are() -> None:
    def folder(place: str) -> OwnImages:
        return OwnImages(folder=place, size=(8, 8), channels=1)

    assert folder("one/pets").recipe == folder("/other/pets").recipe
    assert folder("one/pets").recipe != folder("one/cars").recipe
    assert OwnImages(npz="a/pets.npz").recipe == OwnImages(npz="b/pets.npz").recipe
    assert OwnImages(npz="a/pets.npz").recipe != folder("a/pets").recipe
    assert OwnText(text="a/story.txt").recipe == OwnText(text="b/story.txt").recipe
    # This is no place, but says which data set it is.
    assert OwnImages(torchvision="SVHN").recipe["torchvision"] == "SVHN"


def test_a_data_set_of_the_suite_has_no_folder() -> None:
    both = {"name": "cifar100", "folder": "pets", "size": [8, 8], "channels": 1}
    with pytest.raises(
        InputError, match="`datasets.cifar100`: `name` stands for a data set of the suite"
    ):
        tiny_plan(datasets={"cifar100": both})


def test_balanced_is_true_or_false(write_config: Callable[[dict[str, Any]], Path]) -> None:
    file = write_config({"datasets": {"cifar10": {"balanced": "all"}}})
    assert yaml.safe_load(file.read_text())["datasets"]["cifar10"]["balanced"] == "all"
    with pytest.raises(InputError, match=r"`datasets.cifar10.balanced`"):
        tiny_plan(**read_config([file]))
