"""The runs of a scale with what they will be trained by, before anything is trained."""

from typing import Any

import pandas as pd

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.sweep.workload import parameters


def list_runs(plan: Plan) -> pd.DataFrame:
    """One line per run: its recipe, and its network's parameters in millions.

    The character CNN's alphabet is known with the corpus only; `replication.data.specs` has it as
    those who used the corpus before did, at 15 parameters for each character.
    """
    return pd.DataFrame([_line(plan, run) for run in plan.runs.values()])


def _line(plan: Plan, run: Run) -> dict[str, Any]:
    recipe, counted = plan.recipe(run), parameters(plan, run)
    return {
        "run": run.id,
        "generation": run.generation,
        "parameters (M)": None if counted is None else counted / 1e6,
        "share_ends": run.share_ends,
        "precision": recipe["precision"],
        **recipe["training"],
        **recipe["network"]["options"],
        **recipe["decisions"],
    }
