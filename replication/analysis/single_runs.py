"""What the paper's single runs can tell by themselves, from a treatment that it prints twice."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from replication.analysis.hypothesis_tests import LEVEL
from replication.config.claim_specs import Region
from replication.config.paper_claims import Claims

NOT_APPLICABLE = "not applicable"
SINGLE_RUN_VERDICTS = ("supports", "speaks against", "too small to tell", NOT_APPLICABLE)


def spread_of_replicates(replicates: Sequence[tuple[float, float]]) -> float:
    """Pooled standard deviation from k pairs of runs of one treatment: sqrt(Σ d² / 2k), k d.o.f."""
    return float(np.sqrt(np.mean([(one - other) ** 2 for one, other in replicates]) / 2))


def chance_of_single_runs(
    replicates: Sequence[tuple[float, float]], weights: Sequence[float]
) -> float:
    """What a weighted sum of single runs reaches by chance: the 95 % bound t · s · sqrt(Σ w²).

    `weights` has one weight for each run: +1 and −1 for the difference of two.
    """
    t = float(stats.t.ppf(1 - LEVEL / 2, len(replicates)))
    return t * spread_of_replicates(replicates) * float(np.linalg.norm(weights))


def single_run_verdict(difference: float, region: Region, chance: float) -> str:
    """What a difference of single runs says about a claim, given what it reaches by chance."""
    depth = min(region.depths(difference))
    if abs(depth) <= chance:
        return "too small to tell"
    return "supports" if depth > 0 else "speaks against"


def paper_alone(claims: Claims, name: str) -> str:
    """What the paper's own runs say about a claim, one of `SINGLE_RUN_VERDICTS`.

    Their spread is known only on the data set of the replicates; the verdict does not apply to
    claims on other data, or without printed numbers.
    """
    claim = claims.file.claims[name]
    contrast, difference = claim.contrast(), claims.reported_difference(name)
    if claims.datasets(contrast) != [claims.replicates_dataset] or np.isnan(difference):
        return NOT_APPLICABLE
    region = claim.region(claims.margin(name) * claims.reported_level(name))
    chance = chance_of_single_runs(claims.replicate_pairs(), list(contrast.values()))
    return single_run_verdict(difference, region, chance)
