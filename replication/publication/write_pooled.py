"""Writes the pooled results of several folders as a publication."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from replication.analysis.quality import SIX_DIGITS
from replication.config.paper_tables import TABLES
from replication.files import write_text
from replication.plan.plan import PUBLISHED
from replication.publication.derive import (
    remove_second_renderings,
    write_crate,
    write_derived_files,
)
from replication.publication.pool import Pooled, pool
from replication.publication.publish import copy_files, workflow_files, write_publication
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
        yield from _copy_frame([file for file in files if file.is_file()], csv_path(part, name))
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
    copy_files(workflow_files(), part)


def _copy_frame(files: Sequence[Path], copy: Path) -> Iterator[str]:
    """Write the lines of each row of a table as the first file has them; notes on their origin.

    Lines that belong to no row are those of the first file that has any.
    """
    taken: set[str] = set()
    parts = []
    for file in files:
        lines = pd.read_csv(file, dtype=str, keep_default_na=False)
        rows = lines["row"] if "row" in lines else pd.Series("", index=lines.index)
        new_lines = lines[~rows.isin(taken)]
        if len(new_lines):
            parts.append(new_lines)
            which = ", ".join(rows[new_lines.index].unique())
            shown = f"{copy.parent.name}/{copy.name}" + (f", {which}" if which else "")
            yield f"{shown}: copied from {file}, with the seeds that it has there"
        taken |= set(rows)
    if files:
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = pd.concat(parts).to_csv(index=False) if parts else files[0].read_text("utf-8")
        write_text(copy, text)
