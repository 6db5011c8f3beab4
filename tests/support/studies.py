"""A small study with data, a network, claims and a loss of its own, to be trained or damaged."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from replication.analysis.claims import build_claims
from replication.analysis.collect import collect
from replication.data.prepare import prepare
from replication.plan.plan import Plan
from replication.report.quality_table import build_quality
from replication.report.table_files import build_table
from replication.results.scale_file import write_scale
from replication.training.train_run import train

STUDY = Path("pets")
"""The folder of the study, in the current directory."""
SCALE: dict[str, Any] = {
    "scale": "pets",
    "tables": ["own"],
    "seeds": [0, 1],
    "datasets": {"blobs": {"npz": "pets/blobs.npz"}},
    "images": {"epochs": 1, "batch_size": 16, "learning_rate": 0.05, "weight_decay": 0.0},
    "device": "cpu",
    "precision": "float32",
    "teacher_at_chance": "allow",
}
TABLE: dict[str, Any] = {
    "title": "A loss of one's own",
    "dataset": "blobs",
    "columns": {
        "teacher": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "teacher"},
        "own": {"objective": {"name": "losses:match", "weight": 0.5}, "teacher": "teacher"},
    },
    "rows": {"null": {"network": "timm:test_resnet"}},
}
CLAIM: dict[str, Any] = {
    "statement": "A student has a lower error.",
    "left": {"table": "own", "rows": ["null"], "columns": ["ban"]},
    "right": {"table": "own", "rows": ["null"], "columns": ["teacher"]},
    "expect": "lower",
}
LOSSES = """from distances.square import square

def match(student_logits, labels, teacher_logits, weight=1.0):
    return weight * square(student_logits - teacher_logits)
"""
HELPER = "def square(difference):\n    return difference.square().mean()\n"


def write_study(table: dict[str, Any] = TABLE, claim: dict[str, Any] = CLAIM, **scale: Any) -> Path:
    """Write the study into the current directory, and return its scale's file."""
    generator = np.random.default_rng(0)
    arrays = {}
    for part in ("train", "test"):
        labels = np.arange(48) % 3
        images = generator.integers(0, 60, (48, 8, 8)).astype(np.uint8)
        images[labels == 0, ::2] += 150
        images[labels == 1, :, ::2] += 150
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    (STUDY / "tables").mkdir(parents=True)
    (STUDY / "distances").mkdir()
    np.savez(STUDY / "blobs.npz", **arrays)
    for name, content in (
        ("study.yaml", {**SCALE, **scale}),
        ("tables/own.yaml", table),
        ("claims.yaml", {"claims": {"ban-helps": claim}}),
    ):
        (STUDY / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    (STUDY / "losses.py").write_text(LOSSES, encoding="utf-8")
    (STUDY / "distances/square.py").write_text(HELPER, encoding="utf-8")
    return STUDY / "study.yaml"


def prepare_data(plan: Plan) -> None:
    """Prepare the data sets of a plan."""
    for dataset in plan.scale.datasets.values():
        prepare(dataset.name, plan.scale.data_root, dataset.sizes)


def train_study(file: Path) -> Plan:
    """Train a study, and build everything from its runs but criteria, figures and notebooks."""
    prepare_data(plan := Plan.read([file]))
    plan = Plan.read([file])
    for run in plan.runs.values():
        train(plan, run)
    for name in plan.tables:
        build_table(plan, name)
    write_scale(plan)
    collect(plan)
    build_quality(plan)
    build_claims(plan)
    return plan
