"""Whether a run was trained on the data that are prepared now, by their fingerprints.

The fingerprint of data is no part of a recipe, because a plan is made before data are prepared. The
description that preparing them leaves beside the results has it, as every run's record has.
"""

import json
from collections.abc import Mapping
from typing import Any

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_folder import RECORD


def data_problem(plan: Plan, run: Run, record: Mapping[str, Any]) -> str | None:
    """Why a finished run is stale: its data are not those that are prepared now.

    None where they are, or where nothing says what is prepared, as with results from elsewhere.
    """
    file = plan.prepared_data_file(run.dataset.name)
    try:
        prepared = json.loads(file.read_bytes())["sha256"]
        trained_on = record["dataset"]["sha256"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    if prepared == trained_on:
        return None
    return (
        f"{plan.folder(run)}: trained on other data than {file} describes; restore the data, or"
        f" delete its {RECORD} and call snakemake again, which trains it anew"
    )
