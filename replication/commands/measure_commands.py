"""The commands that turn finished runs into numbers, tables, verdicts and criteria."""

from typing import Annotated

import typer

from replication.commands.options import ConfigFiles, ResultsRoot, read_plan_of
from replication.errors import InputError
from replication.plan.plan import RESULTS, SCALE_FILE
from replication.plan.selection import full_table_name
from replication.wording import counted


def table(
    names: Annotated[list[str], typer.Argument(help="Tables of the paper, such as 2 or table2.")],
    configfile: ConfigFiles = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Succeed even if some cells stay empty.")
    ] = False,
    results: ResultsRoot = RESULTS,
) -> None:
    """Measure the cells of tables and write them as csv, Markdown, HTML and LaTeX.

    A cell whose runs are not all finished stays empty, and the text below the table says why.
    """
    plan = read_plan_of(configfile, results)
    names = [full_table_name(name) for name in names]
    for name in names:
        plan.table_cells(name)
    from replication.report.table_files import build_tables

    empty_cells = sum(build_tables(plan, names).values())
    if empty_cells and not allow_missing:
        raise InputError(
            f"{counted(empty_cells, 'cell')} left empty for the reasons above; fix them and run the"
            " command again, or accept them with --allow-missing"
        )


def scale(configfile: ConfigFiles = None, results: ResultsRoot = RESULTS) -> None:
    """Write scale.json, which records the scale that the results beside it were planned with."""
    plan = read_plan_of(configfile, results)
    from replication.results.scale_file import write_scale

    write_scale(plan)
    print(plan.results / SCALE_FILE)


def collect(configfile: ConfigFiles = None, results: ResultsRoot = RESULTS) -> None:
    """Collect the measured cells of all tables in cells.csv, and their runs in runs.csv."""
    from replication.analysis.collect import collect as collect_tables

    plan = read_plan_of(configfile, results)
    collect_tables(plan)
    print(plan.results / "cells.csv")


def quality(configfile: ConfigFiles = None, results: ResultsRoot = RESULTS) -> None:
    """Measure likelihood, calibration and agreement with the teacher in the image cells."""
    from replication.report.quality_table import build_quality

    plan = read_plan_of(configfile, results)
    build_quality(plan)
    print(plan.results / "tables" / "quality.md")


def frames(configfile: ConfigFiles = None, results: ResultsRoot = RESULTS) -> None:
    """Average over the seeds what the dark-knowledge figures show of the runs of Table 2."""
    plan = read_plan_of(configfile, results)
    from replication.analysis.frames import build_frames

    build_frames(plan)
    print(plan.results / "frames")


def claims(configfile: ConfigFiles = None, results: ResultsRoot = RESULTS) -> None:
    """Decide the paper's claims from cells.csv and quality.csv.gz, and write claims.csv."""
    plan = read_plan_of(configfile, results)
    from replication.analysis.claims import build_claims

    build_claims(plan)
    print(plan.results / "claims.csv")


def claim(
    name: Annotated[str, typer.Argument(help="The claim, as claims.csv names it: ban-all.")],
    configfile: ConfigFiles = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="Print only the names of its runs, teachers first.")
    ] = False,
    results: ResultsRoot = RESULTS,
) -> None:
    """Decide one claim from the runs that it is measured on, without the rest of the scale.

    The other primary claims count as not measured in the correction of its p-values, so the verdict
    can be more cautious than that of the whole scale. The difference is the same.
    """
    from replication.plan.claim_part import part_of_claim

    part = part_of_claim(read_plan_of(configfile, results), name)
    if runs:
        print("\n".join(part.runs))
        return
    from replication.analysis.single_claim import decide_claim
    from replication.report.outcome import describe_claim

    print(describe_claim(decide_claim(part, name)))


def criteria(
    configfile: ConfigFiles = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write criteria.csv and criteria.html as well.")
    ] = False,
    results: ResultsRoot = RESULTS,
) -> None:
    """Check whether a scale is a fair test of the paper.

    The sizes of the networks are known before any run; errors and divergences are those of the runs
    that are finished, even in the middle of a sweep.
    """
    plan = read_plan_of(configfile, results)
    from replication.analysis.criteria import measure_criteria
    from replication.report.criteria_page import render_criteria, write_criteria
    from replication.sweep.overview import console

    measured = measure_criteria(plan)
    if write:
        write_criteria(plan, measured)
    console().print(render_criteria(measured))
