"""The lineage at the paper's size that a GPU trains in minutes, and the data that it is brought."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.data_parts import FOLDER, pack, unpack
from benchmarks.lineage import COLUMNS, epochs_in_time, with_epochs
from replication.errors import InputError

PAPER: dict[str, Any] = {"images": {"epochs": 200, "milestones": [60, 120, 160]}}


def test_as_many_epochs_are_trained_as_fit_into_the_time() -> None:
    # Both generations take 1 + 4/3 times what an epoch of label training takes, and start twice.
    assert epochs_in_time(PAPER, epoch_seconds=1.0, seconds=60 + 7 / 3 * 150 + 1) == 150
    assert epochs_in_time(PAPER, epoch_seconds=0.5, seconds=600) == 200
    assert epochs_in_time(PAPER, epoch_seconds=100.0, seconds=120) == 1


@pytest.mark.parametrize(
    ("epochs", "milestones"),
    [(200, [60, 120, 160]), (100, [30, 60, 80]), (2, [1, 2]), (1, [1])],
)
def test_the_milestones_keep_their_shares_of_the_epochs(epochs: int, milestones: list[int]) -> None:
    assert with_epochs(PAPER, epochs)["images"] == {"epochs": epochs, "milestones": milestones}
    assert PAPER["images"]["epochs"] == 200


@pytest.mark.long  # the paper's network
def test_two_networks_and_two_students_of_the_first_are_trained(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, count in (("train", 200), ("test", 100)):
        arrays[f"x_{part}"] = generator.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 100
    np.savez(tmp_path / "images.npz", **arrays)
    keys = {
        "datasets": {"cifar100": {"npz": str(tmp_path / "images.npz")}},
        "data_root": str(tmp_path / "data"),
        "images": {"epochs": 2},
        "teacher_at_chance": "allow",
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    arguments = ["--configfile", tmp_path / "own.yaml", "--results", tmp_path / "results"]
    command = ["lineage", "--device", "cpu", *map(str, arguments)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "results/gpu-lineage"
    lines = pd.read_csv(folder / "lineage.csv")
    assert list(lines.columns) == COLUMNS
    teacher = "images/wide_resnet_28_2.label"
    student = f"{teacher}.0/wide_resnet_28_2.ban"
    assert list(lines["run"]) == [
        f"{run}.{seed}" for run in (teacher, student) for seed in (0, 1000)
    ]
    assert list(lines["epochs"]) == [2] * 4
    assert list(lines["paper_error"]) == [25.32, 25.32, 24.38, 24.38]
    assert (lines[["images_per_second", "percent_of_peak", "seconds"]] > 0).all(axis=None)
    assert all((folder / "runs" / run / "model.safetensors").exists() for run in lines["run"])
    # What is there is kept, and is described again.
    times = [file.stat().st_mtime_ns for file in sorted(folder.rglob("run.json"))]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert [file.stat().st_mtime_ns for file in sorted(folder.rglob("run.json"))] == times


def test_time_that_is_over_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["lineage", "--device", "cpu", "--minutes", "0", "--results", str(tmp_path)]
    )
    assert done.exit_code == 1
    assert "the time is up; run the same command again" in done.output


@pytest.fixture
def images(tmp_path: Path) -> dict[str, np.ndarray]:
    """The pixels of a small CIFAR-100 that lies under ``data/``, by part, class and file."""
    generator = np.random.default_rng(0)
    pixels = {}
    for part, count in (("train", 26), ("test", 3)):
        for label in ("apple", "maple_tree", "rose"):
            for number in range(count):
                name = f"{part}/{label}/word_s_{number:06}.png"
                pixels[name] = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                file = tmp_path / "data" / FOLDER / name
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels[name]).save(file)
    return pixels


def test_parts_bring_every_image_unchanged_in_any_order(
    images: dict[str, np.ndarray], tmp_path: Path
) -> None:
    parts = pack(tmp_path / "data", tmp_path / "parts", 4)
    assert [part.name for part in parts][:2] == ["cifar-100.1-of-4.tar", "cifar-100.2-of-4.tar"]
    counts = [unpack([part], tmp_path / "there") for part in reversed(parts)]
    assert sum(counts) == len(images) == 87
    place = tmp_path / "there" / FOLDER
    assert {file.relative_to(place).as_posix() for file in place.rglob("*.png")} == set(images)
    for name, pixels in images.items():
        assert (np.asarray(Image.open(place / name)) == pixels).all()


def test_a_damaged_part_or_a_missing_folder_is_named(
    images: dict[str, np.ndarray], tmp_path: Path
) -> None:
    part, *_ = pack(tmp_path / "data", tmp_path / "parts", 2)
    part.write_bytes(part.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"cifar-100\.1-of-2\.tar: cannot be unpacked"):
        unpack([part], tmp_path / "there")
    with pytest.raises(InputError, match="no folder of images"):
        pack(tmp_path / "none", tmp_path / "parts", 2)
