"""Exports a finished, verified folder ``results/<scale>`` to ``published/<scale>``.

No weights and no predictions: numbers, tables, figures, executed notebooks, and a line per run.
"""

import shutil
from pathlib import Path

from replication import files
from replication.analysis import runs_csv
from replication.analysis.claims import FILES as CLAIMS
from replication.analysis.runs_csv import collect_runs
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.plan.plan import PUBLISHED, SCALE_FILE, Plan
from replication.publication.crate import describe
from replication.publication.notebooks import clean_notebook
from replication.report.notebook_catalogue import NOTEBOOKS, Notebook
from replication.report.outcome import PAGE, describe_in_markdown
from replication.verify.crate import CRATE
from replication.verify.findings import Findings
from replication.verify.plan import read_plan
from replication.verify.publication import check_publication
from replication.verify.results import verify

FRAMES = ("cells.csv", "quality.csv", "reliability.csv", *CLAIMS, "claims_items.csv")
CRITERIA = ("criteria.csv", "criteria.html")


def publish(
    results: Path, to: Path | None = None, tables: Path = TABLES, deep: float = 0
) -> tuple[Path, Findings]:
    """Publish results in the folder ``to``, which is replaced; returns it with what was checked.

    ``deep`` is the share of runs whose networks are run again before.

    Raises:
        InputError: the results have inconsistencies or are not finished, a source is missing, or
            the folder ``to`` has something else.
    """
    _refuse(results, verify(results, tables, deep=deep))
    plan = read_plan(results, tables, (), Findings())
    to = to or PUBLISHED / plan.scale.scale
    if to.exists() and not (to / CRATE).is_file() and any(to.iterdir()):
        raise InputError(f"{to}: has no {CRATE}, so it is no publication; name a folder with --to")
    part = to.with_name(f".{to.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _write(part, plan)
        found = check_publication(part, tables)
        _refuse(results, found)
        if to.exists():
            shutil.rmtree(to)
        part.rename(to)
    except OSError as error:
        raise InputError(
            f"{to}: cannot be written ({error.strerror}); free disk space or give write permission"
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return to, found


def _refuse(results: Path, found: Findings) -> None:
    """Raise InputError with the number of problems and the first of them, if there are any."""
    if found.problems:
        raise InputError(
            f"{results}: not published, as it has {len(found.problems)} inconsistencies; the first:"
            f" {found.problems[0]}"
        )


def _write(part: Path, plan: Plan) -> None:
    """Write every file; raises InputError if a source is missing or damaged."""
    runs = collect_runs(plan)
    for name, source in sources(plan).items():
        if not source.is_file():
            raise InputError(
                f"{source}: no such file; call snakemake for the whole scale, from the root of the"
                " repository"
            )
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, part / name)
    for name in _notebooks(plan):
        file = f"notebooks/{name}.ipynb"
        files.write_text(part / file, clean_notebook(plan.results / file, plan.scale.scale))
    files.write_text(part / runs_csv.FILE, runs.to_csv(index=False))
    files.write_text(part / PAGE, describe_in_markdown(plan))
    files.write_text(part / CRATE, describe(part, plan, runs))


def sources(plan: Plan) -> dict[str, Path]:
    """The files that are copied as they are, by their names in the publication."""
    tables = [*plan.tables, "quality"]
    figures = [figure for spec in _notebooks(plan).values() for figure in spec.figures]
    names = [
        *(SCALE_FILE, *FRAMES, *CRITERIA),
        *(f"tables/{name}.{ending}" for name in tables for ending in ("csv", "md", "html", "tex")),
        *(f"figures/{name}.{ending}" for name in figures for ending in ("svg", "png")),
        *(f"frames/{name}.csv" for spec in _notebooks(plan).values() for name in spec.frames),
    ]
    workflow = [Path("Snakefile"), *sorted(Path("rules").glob("*.smk"))]
    return {name: plan.results / name for name in names} | {
        f"workflow/{file}": file for file in workflow
    }


def _notebooks(plan: Plan) -> dict[str, Notebook]:
    """The notebooks whose tables the scale has."""
    return {
        name: spec for name, spec in NOTEBOOKS.items() if plan.tables.keys() >= set(spec.tables)
    }
