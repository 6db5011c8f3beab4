"""Files of one's own that have changed are prepared again, by the workflow as by the command."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.workplace import Workplace

from benchmarks.tiny import TINY

DESCRIPTION = "results/tiny/data/pets.json"


def write_images(file: Path, n: int) -> None:
    generator = np.random.default_rng(0)
    arrays = {
        f"x_{part}": generator.integers(0, 256, (n, 8, 8), dtype=np.uint8)
        for part in ("train", "test")
    }
    labels = {f"y_{part}": np.arange(n) % 4 for part in ("train", "test")}
    np.savez(file, **arrays, **labels)  # type: ignore[arg-type]


@pytest.mark.long
def test_changed_files_are_prepared_again(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.configure({**TINY, "tables": ["table1"], "datasets": {"cifar10": {"npz": "pets.npz"}}})
    write_images(tmp_path / "pets.npz", 40)
    place.build(DESCRIPTION)
    first = json.loads((tmp_path / DESCRIPTION).read_text())
    assert (first["train"], place.jobs(DESCRIPTION)) == (40, {})
    # The same images in a newer file are the same data.
    os.utime(tmp_path / "pets.npz", (1e9, 1e9))
    place.build(DESCRIPTION)
    assert json.loads((tmp_path / DESCRIPTION).read_text()) == first
    assert place.jobs(DESCRIPTION) == {}
    write_images(tmp_path / "pets.npz", 44)
    place.build(DESCRIPTION)
    assert json.loads((tmp_path / DESCRIPTION).read_text())["train"] == 44


@pytest.mark.long
def test_data_that_were_prepared_and_deleted_are_prepared_again(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.configure({**TINY, "tables": ["table1"], "datasets": {"cifar10": {"npz": "pets.npz"}}})
    write_images(tmp_path / "pets.npz", 40)
    place.build(DESCRIPTION)
    first = json.loads((tmp_path / DESCRIPTION).read_text())
    shutil.rmtree(tmp_path / "data/prepared")
    assert place.jobs(DESCRIPTION) == {"data": 1, "total": 1}
    place.build(DESCRIPTION)
    assert len([*(tmp_path / "data/prepared").glob("pets-used-*/description.json")]) == 1
    assert json.loads((tmp_path / DESCRIPTION).read_text()) == first
