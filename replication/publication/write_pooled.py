"""Writes what several folders of results give together as a publication."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from replication.analysis.quality import SIX_DIGITS
from replication.config.paper_tables import TABLES
from replication.plan.plan import PUBLISHED
from replication.publication.derive import (
    remove_second_renderings,
    write_crate,
    write_derived_files,
)
from replication.publication.pool import Pooled, pool
from replication.publication.publish import workflow_files, write_publication
from replication.publication.study_files import write_study
from replication.report.notebook_catalogue import NOTEBOOK_FRAMES
from replication.results.correctness import write_correctness
from replication.results.csv_files import csv_path, read_csv_file, write_csv_file
from replication.results.scale_file import write_scale
from replication.verify.findings import Findings


def write_pool(
    folders: Sequence[Path],
    name: str,
    to: Path | None = None,
    prefer: Sequence[Path] = (),
    tables: Path = TABLES,
    notebooks: bool = True,
) -> tuple[Path, Findings, list[str]]:
    """Pool folders and publish the result in ``to``, without the folders of runs.

    With ``notebooks``, those whose frames are there are executed. Returns the folder, what was
    checked, and notes on what was taken from which folder.

    Raises:
        InputError: as `pool`, `derive` and `write_publication`.
    """
    pooled = pool(folders, name, prefer, tables)
    to = to or PUBLISHED / name
    notes = list(pooled.notes)

    def write(part: Path) -> None:
        plan = replace(pooled.plan, results=part)
        write_scale(plan)
        write_study(plan, part)
        for csv_name in ("runs", "cells", "quality"):
            write_csv_file(part, csv_name, getattr(pooled, csv_name))
        write_csv_file(part, "reliability", pooled.reliability, float_format=SIX_DIGITS)
        if pooled.correctness is not None:
            write_correctness(part, pooled.correctness)
        notes.extend(_copy_measured_files(pooled, part))
        write_derived_files(plan, tables, notebooks)
        remove_second_renderings(part)
        write_crate(plan)

    findings = write_publication(to, to, tables, write)
    return to, findings, notes


def _copy_measured_files(pooled: Pooled, part: Path) -> Iterator[str]:
    """Copy what is measured from histories and cannot be averaged again; notes on its origin.

    These are the frames of the figures of Table 2, and the divergences in ``criteria.csv``.
    """
    sources = list({id(source): source for source in pooled.chosen.values()}.values())
    for name in NOTEBOOK_FRAMES:
        files = [csv_path(source.folder, name) for source in sources]
        if file := next(filter(Path.is_file, files), None):
            copy = csv_path(part, name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            yield f"{copy.relative_to(part)}: copied from {file}, with the seeds that it has there"
    criteria = [
        read_csv_file(source.folder, "criteria")
        for source in sources
        if csv_path(source.folder, "criteria").is_file()
    ]
    if criteria:
        lines = pd.concat(criteria).sort_values(
            "divergence", key=lambda divergence: divergence.isna(), kind="stable"
        )
        write_csv_file(part, "criteria", lines.drop_duplicates(["dataset", "network"]))
    for name, file in workflow_files().items():
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, part / name)
