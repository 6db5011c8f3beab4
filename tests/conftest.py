"""Fixtures that tests of several packages share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

os.environ.setdefault("OMP_NUM_THREADS", "1")

from support.plans import BUILT
from support.small_results import plan, whole
from support.workplace import Workplace

__all__ = ["plan", "whole"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The default scale in a reduced form, everything built once."""
    place = Workplace(tmp_path_factory.mktemp("built"))
    place.configure(BUILT)
    done = place.call()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return place


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes a mapping as a scale file and gives its path."""

    def write(data: dict[str, Any], name: str = "scale.yaml") -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return path

    return write
