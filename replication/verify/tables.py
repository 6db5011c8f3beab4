"""Checks that cells, tables and claims are those that the runs and the paper give.

They are computed again by the functions that wrote them, and compared.
"""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from replication.analysis.cells_csv import CELL, KEY, read_cells, read_csv
from replication.analysis.claims import FILES, claims_of
from replication.analysis.measure import Measurements
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.report.tables import measure_table, render_table
from replication.verify.findings import Findings, differences

NAMES = dict.fromkeys((*CELL, "run"), str)


def check_tables(plan: Plan, found: Findings, measurements: Measurements | None = None) -> None:
    """Check ``cells.csv`` and every table; raises InputError if the former is damaged.

    The measurements are those of the run folders by default.
    """
    file = plan.results / "cells.csv"
    cells = read_cells(file)
    found.cells = len(cells)
    found.problems += [
        f"{file}: {name}: no table of this scale"
        for name in sorted(set(cells["table"]) - set(plan.tables))
    ]
    for name in plan.tables:
        with found.noting():
            measured, table, reasons = measure_table(plan, name, measurements)
            own = cells[cells["table"] == name]
            compare(file, own, measured, KEY, reasons, found)
            part = plan.results / "cells" / file.with_stem(name).name
            if part.exists() and read_cells(part).to_csv(index=False) != own.to_csv(index=False):
                found.problems.append(f"{part}: differs from the lines of that table in cells.csv")
            _check_table(plan, name, table, reasons, found)


def _check_table(
    plan: Plan, name: str, table: pd.DataFrame, reasons: Sequence[str], found: Findings
) -> None:
    """Compare the csv of a table and its renderings."""
    file = plan.results / "tables" / f"{name}.csv"
    if not file.exists():
        found.remarks.append(f"{file}: no such file, but cells.csv has it")
        return
    found.tables += 1
    if reasons:
        found.remarks.append(f"{file}: {len(reasons)} empty cells, for the reasons below the table")
    compare(file, read_csv(file, dtype=dict.fromkeys(CELL, str)), table, CELL, reasons, found)
    # The reasons for empty cells name folders, which may have been moved.
    rendered = {} if reasons else render_table(plan, name, table)
    for suffix, text in rendered.items():
        shown = file.with_suffix(f".{suffix}")
        if shown.exists() and shown.read_bytes() != text.encode():
            found.problems.append(f"{shown}: does not show what its runs and the paper give")


def check_claims(plan: Plan, tables: Path, found: Findings) -> None:
    """Decide the claims again and compare; raises InputError if ``claims.yaml`` is wrong."""
    files = [plan.results / name for name in FILES]
    if not any(file.exists() for file in files):
        return
    cells = read_cells(plan.results / "cells.csv")
    if cells.duplicated(KEY).any():
        return
    for file, expected in zip(files, claims_of(plan, tables), strict=True):
        with found.noting():
            compare(file, read_csv(file), expected, ["claim"], [], found)


def compare(
    file: Path,
    frame: pd.DataFrame,
    expected: pd.DataFrame,
    key: Sequence[str],
    reasons: Sequence[str],
    found: Findings,
) -> None:
    """Note where the lines of a csv file, named by ``key``, are not the expected ones."""
    # Through text, so that both have the same types.
    wanted = pd.read_csv(StringIO(expected.to_csv(index=False)), dtype=NAMES)
    if list(frame.columns) != list(wanted.columns) or frame[[*key]].isna().any(axis=None):
        raise InputError(f"{file}: wrong columns, or a line without {', '.join(key)}")
    repeated = _by_name(frame[frame.duplicated(key)], key)
    found.problems += [f"{file}: {name}: is listed twice" for name in repeated]
    own, others = _by_name(frame, key), _by_name(wanted, key)
    for name in dict.fromkeys((*others, *own)):
        if name not in own:
            problems = ["has no line, although its runs are there"]
        elif name not in others:
            cell = f"{own[name].get('row')}, {own[name].get('column')}: "
            empty = [reason.removeprefix(cell) for reason in reasons if reason.startswith(cell)]
            problems = empty or ["the scale has no such line"]
        else:
            unlike = differences(own[name], others[name])
            problems = [f"{what} is {value}, not {it}" for what, value, it in unlike]
        found.problems += [f"{file}: {name}: {problem}" for problem in problems]


def _by_name(frame: pd.DataFrame, key: Sequence[str]) -> dict[str, dict[Any, Any]]:
    return {", ".join(str(line[k]) for k in key): line for line in frame.to_dict("records")}
