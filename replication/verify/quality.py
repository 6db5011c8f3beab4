"""Checks that likelihood, calibration and agreement, and frames, follow from the runs."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pandas as pd

from replication.analysis.cells_csv import CELL, KEY, read_csv
from replication.analysis.frames import frame_files
from replication.plan.plan import Plan
from replication.report.quality import quality_files
from replication.verify.findings import Findings
from replication.verify.tables import NAMES, compare

KEYS = {
    "quality.csv": [*KEY, "metric"],
    "reliability.csv": [*KEY, "bin"],
    "tables/quality.csv": [*CELL, "metric"],
}


def check_quality(plan: Plan, found: Findings) -> None:
    """Measure the quality of the cells of ``cells.csv`` again and compare every file of it."""
    quality = plan.results / "quality.csv"
    if not quality.exists():
        found.remarks.append(f"{quality}: no such file")
        return
    with found.noting(f"{quality}: "):
        compare_files(plan, quality_files(plan), found)


def compare_files(plan: Plan, texts: Mapping[Path, str], found: Findings) -> None:
    """Compare files about quality with the texts that they have to have."""
    for file, text in texts.items():
        if key := KEYS.get(file.relative_to(plan.results).as_posix()):
            with found.noting():
                own, expected = read_csv(file, dtype=NAMES), pd.read_csv(StringIO(text))
                compare(file, own, expected, key, [], found)
        elif file.exists() and file.read_text(encoding="utf-8") != text:
            found.problems.append(f"{file}: does not show what its runs give")


def check_frames(plan: Plan, found: Findings) -> None:
    """Average again over the seeds what the figures draw, and compare."""
    if not (plan.results / "frames").exists():
        return
    with found.noting():
        for file, text in frame_files(plan.results).items():
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                found.problems.append(f"{file}: does not show what its runs give")
