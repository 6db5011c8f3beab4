"""Exports a finished, verified folder ``results/<scale>`` to ``published/<scale>``.

It has the same files without weights, predictions and histories: the csv files with a line per run,
tables, figures as SVG, executed notebooks, the workflow, and an RO-Crate with the checksum of each
file.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from replication import files
from replication.config.paper_tables import TABLES
from replication.config.scale import OWN_SCALES
from replication.errors import InputError
from replication.files import JSON_ERRORS
from replication.plan.plan import PUBLISHED, SCALE_FILE, Plan
from replication.publication.clean_notebooks import clean_notebook
from replication.publication.derive import write_crate
from replication.publication.study_files import write_study
from replication.report.first_pages import PAGE, describe_in_markdown
from replication.report.notebook_catalogue import shown_notebooks
from replication.results.correctness import CORRECT
from replication.verify.check_publication import CRATE
from replication.verify.findings import Findings
from replication.verify.verification import read_plan, verify
from replication.wording import counted

MEASURED_FILES = [
    *(SCALE_FILE, "runs.csv", "cells.csv"),
    *("quality.csv.gz", "reliability.csv.gz", CORRECT),
]
CLAIMS_FILES = ["claims.csv", "claims_power.csv", "claims_items.csv"]
CRITERIA_FILES = ["criteria.csv", "criteria.html"]


def publish(
    results: Path, to: Path | None = None, tables: Path = TABLES, deep: float = 0
) -> tuple[Path, Findings]:
    """Publish results in the folder ``to``, which is replaced; returns it with what was checked.

    ``deep`` is the share of runs whose networks are run again first.

    Raises:
        InputError: the results have inconsistencies or are not finished, a source is missing, or
            the folder ``to`` holds something else.
    """
    if to is not None:
        _check_can_be_replaced(to)
    _refuse(results, verify(results, tables, deep=deep))
    plan = read_plan(results, tables, (), Findings())
    if to is None:
        to = PUBLISHED / plan.scale.scale
        _check_is_not_anothers(to, plan)
    return to, write_publication(results, to, tables, lambda part: _write(part, plan))


def _check_is_not_anothers(to: Path, plan: Plan) -> None:
    """Check that a publication of the same name, which would be replaced, is of the same study.

    Raises:
        InputError: it is of the suite's own scale or of another study.
    """
    try:
        published = json.loads((to / SCALE_FILE).read_text(encoding="utf-8"))["folder"]
    except JSON_ERRORS:
        return
    folders = [folder or str(OWN_SCALES) for folder in (published, plan.scale.folder)]
    if folders[0] != folders[1]:
        raise InputError(
            f"{to}: is a publication of another scale of this name, from the folder"
            f" {folders[0]} and not {folders[1]}; rename the scale, or name a folder with --to"
        )


def _check_can_be_replaced(to: Path) -> None:
    if not to.exists() or (to / CRATE).is_file():
        return
    if not to.is_dir() or any(to.iterdir()):
        raise InputError(
            f"{to}: is neither an empty folder nor a publication, which would have {CRATE}, so it"
            " is not replaced; name another folder with --to"
        )


def write_publication(
    source: Path, to: Path, tables: Path, write: Callable[[Path], None]
) -> Findings:
    """Write a publication beside ``to``, verify it, and put it there; returns what was checked.

    ``write`` is called with the folder to fill. ``source`` is named where something is wrong.

    Raises:
        InputError: ``to`` holds something other than a publication, what was written has
            inconsistencies, or it cannot be written.
    """
    _check_can_be_replaced(to)
    part = to.with_name(f".{to.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        write(part)
        findings = verify(part, tables)
        _refuse(source, findings)
        if to.exists():
            shutil.rmtree(to)
        part.rename(to)
    except OSError as error:
        raise InputError(
            f"{to}: cannot be written ({error.strerror}); free disk space or give write permission"
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return findings


def copy_files(sources: Mapping[str, Path], part: Path) -> None:
    """Copy files to their names in a folder.

    Raises:
        InputError: one of them does not exist.
    """
    for name, source in sources.items():
        if not source.is_file():
            raise InputError(
                f"{source}: no such file; run snakemake for the whole scale, and this command from"
                " the root of the repository"
            )
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, part / name)


def _refuse(results: Path, findings: Findings) -> None:
    """Raise InputError with the number of problems and the first of them, if there are any."""
    if findings.problems:
        raise InputError(
            f"{results}: not published, because of"
            f" {counted(len(findings.problems), 'inconsistency', 'inconsistencies')}; the first:"
            f" {findings.problems[0]}"
        )


def _write(part: Path, plan: Plan) -> None:
    """Write every file; raises InputError if a source is missing or damaged."""
    copy_files(sources(plan), part)
    write_study(plan, part)
    for name in shown_notebooks(plan.tables):
        file = f"notebooks/{name}.ipynb"
        files.write_text(part / file, clean_notebook(plan.results / file, plan.scale.scale))
    files.write_text(part / PAGE, describe_in_markdown(plan))
    write_crate(replace(plan, results=part))


def sources(plan: Plan) -> dict[str, Path]:
    """The files that are copied as they are, by their names in the publication."""
    tables = [*plan.tables, "quality"]
    shown = shown_notebooks(plan.tables).values()
    figures = [figure for spec in shown for figure in spec.figures]
    names = [
        *(*MEASURED_FILES, *CLAIMS_FILES, *CRITERIA_FILES),
        *(f"tables/{name}.{ending}" for name in tables for ending in ("csv", "md", "html", "tex")),
        *(f"figures/{name}.svg" for name in figures),
        *(f"frames/{name}.csv" for spec in shown for name in spec.frames),
    ]
    return {name: plan.results / name for name in names} | workflow_files()


def workflow_files() -> dict[str, Path]:
    """The files of the workflow in the current directory, by their names in a publication."""
    workflow = [Path("Snakefile"), *sorted(Path("rules").glob("*.smk"))]
    return {f"workflow/{file}": file for file in workflow}
