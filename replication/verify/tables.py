"""Checks that tables and claims follow from ``cells.csv``, and every rendering from its table."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from replication.analysis.claims import decide_claims
from replication.analysis.statistics import paired_difference, summarise, verdict
from replication.config.paper_claims import read_claims
from replication.config.paper_tables import TableSpec, read_table
from replication.plan.cells import reported_teacher
from replication.report.layout import MARKS
from replication.report.rendering import render, title_and_note
from replication.report.tables import LINE, NUMBERS
from replication.verify.cells import KEY, Values
from replication.verify.findings import Findings

# Statistics are the same functions of the same numbers, by whatever version of SciPy.
CLOSE = 1e-9


def check_tables(
    results: Path, tables: Path, cells: pd.DataFrame, values: Values, found: Findings
) -> None:
    """Check each line of the tables against ``cells.csv``, and each rendering against its csv.

    Raises:
        InputError: a file of ``tables`` is wrong.
    """
    for name in sorted(set(cells["table"]) - {f.stem for f in (results / "tables").glob("*.csv")}):
        found.remarks.append(f"{results / 'tables' / name}.csv: not there, though cells.csv has it")
    for file in sorted((results / "tables").glob("*.csv")):
        found.tables += 1
        try:
            table = pd.read_csv(file, dtype=dict.fromkeys(KEY, str))
        except (OSError, ValueError) as problem:
            found.problems.append(f"{file}: damaged ({problem})")
            continue
        if malformed := _malformed(table):
            found.problems.append(f"{file}: {malformed}")
            continue
        spec = None
        if (tables / f"{file.stem}.yaml").exists():
            spec = read_table(file.stem, tables)
        else:
            found.remarks.append(f"{file}: the paper's numbers were not checked without {tables}/")
        found.problems += [
            f"{file}: {it}" for it in _table_problems(table, file.stem, values, spec)
        ]
        found.problems += _rendering_problems(file, table)


def _malformed(table: pd.DataFrame) -> str | None:
    """Why a csv is no table of this suite's."""
    if list(table.columns) != LINE or table.empty:
        return "other columns than a table has, or no lines"
    for column in (*NUMBERS, "n"):
        if not (pd.api.types.is_numeric_dtype(table[column]) or table[column].isna().all()):
            return f"{column} has something that is no number"
    if table[[*KEY, "metric", "n"]].isna().any(axis=None):
        return "lines without a name, a metric or a number of seeds"
    if wrong := set(table["verdict"].dropna()) - set(MARKS):
        return f"verdict is {', '.join(map(str, sorted(wrong)))}, and there is no such"
    return None


def _table_problems(
    table: pd.DataFrame, name: str, values: Values, spec: TableSpec | None
) -> Iterator[str]:
    there = [(line["row"], line["column"]) for line in table.to_dict("records")]
    wanted = {(row, column) for of, row, column in values if of == name}
    if spec:
        cells = {(row, column) for row in spec.rows for column in spec.columns}
        wanted |= {at for at in cells if not spec.is_dash(*at)}
    for row, column in sorted(wanted - set(there)):
        yield f"has no line of {row}, {column}"
    for line in table.to_dict("records"):
        here = f"{line['row']}, {line['column']}"
        if line["table"] != name or there.count((line["row"], line["column"])) > 1:
            yield f"{here}: stands twice, or is of {line['table']}"
            continue
        expected = _summary(line, values.get((name, line["row"], line["column"]), {}))
        if spec:
            if (line["row"], line["column"]) not in cells:
                yield f"{here}: {name}.yaml has no such cell"
                continue
            expected |= _printed(line, spec)
        for what, value in expected.items():
            if not _same(line[what], value):
                yield f"{here}: {what} is {line[what]}, and what it follows from gives {value}"


