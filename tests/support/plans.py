"""Small scales whose runs take a fraction of a second."""

from pathlib import Path
from typing import Any

from replication.config.scale import check_scale
from replication.config.yaml_model import merge, read_yaml
from replication.plan.plan import Plan

ROOT = Path(__file__).resolve().parents[2]

TINY: dict[str, Any] = {
    "scale": "tiny",
    "seeds": [0],
    "device": "cpu",
    "precision": "float32",
    # After two epochs a network knows nothing yet.
    "teacher_at_chance": "allow",
    "datasets": {
        "cifar10": {"name": "digits", "train": 200, "test": 100},
        "cifar100": {"name": "two_digit_numbers", "train": 200, "test": 100},
    },
    "networks": {
        "wide_resnet": {"width_ratio": "1/8"},
        "densenet": {"width_ratio": "1/10"},
        "lstm": {"width_ratio": "1/100"},
        "cnn_lstm": {"width_ratio": "1/50"},
    },
    "images": {"epochs": 2, "milestones": [1]},
    "language": {"lstm": {"epochs": 1}, "cnn_lstm": {"epochs": 1}},
}


def tiny_plan(**keys: Any) -> Plan:
    """The default scale at a toy size, with these keys changed."""
    config = merge(merge(read_yaml(ROOT / "config" / "digits.yaml"), TINY), keys)
    return Plan.make(check_scale(config, "tiny"), ROOT / "tables")


BUILT = {**TINY, "seeds": [0, 1]}
