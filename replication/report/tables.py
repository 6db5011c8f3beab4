"""Builds a table of the replication: measures its cells and writes them in four formats."""

import sys
from collections.abc import Sequence

import pandas as pd

from replication import files
from replication.analysis import collect
from replication.analysis.measure import Measurements
from replication.analysis.pooled_spread import describe_spread
from replication.analysis.summary import NUMBERS, MeasuredCell, contrast_lines, summary_lines
from replication.data.specs import DATASETS
from replication.errors import InputError
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.report.rendering import render
from replication.results.schema import CSV_FILES

PRINTED = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "ptb": "Penn Treebank"}


def measure_table(
    plan: Plan, name: str, measurements: Measurements | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """A table's lines of ``cells.csv``, the lines of its own csv, and why cells are empty.

    The measurements are those of the run folders by default. A cell with a missing or damaged run,
    or with runs that cannot be averaged, stays empty: it has 0 seeds.
    """
    measurements = measurements or Measurements(plan)
    tidy, measured_cells, reasons = [], [], []
    for cell in plan.table_cells(name):
        try:
            rows, measured_cell = measure_cell(cell, measurements)
        except InputError as error:
            rows, measured_cell = [], MeasuredCell(cell)
            reasons.append(f"{cell.row}, {cell.column}: {error}")
        tidy += rows
        measured_cells.append(measured_cell)
    measured = pd.DataFrame(tidy, columns=CSV_FILES["cells"].names)
    lines = summary_lines(measured_cells) + contrast_lines(plan.tables[name], measured)
    frame = pd.DataFrame(lines).astype(dict.fromkeys(NUMBERS, float))
    return measured, frame, reasons


def build_table(plan: Plan, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Measure a table's cells and write ``tables/<name>.{csv,md,html,tex}`` and its cells.

    The reasons for empty cells are printed below the table. Returns the table and the reasons.
    """
    _, frame, reasons = measure_table(plan, name)
    collect.measure_table(plan, name).write(plan, name)
    rendered = render_table(plan, name, frame, reasons)
    for suffix, text in {"csv": frame.to_csv(index=False), **rendered}.items():
        files.write_text(plan.results / "tables" / f"{name}.{suffix}", text)
    return frame, reasons


def render_table(
    plan: Plan, name: str, frame: pd.DataFrame, reasons: Sequence[str] = ()
) -> dict[str, str]:
    """A table in every format but csv, by file ending, from its frame."""
    spec = plan.tables[name]
    below = " ".join(filter(None, [note(plan, name, reasons), describe_spread(frame["spread"])]))
    return render(frame, spec.title, below, spec.shown, spec.transposed)


def build_and_report(plan: Plan, name: str) -> int:
    """Build a table, print why cells are empty on standard error, and return how many are.

    Raises:
        InputError: as `build_table`.
    """
    _, reasons = build_table(plan, name)
    for reason in dict.fromkeys(reasons):
        print(f"empty cell: {reason}", file=sys.stderr)
    return len(reasons)


def measure_cell(
    cell: Cell, measurements: Measurements
) -> tuple[list[dict[str, object]], MeasuredCell]:
    """A cell's lines in ``cells.csv``, and what its line in the table is made of.

    Raises:
        InputError: as `Measurements.rows`.
    """
    rows = measurements.rows(cell)
    values = {int(str(row["seed"])): float(str(row["value"])) for row in rows}
    params = measurements.parameters(cell) / 1e6
    return rows, MeasuredCell(cell, values, measurements.teachers(cell), params)


def note(plan: Plan, name: str, reasons: Sequence[str] = ()) -> str:
    """The data that stand in for the paper's, the table's own notes, and why cells are empty."""
    spec = plan.tables[name]
    used = []
    for role in dict.fromkeys(spec.role(row) for row in spec.rows):
        name = plan.scale.datasets[role].name
        label = DATASETS[name].label if name in DATASETS else name
        printed = PRINTED.get(role, label)
        used.append(label if label == printed else f"{label} for {printed}")
    data = f"Scale {plan.scale.scale}: {', '.join(used)}."
    return " ".join([data, *spec.notes, *(f"Empty cell: {reason}." for reason in reasons)])
