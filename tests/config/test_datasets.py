"""Data sets of a scale: which keys belong together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plans import tiny_plan

from replication.config.scale import read_config
from replication.errors import InputError


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
