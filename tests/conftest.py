"""Fixtures: small scales whose runs take a fraction of a second."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

os.environ.setdefault("OMP_NUM_THREADS", "1")

from replication.plan import Plan
from replication.scale import check_scale
from replication.schema import merge, read_yaml

ROOT = Path(__file__).resolve().parent.parent

TINY: dict[str, Any] = {
    "scale": "tiny",
    "seeds": [0],
    "device": "cpu",
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


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the repository's own files linked into it."""
    for name in ("Snakefile", "rules", "tables", "config", "notebooks", "profiles", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes a mapping as a scale file and gives its path."""

    def write(data: dict[str, Any], name: str = "scale.yaml") -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return path

    return write
