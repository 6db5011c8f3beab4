"""Writes again everything that follows from the csv files of results, without their runs.

After a change of the rules for claims, for example, tables, claims, criteria, pages, notebooks and
figures of published results are renewed, although their runs are gone.
"""

from collections.abc import Sequence
from pathlib import Path

from replication import files
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.publication.crate import describe_crate
from replication.publication.execute_notebooks import execute_notebooks
from replication.report.derived_files import DERIVATIONS
from replication.report.first_pages import PAGE
from replication.results.csv_files import csv_path, read_runs
from replication.verify.check_publication import CRATE, check_files
from replication.verify.findings import Findings
from replication.verify.verification import read_plan

DERIVED_PLACES = ("tables/", "figures/", "notebooks/", "claims", "criteria", PAGE)
"""Prefixes of the names of files that can be derived; all others were measured."""


def derive(results: Path, tables: Path = TABLES, notebooks: bool = True) -> list[Path]:
    """Write the derived files of a folder again, and the RO-Crate of a publication.

    With ``notebooks``, those whose frames are there are executed, which renews the figures.
    Returns the files that have other bytes than before.

    Raises:
        InputError: a csv file is missing or damaged, ``tables`` are wrong, a notebook has failed,
            or a file of a publication that was measured is not the one that its crate lists.
    """
    if not csv_path(results, "runs").is_file() or not csv_path(results, "cells").is_file():
        raise InputError(
            f"{results}: lacks cells.csv or runs.csv to derive from; name a folder such as"
            " results/digits or published/digits"
        )
    plan = read_plan(results, tables, (), Findings())
    published = (results / CRATE).is_file()
    if published:
        _check_measured_files(results)
    before = _checksums(results)
    write_derived_files(plan, tables, notebooks)
    if published:
        remove_second_renderings(results)
        write_crate(plan)
    after = _checksums(results)
    return [results / name for name in sorted(after) if after[name] != before.get(name)]


def write_derived_files(plan: Plan, tables: Path, notebooks: bool) -> None:
    """Write the derived files of a plan's results.

    Raises:
        InputError: as `derive`.
    """
    for texts_of in DERIVATIONS:
        for file, text in texts_of(plan, tables).items():
            files.write_text(file, text)
    if notebooks:
        execute_notebooks(plan)


def remove_second_renderings(publication: Path) -> None:
    """Remove the figures as PNG, which the notebooks draw as well: a publication has the SVG."""
    for file in (publication / "figures").glob("*.png"):
        files.remove(file)


def write_crate(plan: Plan) -> None:
    """Describe the folder of a publication as it is; raises InputError like `describe_crate`."""
    text = describe_crate(plan.results, plan, read_runs(plan.results))
    files.write_text(plan.results / CRATE, text)


def _check_measured_files(results: Path) -> None:
    """Check what was measured against the crate, which would otherwise be renewed with it."""
    findings = Findings()
    check_files(results, findings)
    wrong = [problem for problem in findings.problems if not _is_derived(problem, results)]
    if wrong:
        raise InputError(
            f"{wrong[0]}; nothing was derived, because the new checksums would hide this: restore"
            " the file, or remove it if it does not belong to the results"
        )


def _is_derived(problem: str, results: Path) -> bool:
    places: Sequence[str] = [f"{results / place}" for place in DERIVED_PLACES]
    return problem.startswith(tuple(places))


def _checksums(results: Path) -> dict[str, str]:
    """The checksums of the files of a folder, without the folders of its runs."""
    return {
        name: files.checksum(file)
        for file in results.rglob("*")
        if file.is_file() and not (name := file.relative_to(results).as_posix()).startswith("runs/")
    }
