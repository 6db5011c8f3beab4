"""Values that become parts of paths and commands are plain names."""

from typing import Any

import pytest
from support.project import PLAN, Project

HOSTILE = [
    "a; touch escaped;",
    "$(touch escaped)",
    "`touch escaped`",
    "'; touch escaped; '",
    '"; touch escaped; "',
    "a\ntouch escaped\n",
    "a | touch escaped",
    "{input} $HOME",
    "../escaped",
]

SCALE_KEYS: dict[str, Any] = {
    "scale": lambda text: {"scale": text},
    "table": lambda text: {"tables": [text]},
    "data set": lambda text: {"datasets": {"cifar10": {"name": text}}},
    "network of a ratio": lambda text: {"networks": {"width_ratios": {text: 1}}},
    "device": lambda text: {"device": text},
}


@pytest.mark.parametrize("key", SCALE_KEYS)
def test_other_names_in_a_scale_are_refused(key: str, project: Project) -> None:
    for text in HOSTILE:
        project.override(**SCALE_KEYS[key](text))
        project.refuses(PLAN, "wrong.yaml")


TABLE_KEYS: dict[str, Any] = {
    "variant": lambda text: {"variants": {text: {}}},
    "network": lambda text: {"rows": {"a": {"network": text}}},
}


@pytest.mark.parametrize("key", TABLE_KEYS)
def test_other_names_in_a_table_are_refused(key: str, project: Project) -> None:
    project.override()
    for text in HOSTILE:
        project.change_table(lambda table, text=text: table.update(TABLE_KEYS[key](text)))
        project.refuses(PLAN, "tables/small.yaml")
