"""Whether a run was trained on the data that are prepared now, by their fingerprints.

The fingerprint of data is not part of a recipe, because a plan is made before data are prepared.
The description that preparing them leaves beside the results has it, as every run's record has.
"""

import json
from collections.abc import Mapping
from typing import Any

from replication.config.datasets import AnyDataset, prepared_description
from replication.files import JSON_ERRORS
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_folder import RECORD


def described_fingerprint(plan: Plan, dataset: str) -> str | None:
    """The fingerprint of the data set of this name that was prepared for the results.

    None where there is no description beside the results, or a damaged one.
    """
    try:
        fingerprint = json.loads(plan.prepared_data_file(dataset).read_bytes())["sha256"]
    except JSON_ERRORS:
        return None
    return fingerprint if isinstance(fingerprint, str) else None


def is_lost(plan: Plan, dataset: AnyDataset) -> bool:
    """Whether data were prepared for these results, but are gone or have been replaced."""
    described = described_fingerprint(plan, dataset.name)
    prepared = prepared_description(dataset, plan.scale.evaluate_on, plan.scale.data_root)
    return described is not None and (prepared is None or prepared.sha256 != described)


def runs_on_other_data(plan: Plan, dataset: str, fingerprint: str) -> list[Run]:
    """The finished runs on the data set of this name that were trained on data other than these."""
    stale = []
    for run in plan.runs.values():
        if run.dataset.name != dataset:
            continue
        try:
            record = json.loads((plan.folder(run) / RECORD).read_bytes())
            trained_on = record["dataset"]["sha256"]
        except JSON_ERRORS:
            continue
        if trained_on != fingerprint:
            stale.append(run)
    return stale


def data_problem(plan: Plan, run: Run, record: Mapping[str, Any]) -> str | None:
    """Why a finished run is stale: its data are not those that are prepared now.

    None where they are, or where nothing says what is prepared, as with results from elsewhere.
    """
    prepared = described_fingerprint(plan, run.dataset.name)
    try:
        trained_on = record["dataset"]["sha256"]
    except (LookupError, TypeError):
        return None
    if prepared in (None, trained_on):
        return None
    return (
        f"{plan.folder(run)}: trained on data other than those that"
        f" {plan.prepared_data_file(run.dataset.name)} describes; restore the data, or delete its"
        f" {RECORD} and run snakemake again, which retrains it"
    )
