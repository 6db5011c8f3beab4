"""The files of a results folder that follow from its csv files, with their texts.

Nothing here reads the folder of a run. What can be derived again follows from ``scale.json``,
``runs.csv``, ``cells.csv``, ``quality.csv.gz``, ``reliability.csv.gz`` and ``correct.safetensors``;
``criteria.csv`` keeps the columns of the divergences, which were measured from histories. The same
functions write these files (``replication derive``) and check them (``replication verify``).
"""

from collections.abc import Callable
from pathlib import Path

from replication.analysis.claims import CLAIM_FRAMES, claims_of, items_of_claims
from replication.analysis.criteria import derive_criteria
from replication.analysis.table_statistics import missing_cells, table_statistics
from replication.plan.plan import Plan
from replication.report.criteria_page import criteria_html
from replication.report.first_pages import PAGE, describe_in_markdown
from replication.report.quality_table import quality_tables
from replication.report.table_files import render_table
from replication.results.correctness import CORRECT
from replication.results.csv_files import (
    csv_path,
    csv_text,
    read_cells,
    read_csv_file,
    read_runs,
)

Texts = dict[Path, str]
"""Files with their texts."""


def table_files(plan: Plan, tables: Path) -> Texts:
    """``tables/<table>.{csv,md,html,tex}`` of every table.

    A table with cells that are not measured names them below itself.

    Raises:
        InputError: ``cells.csv`` or ``runs.csv`` is missing or damaged.
    """
    cells, runs = read_cells(plan.results), read_runs(plan.results)
    texts = {}
    for name in plan.tables:
        frame = table_statistics(plan, name, cells, runs)
        empty = [f"{cell}: not measured" for cell in missing_cells(plan, name, cells)]
        file = csv_path(plan.results, "table", name)
        texts[file] = csv_text("table", frame)
        for ending, text in render_table(plan, name, frame, empty).items():
            texts[file.with_suffix(f".{ending}")] = text
    return texts


def quality_files(plan: Plan, tables: Path) -> Texts:
    """``tables/quality.{csv,md,html,tex}``.

    Raises:
        InputError: ``quality.csv.gz`` or ``runs.csv`` is missing or damaged.
    """
    quality = read_csv_file(plan.results, "quality")
    return quality_tables(plan, quality, read_runs(plan.results))


def claims_files(plan: Plan, tables: Path) -> Texts:
    """``claims.csv``, ``claims_power.csv``, and ``claims_items.csv`` from ``correct.safetensors``.

    Without ``correct.safetensors`` the last one cannot be derived, and is left as it is.

    Raises:
        InputError: ``cells.csv``, ``quality.csv.gz``, ``runs.csv`` or ``claims.yaml`` is missing or
            wrong.
    """
    frames = claims_of(plan, tables)
    texts = {
        csv_path(plan.results, name): csv_text(name, frame)
        for name, frame in zip(CLAIM_FRAMES, frames, strict=True)
    }
    if (plan.results / CORRECT).is_file():
        texts[csv_path(plan.results, "claims_items")] = csv_text(
            "claims_items", items_of_claims(plan, tables)
        )
    return texts


def criteria_files(plan: Plan, tables: Path) -> Texts:
    """``criteria.csv``, of which the divergences are kept, and ``criteria.html``.

    Nothing where criteria were not measured, because divergences need the folders of the runs.

    Raises:
        InputError: ``criteria.csv`` or ``runs.csv`` is damaged.
    """
    file = csv_path(plan.results, "criteria")
    if not file.is_file():
        return {}
    measured = read_csv_file(plan.results, "criteria")
    criteria = derive_criteria(plan, read_runs(plan.results), measured)
    return {
        file: csv_text("criteria", criteria),
        file.with_suffix(".html"): criteria_html(criteria),
    }


def page_files(plan: Plan, tables: Path) -> Texts:
    """``README.md``, the first page, from the csv files of the claims and criteria as they are.

    Raises:
        InputError: one of them is damaged.
    """
    return {plan.results / PAGE: describe_in_markdown(plan)}


DERIVATIONS: list[Callable[[Plan, Path], Texts]] = [
    table_files,
    quality_files,
    claims_files,
    criteria_files,
    page_files,
]
"""Functions of a plan and the folder of the tables; each may read what those before it wrote."""
