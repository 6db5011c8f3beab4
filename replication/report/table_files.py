"""Writes a table of the replication in four formats, from the statistics of its cells."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from replication import files
from replication.analysis.collect import measure_table
from replication.analysis.pooled_spread import describe_spread
from replication.analysis.table_statistics import table_statistics
from replication.config.paper_names import paper_name
from replication.data.specs import DATASETS
from replication.plan.plan import Plan
from replication.report.rendering import render
from replication.results.csv_files import csv_path, write_csv_file

PRINTED_DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "ptb": "Penn Treebank"}
"""What the paper calls the data sets that those of a scale stand in for."""


@dataclass(frozen=True)
class BuiltTable:
    """A table as it was written, and one line for each empty cell that says why it is empty."""

    frame: pd.DataFrame
    reasons: list[str]


def build_table(plan: Plan, name: str) -> BuiltTable:
    """Measure a table's cells and write its parts of cells and runs, and its four formats.

    Raises:
        InputError: the scale does not have the table, or a file cannot be written.
    """
    measured = measure_table(plan, name)
    measured.write(plan, name)
    frame = table_statistics(plan, name, measured.cells, measured.runs.set_index("run", drop=False))
    reasons = [f"{row}, {column}: {reason}" for (row, column), reason in measured.reasons.items()]
    write_csv_file(plan.results, "table", frame, name)
    for ending, text in render_table(plan, name, frame, reasons).items():
        files.write_text(csv_path(plan.results, "table", name).with_suffix(f".{ending}"), text)
    return BuiltTable(frame, reasons)


def build_tables(plan: Plan, names: Iterable[str]) -> dict[str, int]:
    """Build tables, and print on standard error why cells are empty.

    Returns the number of empty cells of each table. Raises InputError like `build_table`.
    """
    empty_cells = {}
    for name in names:
        reasons = build_table(plan, name).reasons
        empty_cells[name] = len(reasons)
        for reason in dict.fromkeys(reasons):
            print(f"empty cell: {reason}", file=sys.stderr)
        # Flushed, so that a log shows it before an error that follows.
        print(csv_path(plan.results, "table", name).with_suffix(".md"), flush=True)
    return empty_cells


def render_table(
    plan: Plan, name: str, frame: pd.DataFrame, reasons: Sequence[str] = ()
) -> dict[str, str]:
    """A table in every format but csv, by file ending: md, html and tex.

    `frame` has the lines of ``tables/<name>.csv``. The note below the table repeats the reasons why
    cells are empty.
    """
    spec, below = plan.tables[name], note(plan, name, frame["spread"], reasons)
    printed = {
        (cell.row, cell.column): cell.reported_difference
        for cell in plan.table_cells(name)
        if cell.reported_difference is not None
    }
    return render(frame, spec.title, below, spec.shown, spec.transposed, printed)


def note(plan: Plan, name: str, spreads: Iterable[object], reasons: Sequence[str] = ()) -> str:
    """The sentences below a table that are its own.

    They say which data stand in for the paper's, what the table's file notes, what the intervals
    rest on where there are few seeds (``spreads``, a column of the table), which rows are not
    trained, and why cells are empty.
    """
    spec = plan.tables[name]
    used = []
    for role in dict.fromkeys(spec.role(row) for row in spec.rows):
        dataset = plan.scale.datasets[role].name
        label = DATASETS[dataset].label if dataset in DATASETS else dataset
        printed = PRINTED_DATASETS.get(role, label)
        used.append(label if label == printed else f"{label} for {printed}")
    data = f"Scale {plan.scale.scale}: {', '.join(used)}."
    pooled = describe_spread(spreads)
    sentences = [data, *spec.notes, *([pooled] if pooled else [])]
    untrained = [paper_name(row) for row, seeds in plan.seeds_by_row(name).items() if not seeds]
    if untrained:
        sentences.append(f"Not trained at this scale: {', '.join(untrained)}.")
    sentences += [f"Empty cell: {reason}." for reason in reasons]
    return " ".join(sentences)
