"""The runs of a plan with their recipes, before anything is trained."""

import pandas as pd

from replication.networks.counting import parameters
from replication.plan.plan import Plan


def list_runs(plan: Plan) -> pd.DataFrame:
    """One line per run: its recipe, and its network's parameters in millions.

    The corpus is not read: the character CNN is counted with the characters of Penn Treebank.
    """
    recipes = {run: plan.recipe(run) for run in plan.runs.values()}
    return pd.DataFrame(
        {
            "run": run.id,
            "generation": run.generation,
            "parameters (M)": parameters(plan, run) / 1e6,
            "share_ends": run.share_ends,
            "precision": recipe["precision"],
            **recipe.get("training", {}),
            **recipe["network"]["options"],
            **recipe.get("decisions", {}),
        }
        for run, recipe in recipes.items()
    )
