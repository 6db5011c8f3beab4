"""Decides the claims of the paper, and writes verdicts, evidence and numbers as csv files.

A claim compares two sides, each a mean of cells. The difference is taken within a seed. The modules
`claim_measurement`, `claim_decision` and `claim_evidence` follow each other;
docs/reference/claims.md has the rules and their reasons.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from replication.analysis.claim_decision import ClaimDecision, decide_all
from replication.analysis.claim_evidence import describe_evidence
from replication.analysis.claim_measurement import ClaimMeasurement, measure_claim
from replication.analysis.contrasts import CellValues
from replication.analysis.hypothesis_tests import QUESTIONS
from replication.analysis.items import item_intervals
from replication.analysis.single_runs import paper_alone
from replication.analysis.tested_data import describe_data_sets, tested_on
from replication.config.paper_claims import Claims, read_claims
from replication.config.paper_tables import TABLES
from replication.plan.plan import Plan
from replication.results.correctness import CORRECT, read_correctness
from replication.results.csv_files import (
    BUILD,
    csv_path,
    read_cells,
    read_csv_file,
    read_runs,
    write_csv_file,
)
from replication.results.schema import CSV_FILES

CLAIM_FRAMES = ("claims", "claims_power")
"""The csv files that follow from ``cells.csv``, ``quality.csv.gz`` and ``runs.csv`` alone."""


def build_claims(plan: Plan, folder: Path = TABLES) -> pd.DataFrame:
    """Write the frames of `claims_of`, and ``claims_items.csv`` with intervals over test items.

    Returns:
        The frame of ``claims.csv``.

    Raises:
        InputError: ``cells.csv``, ``quality.csv.gz``, ``runs.csv`` or ``claims.yaml`` is missing or
            wrong.
    """
    frames = claims_of(plan, folder)
    items = items_of_claims(plan, folder)
    for name, frame in zip((*CLAIM_FRAMES, "claims_items"), (*frames, items), strict=True):
        write_csv_file(plan.results, name, frame)
    return frames[0]


def claims_of(plan: Plan, folder: Path = TABLES) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames of `decide_claims` for a scale; raises like `build_claims`.

    Without ``quality.csv.gz`` the claims on it are not measured.
    """
    has_quality = csv_path(plan.results, "quality").exists()
    return decide_claims(
        read_claims(folder, plan.scale.study),
        read_cells(plan.results),
        read_runs(plan.results),
        read_csv_file(plan.results, "quality") if has_quality else None,
        plan.scale.exceptions,
        describe_data_sets(plan.scale),
    )


def items_of_claims(plan: Plan, folder: Path = TABLES) -> pd.DataFrame:
    """The frame of ``claims_items.csv``, without numbers if there is no ``correct.safetensors``.

    Raises:
        InputError: that file is damaged, or ``claims.yaml`` is missing or wrong.
    """
    has_items = (plan.results / CORRECT).exists()
    correctness = read_correctness(plan.results, BUILD) if has_items else {}
    return item_intervals(plan.scale, read_claims(folder, plan.scale.study), correctness)


def decide_claims(
    claims: Claims,
    cells: pd.DataFrame,
    runs: pd.DataFrame,
    quality: pd.DataFrame | None = None,
    exceptions: Mapping[str, str] | None = None,
    data_sets: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decide every claim: a line per claim in each of two frames.

    Args:
        claims: the claims, with what the paper prints.
        cells: lines of ``cells.csv``.
        runs: ``runs.csv`` by run.
        quality: lines of ``quality.csv.gz``; without them the claims on it are not measured.
        exceptions: networks whose relative size differs from the paper's, with the reason; no claim
            is tested on them.
        data_sets: what stands in for each of the paper's data sets, in words.

    Returns:
        The frames of ``claims.csv`` and ``claims_power.csv``, whose columns `results.schema`
        describes.

    Raises:
        InputError: a run of the cells has no line in ``runs.csv``.
    """
    values: dict[str | None, CellValues] = {None: CellValues(cells, runs)}
    lines = cells.iloc[:0] if quality is None else quality
    for metric in {claim.metric for claim in claims.file.claims.values()} - {None}:
        values[metric] = CellValues(lines[lines["metric"] == metric], runs)
    measurements = {
        name: measure_claim(name, claims, values[claim.metric], exceptions or {})
        for name, claim in claims.file.claims.items()
    }
    decisions = decide_all(claims, measurements)
    verdicts, numbers = [], []
    for name, measurement in measurements.items():
        decision = decisions[name]
        verdicts.append(_verdict_line(claims, name, measurement, decision, data_sets or {}))
        numbers.append(_number_line(claims, name, measurement, decision))
    return (
        pd.DataFrame(verdicts, columns=CSV_FILES["claims"].names),
        pd.DataFrame(numbers, columns=CSV_FILES["claims_power"].names),
    )


def _verdict_line(
    claims: Claims,
    name: str,
    measurement: ClaimMeasurement,
    decision: ClaimDecision,
    data_sets: Mapping[str, str],
) -> dict[str, object]:
    """The line of a claim in ``claims.csv``."""
    claim = claims.file.claims[name]
    return {
        "claim": name,
        "section": claim.section,
        "title": claim.heading,
        "statement": claim.statement,
        "tested_on": tested_on(data_sets, claims.datasets(claim.contrast())),
        "verdict": decision.verdict,
        "size": decision.size,
        "reason": decision.reason,
        "seeds_to_decide": decision.seeds_to_decide,
        "evidence": describe_evidence(claims, name, measurement, decision),
        "source": claim.source,
        "family": claims.file.primary_of(name),
    }


def _number_line(
    claims: Claims, name: str, measurement: ClaimMeasurement, decision: ClaimDecision
) -> dict[str, object]:
    """The line of a claim in ``claims_power.csv``."""
    claim = claims.file.claims[name]
    fraction, fraction_low, fraction_high = measurement.fractions
    return {
        "claim": name,
        "family": claims.file.primary_of(name),
        "metric": claim.metric,
        "expect": claim.expect,
        "n": measurement.seeds,
        "strata": measurement.strata,
        "reference": measurement.reference,
        "difference": measurement.difference,
        "std": measurement.std,
        "ci_low": measurement.low,
        "ci_high": measurement.high,
        "paired_difference": measurement.paired_difference,
        "level": measurement.level,
        "smallest_effect": measurement.margin,
        **{
            f"p_{question}": p_value
            for question, p_value in zip(QUESTIONS, measurement.tests.p_values, strict=True)
        },
        **{
            f"p_{question}_corrected": p_value if measurement.tested else None
            for question, p_value in zip(QUESTIONS, decision.corrected, strict=True)
        },
        "reported_difference": claims.reported_difference(name),
        "reported_level": claims.reported_level(name),
        "fraction": fraction,
        "fraction_low": fraction_low,
        "fraction_high": fraction_high,
        "assumed_effect": decision.power.effect,
        "power": decision.power.alone,
        "power_corrected": decision.power.corrected,
        "seeds_needed": decision.power.seeds_alone,
        "seeds_needed_corrected": decision.power.seeds_corrected,
        "single_run_verdict": paper_alone(claims, name),
    }
