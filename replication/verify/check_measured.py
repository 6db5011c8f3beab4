"""Checks cells, runs and quality against the folders of the runs that they were measured from."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from replication.analysis.collect import MeasuredTable, measure_table
from replication.analysis.frames import frame_files
from replication.analysis.quality import SIX_DIGITS, measure_quality
from replication.plan.plan import Plan
from replication.results.correctness import CORRECT, Correctness, read_correctness
from replication.results.csv_files import (
    BUILD,
    EMPTY_IS_MISSING,
    csv_path,
    csv_text,
    read_cells,
    read_csv,
)
from replication.results.schema import CSV_FILES
from replication.verify.compare_frames import compare_csv, compare_lines
from replication.verify.findings import Findings

UNMEASURED = "has a line, but its folder has no run as the scale plans it"
"""What is wrong with a line of ``runs.csv`` whose run is missing, damaged, or of another recipe."""


def check_measured(plan: Plan, findings: Findings) -> None:
    """Measure cells, runs and quality again, and compare every file of them.

    Raises:
        InputError: ``cells.csv`` is missing or damaged.
    """
    cells = read_cells(plan.results)
    findings.cells = len(cells)
    file = csv_path(plan.results, "cells")
    findings.problems += [
        f"{file}: {name}: not a table of this scale"
        for name in sorted(set(cells["table"]) - set(plan.tables))
    ]
    measured = {name: measure_table(plan, name) for name in plan.tables}
    for name, table in measured.items():
        with findings.noting():
            _check_cells(plan, name, cells[cells["table"] == name], table, findings)
    findings.mark(Path("cells.csv"), "recomputed")
    with findings.noting():
        runs = pd.concat([table.runs for table in measured.values()]).drop_duplicates("run")
        unmeasured = dict.fromkeys(plan.runs.keys() - {*runs["run"]}, UNMEASURED)
        compare_csv(csv_path(plan.results, "runs"), CSV_FILES["runs"], runs, findings, unmeasured)
        findings.mark(Path("runs.csv"), "recomputed")
    _check_quality(plan, findings)
    _check_frames(plan, findings)


def _check_cells(
    plan: Plan, name: str, cells: pd.DataFrame, measured: MeasuredTable, findings: Findings
) -> None:
    """Compare the lines of one table in ``cells.csv``, and the table's own files of them."""
    reasons = {f"{name}, {row}, {col}": reason for (row, col), reason in measured.reasons.items()}
    file = csv_path(plan.results, "cells")
    compare_lines(file, cells, CSV_FILES["cells"], measured.cells, findings, reasons)
    part = csv_path(plan.results, "table_cells", name)
    if part.exists():
        findings.mark(part.relative_to(plan.results), "recomputed")
        table_lines = read_csv(part, dtype=dict.fromkeys(["table", "row", "column", "run"], str))
        if table_lines.to_csv(index=False) != cells.to_csv(index=False):
            findings.problems.append(f"{part}: differs from the lines of that table in cells.csv")
    part = csv_path(plan.results, "table_runs", name)
    if part.exists():
        findings.mark(part.relative_to(plan.results), "recomputed")
        unmeasured = dict.fromkeys(plan.needed(name).keys() - {*measured.runs["run"]}, UNMEASURED)
        compare_csv(part, CSV_FILES["table_runs"], measured.runs, findings, unmeasured)


def _check_quality(plan: Plan, findings: Findings) -> None:
    """Measure the quality of the cells of ``cells.csv`` again and compare every file of it."""
    quality = csv_path(plan.results, "quality")
    if not quality.exists():
        findings.remarks.append(f"{quality}: no such file")
        return
    with findings.noting(f"{quality}: "):
        measured = measure_quality(plan)
        rounded = StringIO(csv_text("reliability", measured.reliability, SIX_DIGITS))
        frames = {
            "quality": measured.quality,
            "reliability": pd.read_csv(rounded, **EMPTY_IS_MISSING),
        }
        for name, frame in frames.items():
            with findings.noting():
                file = csv_path(plan.results, name)
                compare_csv(file, CSV_FILES[name], frame, findings)
                findings.mark(file.relative_to(plan.results), "recomputed")
        with findings.noting():
            stored = read_correctness(plan.results, BUILD)
            _compare_correctness(plan.results / CORRECT, stored, measured.correctness, findings)
            findings.mark(Path(CORRECT), "recomputed")


def _compare_correctness(
    file: Path, stored: Correctness, expected: Correctness, findings: Findings
) -> None:
    names: Mapping[tuple[str, str, str, int], str] = {
        key: ", ".join(map(str, key)) for key in (*expected, *stored)
    }
    for key, name in names.items():
        if key not in stored:
            findings.problems.append(f"{file}: {name}: is missing, although its runs exist")
        elif key not in expected:
            findings.problems.append(f"{file}: {name}: the scale has no such cell")
        elif not np.array_equal(stored[key], expected[key]):
            findings.problems.append(f"{file}: {name}: is not what follows from its predictions")


def _check_frames(plan: Plan, findings: Findings) -> None:
    """Average again over the seeds what the figures show, and compare."""
    if not (plan.results / "frames").exists():
        return
    with findings.noting():
        for file, text in frame_files(plan.results).items():
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                findings.problems.append(f"{file}: does not show what follows from its runs")
            findings.mark(file.relative_to(plan.results), "recomputed")
