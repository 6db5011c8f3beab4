"""Small scales whose runs take a fraction of a second."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.tiny import TINY
from replication.config.scale import check_scale
from replication.config.yaml_model import merge, read_yaml
from replication.plan.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
ALL: list[str] = TINY["tables"]
"""The six tables, controls and sensitivity."""


def tiny_plan(**keys: Any) -> Plan:
    """The default scale at a toy size, with these keys changed."""
    config = merge(merge(read_yaml(ROOT / "config" / "digits.yaml"), TINY), keys)
    return Plan.make(check_scale(config, "tiny"), ROOT / "tables")


def runs_per_seed(tables: Sequence[str]) -> int:
    """The runs of the six tables, and of controls and sensitivity, which share one beyond them."""
    controls, sensitivity = "controls" in tables, "sensitivity" in tables
    return 86 + 10 * controls + 20 * sensitivity - (controls and sensitivity)


def planned_runs(plan: Plan) -> pd.DataFrame:
    """The lines of ``runs.csv`` as far as a plan knows them, by run."""
    # It imports torch, which plans do without.
    from replication.analysis.collect import describe_planned_run, frame_of_runs

    lines = [describe_planned_run(plan, run) for run in plan.runs.values()]
    return frame_of_runs(lines).set_index("run", drop=False)


WITH_TWO_SEEDS = ("table3", "table6")
BUILT = {
    **TINY,
    "seeds": [0, 1],
    "table_seeds": {name: [0] for name in ALL if name not in WITH_TWO_SEEDS},
}
"""The default scale in a reduced form; only two of its tables have two seeds."""
