"""Factors of a scale's numbers, and files that are not text in UTF-8."""

import re
from pathlib import Path
from typing import Any

import pytest

from replication.config.yaml_model import multiply, read_yaml
from replication.errors import InputError

BASE: dict[str, Any] = {
    "images": {"epochs": 15, "milestones": [6, 10, 13], "rate": 0.1, "flip": True},
    "networks": {"dense": {"width_ratio": "1/8", "wide": None}, "width_ratios": {"a": "3/4"}},
}


def test_numbers_lists_and_ratios_are_multiplied_exactly_and_integers_rounded_up() -> None:
    factors = {
        "images": {"epochs": 0.5, "milestones": "1/2", "rate": 3},
        "networks": {"dense": {"width_ratio": 2}, "width_ratios": 2},
    }
    assert multiply(BASE, factors) == {
        "images": {"epochs": 8, "milestones": [3, 5, 7], "rate": 0.3, "flip": True},
        "networks": {"dense": {"width_ratio": "1/4", "wide": None}, "width_ratios": {"a": "3/2"}},
    }


def test_without_factors_nothing_changes() -> None:
    assert multiply(BASE, {}) == BASE


@pytest.mark.parametrize(
    ("factors", "says"),
    [
        ({"images": {"epoch": 2}}, "unknown key `epoch`"),
        ({"images": {"epochs": 0}}, "15 by 0; multiply numbers by positive ratios"),
        ({"images": {"epochs": "much"}}, '15 by "much"'),
        ({"images": {"epochs": {"more": 2}}}, "15 by {"),
        ({"images": {"flip": 2}}, "true by 2"),
        ({"networks": {"dense": 2}}, "null by 2"),
        (2, "true by 2"),
    ],
)
def test_what_cannot_be_multiplied_is_named(factors: Any, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        multiply(BASE, factors)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_named_so(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("scale: pets\n", encoding=encoding)
    with pytest.raises(InputError, match=r"not text in UTF-8 \(it is in UTF-16\); save it"):
        read_yaml(file)


def test_a_file_with_a_mark_of_utf_8_is_read(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("scale: pets\n", encoding="utf-8-sig")
    assert read_yaml(file) == {"scale": "pets"}


def test_a_file_of_bytes_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(b"scale: caf\xe9\n")
    with pytest.raises(InputError, match=r"not text in UTF-8 \(.*\); save it as a text file"):
        read_yaml(file)
