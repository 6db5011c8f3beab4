"""What the seeds show about a claim, before any correction of its p-values."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replication.analysis.contrasts import CellValues
from replication.analysis.hypothesis_tests import (
    QUESTIONS,
    ClaimTests,
    bound_tests,
    direction_tests,
    region_of,
)
from replication.analysis.statistics import Array, Summary, summarise_strata
from replication.config.claim_specs import CellKey, ClaimSpec
from replication.config.paper_claims import Claims

NO_TESTS = ClaimTests(np.full(len(QUESTIONS), np.nan), np.array(False))


@dataclass(frozen=True)
class ClaimMeasurement:
    """The numbers of one claim at one scale; NaN where there are none.

    Differences are left minus right, in points of error, in perplexity or in the unit of the
    metric; ``level`` is the mean of the right side, and ``margin`` the smallest effect of interest
    in the same unit.
    """

    excepted: list[str]
    """Networks whose relative size differs from the paper's, with the stated reason."""
    missing: list[CellKey]
    """Cells without a value at any seed."""
    seeds: int = 0
    strata: int = 0
    reference: str = ""
    """How many label-trained runs each reference has at every seed."""
    level: float = np.nan
    margin: float = np.nan
    difference: float = np.nan
    std: float = np.nan
    low: float = np.nan
    high: float = np.nan
    paired_difference: float = np.nan
    """The difference with each student's own teacher as reference."""
    printed_effect: float = np.nan
    """The paper's effect in proportion to ``level``, as left minus right."""
    tests: ClaimTests = NO_TESTS

    @property
    def measured(self) -> bool:
        """Whether at least one seed has all the cells."""
        return self.seeds > 0

    @property
    def tested(self) -> bool:
        """Whether there is a test: at least two seeds, not all with the same difference."""
        return bool(np.isfinite(self.tests.p_values[0]))

    @property
    def fractions(self) -> tuple[float, float, float]:
        """The effect as a fraction of the paper's, with the ends of its 95 % interval."""
        values = np.array([self.difference, self.low, self.high]) / self.printed_effect
        return float(values[0]), *np.sort(values[1:]).tolist()


def measure_claim(
    name: str, claims: Claims, cells: CellValues, exceptions: Mapping[str, str]
) -> ClaimMeasurement:
    """Measure a claim on the values of its cells.

    Args:
        name: the claim's name.
        claims: all claims, with the numbers that the paper prints.
        cells: error or perplexity by cell and seed, or the claim's metric.
        exceptions: networks that no claim is tested on, with the reason.
    """
    claim = claims.file.claims[name]
    contrast, right = claim.contrast(), claim.right.weights()
    compared = [*dict.fromkeys((*contrast, *right))]
    missing = cells.missing(compared)
    excepted = [
        f"{network}: {exceptions[network]}"
        for network in sorted(claims.networks(compared) & {*exceptions})
    ]
    if missing or excepted or not cells.common_seeds(compared).any():
        return ClaimMeasurement(excepted, missing)
    strata = cells.strata(contrast)
    values = cells.combine(strata, compared)
    level = float(cells.combine([right], compared).mean())
    summary, tests = assess_claim(claim, values, level, claims.margin(name))
    sizes = cells.reference_sizes(compared)
    return ClaimMeasurement(
        excepted,
        missing,
        seeds=values.shape[1],
        strata=len(strata),
        reference="; ".join(f"{network}: {size}" for network, size in sizes.items()),
        level=level,
        margin=claims.margin(name) * level,
        difference=float(summary.mean),
        std=float(summary.std),
        low=float(summary.low),
        high=float(summary.high),
        paired_difference=float(cells.combine([contrast], compared, own_teacher=True).mean()),
        printed_effect=claim.direction * claims.reported_effect(name) * level or np.nan,
        tests=tests,
    )


def assess_claim(
    claim: ClaimSpec, values: Array, level: float | NDArray[np.float64], margin: float
) -> tuple[Summary[Array], ClaimTests]:
    """Summarise the differences of a claim, and test it.

    Args:
        claim: what is expected of the differences.
        values: differences of k strata and n seeds (…, k, n), left minus right.
        level: mean of the right side (…).
        margin: as a fraction of the level.

    Returns:
        The summary of the sum over the strata, and the tests, each of shape (…); the tests are NaN
        for one seed, and where all seeds show the same difference.
    """
    strata, n = values.shape[-2:]
    summary = summarise_strata(values)
    # Errors are counts of test items: equal differences do not mean that seeds do not vary.
    error = np.where(np.isfinite(summary.low), summary.std, np.nan) / np.sqrt(n)
    freedom, smallest = max(1, strata * (n - 1)), margin * np.asarray(level)
    if claim.direction:
        return summary, direction_tests(claim.direction * summary.mean, error, freedom, smallest)
    region = region_of(claim.region(1), smallest)
    return summary, bound_tests(summary.mean, error, freedom, region)