def _summary(
    line: Mapping[Any, Any], measured: Mapping[int, tuple[float, float | None]]
) -> dict[str, object]:
    """What a line of a table has to hold, by the values of its seeds."""
    if not measured:
        empty = ["mean", "std", "ci_low", "ci_high", "delta_vs_teacher", "p_value", "verdict"]
        return {"n": 0, **dict.fromkeys(empty, np.nan)}
    own = {seed: value for seed, (value, _) in measured.items()}
    level = summarise(list(own.values()))
    expected: dict[str, object] = {
        "n": level.n,
        "mean": level.mean,
        "std": level.std,
        "ci_low": level.low,
        "ci_high": level.high,
    }
    teachers = {seed: teacher for seed, (_, teacher) in measured.items() if teacher is not None}
    if teachers.keys() == own.keys():
        difference = paired_difference(own, teachers)
        expected |= {
            "delta_vs_teacher": difference.mean,
            "delta_ci_low": difference.low,
            "delta_ci_high": difference.high,
            "p_value": difference.p_value,
        }
        if isinstance(line["verdict"], str):
            sides = {verdict(difference.low, difference.high, side) for side in (-1.0, 0.0, 1.0)}
            expected["verdict"] = line["verdict"] if line["verdict"] in sides else min(sides)
    return expected


def _printed(line: Mapping[Any, Any], spec: TableSpec) -> dict[str, object]:
    """What a line has to hold by the paper: its numbers, and the verdict that follows from them."""
    row, column = line["row"], line["column"]
    own, teacher = spec.reported(row, column), reported_teacher(spec, row, column)
    expected: dict[str, object] = {"reported": own, "params_reported": spec.rows[row].params}
    if line["n"] and own is not None and teacher is not None:
        low, high = line["delta_ci_low"], line["delta_ci_high"]
        expected["verdict"] = verdict(low, high, own - teacher)
    else:
        expected["verdict"] = None
    return expected


def _rendering_problems(file: Path, table: pd.DataFrame) -> Iterator[str]:
    """Whether Markdown, HTML and LaTeX say what the csv does, under one title and note."""
    written = {ending: file.with_suffix(f".{ending}") for ending in ("md", "html", "tex")}
    texts = {}
    for ending, path in written.items():
        try:
            texts[ending] = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as problem:
            yield f"{path}: cannot be read ({problem})"
    if "md" not in texts:
        return
    expected = render(table, *title_and_note(table, texts["md"]))
    for ending, text in texts.items():
        if text != expected[ending]:
            yield f"{written[ending]}: does not show what {file.name} and its Markdown say"


def check_claims(results: Path, tables: Path, cells: pd.DataFrame, found: Findings) -> None:
    """Decide the claims again and compare, where ``tables`` has them.

    Raises:
        InputError: ``claims.yaml`` is wrong.
    """
    files = [results / "claims.csv", results / "claims_power.csv"]
    if not any(file.exists() for file in files):
        return
    if not (tables / "claims.yaml").exists():
        found.remarks.append(f"{files[0]}: not checked, for which {tables}/claims.yaml is needed")
        return
    if cells.duplicated([*KEY, "seed"]).any():
        return
    for file, expected in zip(files, decide_claims(read_claims(tables), cells), strict=True):
        try:
            claims = pd.read_csv(file)
        except (OSError, ValueError) as problem:
            found.problems.append(f"{file}: damaged ({problem})")
            continue
        if list(claims.columns) != list(expected.columns) or len(claims) != len(expected):
            found.problems.append(f"{file}: other lines or columns than there are claims")
            continue
        for line, wanted in zip(
            claims.to_dict("records"), expected.to_dict("records"), strict=True
        ):
            for what, value in wanted.items():
                if not _same(line[what], value):
                    found.problems.append(
                        f"{file}: {wanted['claim']}: {what} is {line[what]}, and cells.csv gives"
                        f" {value}"
                    )


def _same(found: Any, expected: Any) -> bool:
    if expected is None:
        expected = np.nan
    if isinstance(expected, str) or isinstance(found, str):
        return bool(found == expected)
    return bool(np.isclose(found, expected, rtol=CLOSE, atol=CLOSE, equal_nan=True))
