"""Checks whether a scale's results follow from each other, whoever made them.

It needs only the files of ``results/<scale>``: no scale file and no training data. `runs` checks
the run folders, `cells` the numbers of ``cells.csv`` against the predictions of their runs,
`tables` the tables and claims against ``cells.csv``. The paper's numbers and the claims are checked
only if ``tables/`` is available.
"""

from collections import Counter
from pathlib import Path

from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.verify.cells import check_cells
from replication.verify.findings import Findings, Records, nested
from replication.verify.runs import check_runs
from replication.verify.tables import check_claims, check_tables

UNIFORM = {
    "precision": ("precision",),
    "device": ("device",),
    "threads": ("threads",),
    "torch": ("versions", "torch"),
    "commit of the code": ("code", "commit"),
}


def verify(results: Path, tables: Path = TABLES) -> Findings:
    """Check a folder ``results/<scale>``, and compare it with ``tables`` if that folder exists.

    Raises:
        InputError: it is not a folder of results, or ``tables`` are wrong.
    """
    if not (results / "runs").is_dir():
        raise InputError(f"{results}: no results: it has no folder runs; name another folder")
    found = Findings()
    records = check_runs(results / "runs", found)
    _remark_on_differences(records, found)
    if (results / "cells.csv").exists():
        cells, values = check_cells(results, records, found)
        check_tables(results, tables, cells, values, records, found)
        check_claims(results, tables, cells, found)
    else:
        found.remarks.append(f"{results / 'cells.csv'}: no such file, so no table was checked")
    return found


def _remark_on_differences(records: Records, found: Findings) -> None:
    for what, keys in UNIFORM.items():
        count = Counter(str(nested(record, *keys)) for record in records.values())
        if len(count) > 1:
            parts = ", ".join(f"{n} with {value}" for value, n in count.items())
            found.remarks.append(f"runs differ in {what}: {parts}")
    dirty = sum(bool(nested(record, "code", "dirty")) for record in records.values())
    if dirty:
        found.remarks.append(f"{dirty} runs were trained with uncommitted code")
