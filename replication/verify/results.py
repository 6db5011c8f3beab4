"""Checks whether a scale's results follow from each other, whoever made them.

The cells and runs that there have to be are planned from ``tables/`` and from the scale: the one
that the caller names, or ``scale.json`` beside the results. `runs` checks the run folders, `tables`
the numbers of ``cells.csv``, tables and claims against the predictions of the runs, and
`recompute` the predictions against weights and data. `publication` checks published results, which
have no runs.
"""

from collections.abc import Sequence
from pathlib import Path

from replication.analysis import runs_csv
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.verify.findings import Findings, remark_on_differences
from replication.verify.plan import read_plan
from replication.verify.publication import check_publication
from replication.verify.quality import check_frames, check_quality
from replication.verify.recompute import check_predictions
from replication.verify.runs import check_runs
from replication.verify.tables import check_claims, check_tables


def verify(
    results: Path, tables: Path = TABLES, configfiles: Sequence[Path] = (), deep: float = 0
) -> Findings:
    """Check a folder ``results/<scale>`` or ``published/<scale>``.

    ``deep`` is the share of runs whose networks are run.

    Raises:
        InputError: it is not a folder of results, its scale is not known, or ``tables`` or a data
            set are missing or wrong; or published results should be checked with ``deep``.
    """
    if not (results / "runs").is_dir() and (results / runs_csv.FILE).exists():
        if deep:
            raise InputError(f"{results}: published results have no networks; leave out --deep")
        return check_publication(results, tables, configfiles)
    if not (results / "runs").is_dir():
        raise InputError(f"{results}: no results: it has no folder runs; name another folder")
    found = Findings()
    plan = read_plan(results, tables, configfiles, found)
    records = check_runs(plan, found)
    remark_on_differences(records, found)
    if (results / "cells.csv").exists():
        check_tables(plan, found)
        check_quality(plan, found)
        check_frames(plan, found)
        check_claims(plan, tables, found)
    else:
        found.remarks.append(f"{results / 'cells.csv'}: no such file, so no table was checked")
    if deep:
        check_predictions(plan, records, deep, found)
    return found
