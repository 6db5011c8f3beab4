"""Data sets of a scale: which keys belong together."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plans import tiny_plan

from replication.config.datasets import OwnImages
from replication.config.scale import read_config
from replication.data.prepared import own_folder, used_folder
from replication.errors import InputError
from replication.plan.recipe import describe_dataset


def test_a_data_set_of_the_suite_has_no_folder() -> None:
    both = {"name": "cifar100", "folder": "pets", "size": [8, 8], "channels": 1}
    with pytest.raises(
        InputError, match=r"`datasets.cifar100`: `name` stands for a data set of the suite"
    ):
        tiny_plan(datasets={"cifar100": both})


def test_balanced_is_true_or_false(write_config: Callable[[dict[str, Any]], Path]) -> None:
    file = write_config({"datasets": {"cifar10": {"balanced": "all"}}})
    assert yaml.safe_load(file.read_text())["datasets"]["cifar10"]["balanced"] == "all"
    with pytest.raises(InputError, match=r"`datasets.cifar10.balanced`"):
        tiny_plan(**read_config([file]))


FOLDER = {"folder": "pets", "size": [8, 8], "channels": 3}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "folder without size": (
        {"folder": "pets", "channels": 3},
        "a `folder` needs `size`, which is",
    ),
    "folder of two channels": (
        {**FOLDER, "channels": 2},
        "`channels` of a `folder` must be 1 (grey)",
    ),
    "resized arrays": ({"npz": "a.npz", "size": [8, 8], "resize": "pad"}, "belong to a `folder`"),
    "channels of torchvision": ({"torchvision": "SVHN", "channels": 3}, "`channels` belong to a"),
    "torchvision of a size": ({"torchvision": "SVHN", "size": [8, 8]}, "belong together"),
    "another way to resize": ({**FOLDER, "resize": "zoom"}, "`datasets.own.resize`"),
    "two places": ({**FOLDER, "npz": "a.npz"}, "name one of `folder`, `npz` and `torchvision`"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_keys_that_do_not_belong_together_are_refused(name: str) -> None:
    keys, says = REFUSED[name]
    with pytest.raises(InputError, match=re.escape(says)):
        tiny_plan(datasets={"own": keys})


@pytest.mark.parametrize(
    "keys",
    [
        {**FOLDER, "size": (8, 8), "resize": "crop"},
        {"npz": "a.npz", "channels": 9},
        {"torchvision": "Food101", "size": (8, 8), "resize": "stretch"},
    ],
)
def test_resizing_belongs_to_the_recipe_and_to_the_prepared_data(keys: dict[str, Any]) -> None:
    dataset, plain = OwnImages(**keys), OwnImages(**{**keys, "train": 5})
    chosen = describe_dataset(dataset)
    assert chosen["name"] == dataset.name
    assert {"folder", "npz"}.isdisjoint(chosen)
    assert set(keys) - {"folder", "npz"} <= set(chosen)
    root = Path("data")
    assert own_folder(dataset.source, root) == own_folder(plain.source, root)
    used = [used_folder(root, own.name, own.sizes, "test") for own in (dataset, plain)]
    assert len({*used}) == 2
