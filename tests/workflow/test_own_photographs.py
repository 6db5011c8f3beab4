"""A folder of photographs as a person has it, from the first call of Snakemake to its table."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from support.workplace import Workplace

from replication.data.images import ImageData
from replication.data.prepared import load
from replication.plan.plan import Plan

TABLE: dict[str, Any] = {
    "title": "Photographs",
    "dataset": "photographs",
    "columns": {
        "label": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "label"},
    },
    "rows": {"narrow": {"network": "wide_resnet_28_1"}},
}
DATASET: dict[str, Any] = {"folder": "My Photos", "size": [8, 12], "channels": 3}
SCALE: dict[str, Any] = {
    "scale": "photographs",
    "tables": ["own"],
    "seeds": [0],
    "networks": {"wide_resnet": {"depth_ratio": "1/4", "width_ratio": "1/4", "dropout": 0.0}},
    "images": {"epochs": 8, "batch_size": 16, "learning_rate": 0.1, "weight_decay": 1e-4},
    "precision": "float32",
    "device": "cpu",
    "teacher_at_chance": "allow",
}
PORTRAIT = 6
"""EXIF's orientation of a photograph that a camera has stored on its side."""


def stripes(label: str, height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    """An image in grey (height, width) with three broad stripes along its rows or columns."""
    along = np.linspace(0, 5.99, height if label == "rows" else width).astype(int) % 2
    pattern = along[:, None] if label == "rows" else along
    noise = generator.integers(0, 60, (height, width))
    return (noise + 180 * np.broadcast_to(pattern, (height, width))).astype(np.uint8)


def take_photographs(place: Path) -> None:
    """Photographs of several sizes, orientations and kinds, among files of other programs."""
    generator = np.random.default_rng(0)
    sizes = [(40, 60), (48, 64), (60, 60), (24, 30)]
    for part, count in (("train", 24), ("test", 12)):
        for label in ("rows", "columns"):
            folder = place / part / label
            folder.mkdir(parents=True)
            for number in range(count):
                grey = stripes(label, *sizes[number % 4], generator)
                image = Image.fromarray(np.stack([grey, grey // 2, 255 - grey], -1))
                if number % 3 == 0:
                    exif = Image.Exif()
                    exif[0x0112] = PORTRAIT
                    turned = image.transpose(Image.Transpose.ROTATE_90)
                    turned.save(folder / f"IMG_{number}.JPG", exif=exif)
                elif number % 3 == 1:
                    image.save(folder / f"{number}.png")
                else:
                    image.save(folder / f"{number}.webp")
    scan = stripes("rows", 40, 60, generator).astype(np.uint16) * 257
    Image.fromarray(scan).save(place / "train/rows/scan.png")
    for hidden in (".ipynb_checkpoints/0-checkpoint.png", "@eaDir/0.png", "._0.png"):
        (place / "train/rows" / hidden).parent.mkdir(exist_ok=True)
        Image.new("RGB", (9, 9)).save(place / "train/rows" / hidden)
    (place / "test/.ipynb_checkpoints").mkdir()
    (place / "train/rows/where from.txt").write_text("a camera")
    (place / "test/columns/raw.heic").write_bytes(b"x")


@pytest.mark.long
def test_a_folder_of_photographs_becomes_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    take_photographs(tmp_path / "My Photos")
    (tmp_path / "study/tables").mkdir(parents=True)
    (tmp_path / "study/tables/own.yaml").write_text(yaml.safe_dump(TABLE))
    study = tmp_path / "study/study.yaml"

    study.write_text(
        yaml.safe_dump({**SCALE, "folder": "study", "datasets": {"photographs": DATASET}})
    )
    refused = place.call("own", "--configfile", str(study), default_files=False)
    assert refused.returncode != 0
    log = (tmp_path / "results/photographs/data/my_photos.log").read_text()
    assert "columns/1.png: 48 × 64 pixels, not 8 × 12; add `resize: crop` to the data set" in log

    dataset = {**DATASET, "resize": "crop"}
    study.write_text(
        yaml.safe_dump({**SCALE, "folder": "study", "datasets": {"photographs": dataset}})
    )
    done = place.call("own", "--configfile", str(study), default_files=False)
    assert done.returncode == 0, done.stdout + done.stderr
    log = (tmp_path / "results/photographs/data/my_photos.log").read_text()
    for line in (
        "my_photos: 8 × 12 × 3 (height × width × channels), classes 2, train 49, evaluation 24;",
        "My Photos: files and folders whose names begin with",
        " are skipped, 4 in all: ",
        "My Photos: files whose names do not end in",
        " are not read: 1 .heic, 1 .txt; convert",
        "My Photos: 24 images were rotated according to their EXIF orientation",
        "My Photos: 1 image had 16 bits a pixel, and was scaled to 8",
        "My Photos: 1 image was grey, and was repeated in three channels",
        "My Photos: 73 images were resized",
    ):
        assert line in log

    # Stripes of photographs that lay on their side would be those of the other class.
    plan = Plan.read([study])
    (dataset_of_scale,) = {run.dataset for run in plan.runs.values()}
    data = load(dataset_of_scale.name, "data", dataset_of_scale.sizes)
    assert isinstance(data, ImageData)
    for part in (data.train, data.evaluation):
        across_columns, across_rows = (
            part.images.std(3).mean((1, 2)),
            part.images.std(2).mean((1, 2)),
        )
        assert ((across_columns > across_rows).long() == 1 - part.labels).all()

    table = pd.read_csv(tmp_path / "results/photographs/tables/own.csv").set_index("column")
    assert (table["n"] == 1).all()
    assert table["mean"].between(0, 50).all()
