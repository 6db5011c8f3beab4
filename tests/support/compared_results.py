"""A teacher and its student with several seeds, trained once, to be compared with other seeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.plans import tiny_plan

from replication.analysis.collect import collect
from replication.objectives import OBJECTIVES, Objective, label
from replication.plan.plan import Plan
from replication.report.quality_table import build_quality
from replication.report.table_files import build_table
from replication.results.scale_file import write_scale
from replication.training.train_run import train

PAIR: dict[str, Any] = {
    "title": "A teacher and its student",
    "dataset": "cifar10",
    "columns": {
        "teacher": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "teacher"},
    },
    "rows": {
        "narrow": {"network": "wide_resnet_28_1"},
        "wide": {"network": "wide_resnet_28_2"},
    },
}
KEYS: dict[str, Any] = {
    "datasets": {"cifar10": {"train": 300, "test": 400}},
    # Long enough that seeds differ by little and a wrong objective by much.
    "images": {"epochs": 16, "milestones": [8, 12], "evaluate_every": 16},
    "teacher_at_chance": "allow",
}
PUBLISHED, OTHERS = (0, 1, 2, 3, 4, 5), (6, 7)


def build(folder: Path, root: str, seeds: Sequence[int], **keys: Any) -> Path:
    """Train these seeds below a root, build their table, and return the results.

    ``keys`` of the scale are instead of its own.
    """
    (folder / "tables").mkdir(exist_ok=True)
    (folder / "tables/pair.yaml").write_text(yaml.safe_dump(PAIR, sort_keys=False))
    scale = tiny_plan(**{**KEYS, **keys}).scale.model_copy(
        update={"tables": ("pair",), "seeds": (*seeds,)}
    )
    plan = Plan.make(scale, folder / "tables", folder / root)
    for run in plan.runs.values():
        train(plan, run)
    assert build_table(plan, "pair").reasons == []
    write_scale(plan)
    collect(plan)
    build_quality(plan)
    return plan.results


def build_with_a_bug(folder: Path, root: str, seeds: Sequence[int]) -> Path:
    """As `build`, but BAN trains on labels."""
    with pytest.MonkeyPatch.context() as patch:
        wrong = Objective(lambda student, labels, teacher, generator=None: label(student, labels))
        patch.setitem(OBJECTIVES, "ban", wrong)
        return build(folder, root, seeds)
