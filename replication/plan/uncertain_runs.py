"""Which runs depend on what a person has written beside the suite, and so are worth a check.

The networks and objectives of the paper's tables are tested, and need no check.
"""

from replication.architectures.catalogue import TIMM
from replication.config.custom_objectives import is_custom
from replication.config.recipes import ImageRecipe
from replication.plan.plan import Plan
from replication.plan.run import Run


def needs_check(plan: Plan, run: Run) -> bool:
    """Whether a run has an objective, a network, weights or an optimiser from outside the suite."""
    if run.weights or is_custom(run.objective) or run.network.startswith(f"{TIMM}:"):
        return True
    recipe = plan.training(run)
    return isinstance(recipe, ImageRecipe) and not recipe.is_the_papers
