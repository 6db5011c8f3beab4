"""Checks the files that follow from the csv files: tables, claims, criteria and pages.

They are derived again by the functions that wrote them, and compared.
"""

from io import StringIO
from pathlib import Path

import pandas as pd

from replication.analysis.table_statistics import missing_cells
from replication.plan.plan import Plan
from replication.report.derived_files import DERIVATIONS
from replication.results.csv_files import EMPTY_IS_MISSING, csv_path, read_cells
from replication.results.schema import CSV_FILES, CsvFile
from replication.verify.compare_frames import compare_csv
from replication.verify.findings import Findings


def check_derived(plan: Plan, tables: Path, findings: Findings) -> None:
    """Derive again every file that follows from the csv files, and compare those that exist.

    Raises:
        InputError: ``cells.csv`` is missing or damaged.
    """
    incomplete = _incomplete_tables(plan, findings)
    for derive in DERIVATIONS:
        with findings.noting():
            for file, text in derive(plan, tables).items():
                if not file.exists():
                    continue
                if file.suffix == ".csv":
                    with findings.noting():
                        expected = pd.read_csv(StringIO(text), dtype=str, **EMPTY_IS_MISSING)
                        compare_csv(file, _description(plan, file), expected, findings)
                elif file.stem in incomplete:
                    # The reasons for empty cells are those of the runs, and name their folders.
                    continue
                elif file.read_bytes() != text.encode():
                    findings.problems.append(
                        f"{file}: does not show what follows from its csv files"
                    )
                findings.mark(file.relative_to(plan.results), "recomputed")


def _incomplete_tables(plan: Plan, findings: Findings) -> set[str]:
    """The tables with cells that are not measured; remarks on them and on missing tables."""
    cells, incomplete = read_cells(plan.results), set()
    for name in plan.tables:
        file = csv_path(plan.results, "table", name)
        if not file.exists():
            findings.remarks.append(f"{file}: no such file, but cells.csv has its cells")
            continue
        findings.tables += 1
        if missing := missing_cells(plan, name, cells):
            incomplete.add(name)
            findings.remarks.append(
                f"{file}: {len(missing)} empty cells, for the reasons below the table"
            )
    return incomplete


def _description(plan: Plan, file: Path) -> CsvFile:
    """The schema of a derived csv file."""
    name = file.relative_to(plan.results).as_posix()
    exact = (entry for entry in CSV_FILES.values() if entry.path == name)
    return next(exact, CSV_FILES["table"])
