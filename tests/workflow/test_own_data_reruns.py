"""A study with data of one's own, built by Snakemake: what trains it again, and what does not."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.workplace import Workplace

from replication.results.run_record import read_record

pytestmark = pytest.mark.long

LABEL = "shapes/wide_resnet_28_1.label.0"
BAN = f"{LABEL}/wide_resnet_28_1.ban.0"
BYTES_OF_LOGITS = 96 * 3 * 2
"""Of 96 training images without crops and flips, in three classes."""
TABLE: dict[str, Any] = {
    "title": "Shapes",
    "dataset": "shapes",
    "columns": {
        "label": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "label"},
    },
    "rows": {"narrow": {"network": "wide_resnet_28_1"}},
}
SCALE: dict[str, Any] = {
    "scale": "shapes",
    "tables": ["own"],
    "seeds": [0],
    "datasets": {"shapes": {"npz": "data-of-mine/shapes.npz"}},
    "networks": {"wide_resnet": {"depth_ratio": "1/4", "width_ratio": "1/4", "dropout": 0.0}},
    "images": {"epochs": 2, "batch_size": 32, "learning_rate": 0.1, "weight_decay": 1e-4},
    "precision": "float32",
    "device": "cpu",
    "teacher_at_chance": "allow",
    # Less than the logits take, which is not known before the data are prepared.
    "logit_cache_limit_gib": (BYTES_OF_LOGITS - 1) / 2**30,
}


def write_images(file: Path) -> None:
    """Three classes of 8×8 images: rows, columns, dots."""
    generator = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 96), ("test", 60)):
        labels = np.arange(count) % 3
        images = generator.integers(0, 60, (count, 8, 8)).astype(np.uint8)
        images[labels == 0, ::2] += 150
        images[labels == 1, :, ::2] += 150
        images[labels == 2, ::2, ::2] += 150
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    file.parent.mkdir()
    np.savez(file, **arrays)


class Study(Workplace):
    """A workplace with a study, which is built once."""

    def configure_study(self, **keys: Any) -> None:
        (self.folder / "study.yaml").write_text(yaml.safe_dump({**SCALE, **keys}))

    def planned(self, **keys: Any) -> dict[str, int]:
        """The jobs that a dry run plans with these keys changed."""
        self.configure_study(**keys)
        return self.jobs("own", "--configfile", "study.yaml", default_files=False)


@pytest.fixture(scope="module")
def built_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    place = Study(tmp_path_factory.mktemp("study"))
    write_images(place.folder / "data-of-mine/shapes.npz")
    tables = place.folder / "tables"
    copied = tables.resolve()
    tables.unlink()
    shutil.copytree(copied, tables)
    (tables / "own.yaml").write_text(yaml.safe_dump(TABLE), encoding="utf-8")
    place.configure_study()
    done = place.call("own", "--configfile", "study.yaml", default_files=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


@pytest.fixture
def study(built_study: Study) -> Iterator[Study]:
    yield built_study
    built_study.configure_study()


def test_a_decision_that_was_not_known_before_the_data_were_is_the_recorded_one(
    study: Study,
) -> None:
    record = read_record(study.folder / "results/shapes/runs" / BAN)
    assert record["recipe"]["teacher_logits"] == "computed at every step"
    assert study.planned() == {}


def test_a_limit_with_the_same_decision_and_fewer_evaluations_train_nothing(study: Study) -> None:
    images = {**SCALE["images"], "evaluate_every": 2}
    assert "train" not in study.planned(logit_cache_limit_gib=1e-9, images=images)


def test_a_limit_with_another_decision_trains_the_student_alone(study: Study) -> None:
    assert study.planned(logit_cache_limit_gib=4.0)["train"] == 1


def test_data_that_have_moved_train_nothing(study: Study) -> None:
    shutil.copytree(study.folder / "data-of-mine", study.folder / "elsewhere", dirs_exist_ok=True)
    moved = {"shapes": {"npz": "elsewhere/shapes.npz"}}
    assert "train" not in study.planned(datasets=moved)


def test_another_part_of_the_data_trains_everything(study: Study) -> None:
    fewer = {"shapes": {**SCALE["datasets"]["shapes"], "train": 60}}
    assert study.planned(datasets=fewer)["train"] == 2
