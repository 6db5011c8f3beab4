"""Checks that tables and claims follow from ``cells.csv``."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from replication.analysis.cells_csv import CELL, KEY
from replication.analysis.claims import decide_claims
from replication.analysis.statistics import verdict
from replication.analysis.summary import COLUMNS, NUMBERS, VERDICTS, cell_statistics
from replication.config.paper_claims import CellKey, read_claims
from replication.config.paper_tables import TableSpec, read_table
from replication.errors import InputError
from replication.plan.cells import reported_teacher
from replication.verify.cells import Values
from replication.verify.findings import Findings, Records

# Tolerance for statistics of the same numbers by another version of SciPy.
CLOSE = 1e-9


def check_tables(
    results: Path,
    tables: Path,
    cells: pd.DataFrame,
    values: Values,
    records: Records,
    found: Findings,
) -> None:
    """Check the tables' lines; raises InputError if a file of ``tables`` is wrong."""
    known: dict[CellKey, dict[str, object]] = {}
    for line in cells.to_dict("records"):
        known[line["table"], line["row"], line["column"]] = of_cell = {"metric": line["metric"]}
        if (run := line["run"].split(";")[-1]) in records:
            of_cell["params"] = records[run]["parameters"] / 1e6
    for name in sorted(set(cells["table"]) - {f.stem for f in (results / "tables").glob("*.csv")}):
        found.remarks.append(f"{results / 'tables' / name}.csv: no such file, but cells.csv has it")
    for file in sorted((results / "tables").glob("*.csv")):
        found.tables += 1
        spec = None
        if (tables / f"{file.stem}.yaml").exists():
            spec = read_table(file.stem, tables)
        else:
            found.remarks.append(
                f"{file}: the paper's numbers were not checked, which needs {tables}/"
            )
        with found.noting(f"{file}: "):
            table = _read(file, dtype=dict.fromkeys(CELL, str))
            _check_form(table)
            problems = _table_problems(table, file.stem, values, known, spec)
            found.problems += [f"{file}: {problem}" for problem in problems]


def _read(file: Path, **options: Any) -> pd.DataFrame:
    try:
        table: pd.DataFrame = pd.read_csv(file, **options)
    except (OSError, ValueError) as problem:
        raise InputError(f"damaged ({problem})") from None
    return table


def _check_form(table: pd.DataFrame) -> None:
    """See that a csv is a table of this suite; raises InputError if not."""
    if list(table.columns) != COLUMNS or table.empty:
        raise InputError("wrong columns, or no lines")
    for column in (*NUMBERS, "n"):
        if not (pd.api.types.is_numeric_dtype(table[column]) or table[column].isna().all()):
            raise InputError(f"{column} has a value that is not a number")
    if table[[*CELL, "metric", "n"]].isna().any(axis=None):
        raise InputError("lines without row, column, metric or n")
    if wrong := set(table["verdict"].dropna()) - set(VERDICTS):
        raise InputError(f"unknown verdict {', '.join(map(str, sorted(wrong)))}")


def _table_problems(
    table: pd.DataFrame,
    name: str,
    values: Values,
    known: Mapping[CellKey, Mapping[str, object]],
    spec: TableSpec | None,
) -> Iterator[str]:
    there = [(line["row"], line["column"]) for line in table.to_dict("records")]
    wanted = {(row, column) for of, row, column in values if of == name}
    if spec:
        cells = {(row, column) for row in spec.rows for column in spec.columns}
        wanted |= {at for at in cells if not spec.is_dash(*at)}
    for row, column in sorted(wanted - set(there)):
        yield f"has no line for {row}, {column}"
    for at, line in zip(there, table.to_dict("records"), strict=True):
        here = ", ".join(at)
        if line["table"] != name or there.count(at) > 1:
            yield f"{here}: is listed twice, or belongs to {line['table']}"
        elif spec and at not in cells:
            yield f"{here}: {name}.yaml has no such cell"
        else:
            expected = _expected(line, values.get((name, *at), {}), spec)
            expected |= known.get((name, *at), {})
            for difference in _differences(line, expected, "cells.csv and the paper give"):
                yield f"{here}: {difference}"


def _expected(
    line: Mapping[Any, Any],
    measured: Mapping[int, tuple[float, float | None]],
    spec: TableSpec | None,
) -> dict[str, object]:
    """What a line of a table must contain, by the values of its seeds and by the paper."""
    own = {seed: value for seed, (value, _) in measured.items()}
    teachers = {seed: teacher for seed, (_, teacher) in measured.items() if teacher is not None}
    paired = teachers if teachers.keys() == own.keys() else {}
    expected: dict[str, object] = {**cell_statistics(own, paired)}
    low, high = line["delta_ci_low"], line["delta_ci_high"]
    if spec:
        at = line["row"], line["column"]
        printed, teacher = spec.reported(*at), reported_teacher(spec, *at)
        expected |= {"reported": printed, "params_reported": spec.rows[at[0]].params}
        expected["verdict"] = None
        if line["n"] and printed is not None and teacher is not None:
            expected["verdict"] = verdict(low, high, printed - teacher)
    elif not measured:
        expected["verdict"] = None
    elif paired and isinstance(line["verdict"], str):
        possible = {verdict(low, high, side) for side in (-1.0, 0.0, 1.0)}
        expected["verdict"] = line["verdict"] if line["verdict"] in possible else min(possible)
    return expected


def check_claims(results: Path, tables: Path, cells: pd.DataFrame, found: Findings) -> None:
    """Decide the claims again and compare; raises InputError if ``claims.yaml`` is wrong."""
    files = [results / "claims.csv", results / "claims_power.csv"]
    if not any(file.exists() for file in files):
        return
    if not (tables / "claims.yaml").exists():
        found.remarks.append(f"{files[0]}: not checked, which needs {tables}/claims.yaml")
        return
    if cells.duplicated(KEY).any():
        return
    for file, expected in zip(files, decide_claims(read_claims(tables), cells), strict=True):
        with found.noting(f"{file}: "):
            claims = _read(file)
            if list(claims.columns) != list(expected.columns) or len(claims) != len(expected):
                raise InputError("wrong columns or number of claims")
            for line, wanted in zip(
                claims.to_dict("records"), expected.to_dict("records"), strict=True
            ):
                for difference in _differences(line, wanted, "cells.csv gives"):
                    found.problems.append(f"{file}: {wanted['claim']}: {difference}")


def _differences(
    line: Mapping[Any, Any], expected: Mapping[Any, Any], source: str
) -> Iterator[str]:
    for what, value in expected.items():
        own, wanted = line[what], np.nan if value is None else value
        same = own == wanted
        if not isinstance(own, str) and not isinstance(wanted, str):
            same = np.isclose(own, wanted, rtol=CLOSE, atol=CLOSE, equal_nan=True)
        if not same:
            yield f"{what} is {own}, {source} {value}"
