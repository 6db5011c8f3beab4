"""Factors of a scale's numbers."""

import re
from typing import Any

import pytest

from replication.config.yaml_model import multiply
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
