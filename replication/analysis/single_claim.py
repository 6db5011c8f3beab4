"""Decides one claim from the folders of its runs alone."""

from pathlib import Path
from typing import Any

import pandas as pd

from replication.analysis.claims import decide_claims
from replication.analysis.collect import measure_table
from replication.analysis.tested_data import describe_data_sets
from replication.config.paper_claims import read_claims
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.plan.plan import Plan


def decide_claim(part: Plan, name: str, tables: Path = TABLES) -> dict[str, Any]:
    """Decide a claim on the part of a plan that `plan.claim_part` selects for it.

    Returns:
        The line of the claim in ``claims.csv``. The other claims count as not measured.

    Raises:
        InputError: a run is missing or damaged, or ``claims.yaml`` is wrong.
    """
    measured = [measure_table(part, table) for table in part.tables]
    for table in measured:
        for (row, column), reason in table.reasons.items():
            raise InputError(f"{name}: the cell {row}, {column} cannot be measured: {reason}")
    cells = pd.concat([table.cells for table in measured], ignore_index=True)
    runs = pd.concat([table.runs for table in measured], ignore_index=True).drop_duplicates("run")
    verdicts, _ = decide_claims(
        read_claims(tables, part.scale.study),
        cells,
        runs.set_index("run", drop=False),
        exceptions=part.scale.exceptions,
        data_sets=describe_data_sets(part.scale),
    )
    (line,) = verdicts[verdicts["claim"] == name].to_dict("records")
    return {str(column): value for column, value in line.items()}
