"""Compares csv files with what they should hold, line by line."""

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype

from replication.errors import InputError
from replication.results.csv_files import EMPTY_IS_MISSING, read_csv
from replication.results.schema import CsvFile
from replication.verify.findings import Findings, differing_values


def compare_csv(
    file: Path,
    description: CsvFile,
    expected: pd.DataFrame,
    findings: Findings,
    reasons: Mapping[str, str] | None = None,
) -> None:
    """Note where the lines of a csv file are not the expected ones.

    ``reasons`` says, by a line's name or the beginning of it, why it is not expected.

    Raises:
        InputError: the file is missing or damaged.
    """
    text = {column.name: str for column in description.columns if column.kind == "text"}
    compare_lines(file, read_csv(file, dtype=text), description, expected, findings, reasons)


def compare_lines(
    file: Path,
    stored: pd.DataFrame,
    description: CsvFile,
    expected: pd.DataFrame,
    findings: Findings,
    reasons: Mapping[str, str] | None = None,
) -> None:
    """The same as `compare_csv`, with the lines that the file holds.

    Raises:
        InputError: the lines have other columns, or lack a part of their key.
    """
    key = description.key
    text = {column.name: str for column in description.columns if column.kind == "text"}
    # Through text, so that both have the same types.
    expected = pd.read_csv(StringIO(expected.to_csv(index=False)), dtype=text, **EMPTY_IS_MISSING)
    if list(stored.columns) != list(expected.columns) or stored[key].isna().any(axis=None):
        raise InputError(f"{file}: wrong columns, or a line without {', '.join(key)}")
    stored, expected = _with_equal_types(stored, expected)
    repeated = _by_name(stored[stored.duplicated(key)], key)
    findings.problems += [f"{file}: {name}: is listed twice" for name in repeated]
    stored_lines, expected_lines = _by_name(stored, key), _by_name(expected, key)
    for name in dict.fromkeys((*expected_lines, *stored_lines)):
        if name not in stored_lines:
            problems = ["has no line, although its runs exist"]
        elif name not in expected_lines:
            problems = [
                reason
                for start, reason in (reasons or {}).items()
                if f"{name}, ".startswith(f"{start}, ")
            ] or ["the scale has no such line"]
        else:
            problems = [
                f"{column} is {value}, not {expected_value}"
                for column, value, expected_value in differing_values(
                    stored_lines[name], expected_lines[name]
                )
            ]
        findings.problems += [f"{file}: {name}: {problem}" for problem in problems]


def _with_equal_types(
    stored: pd.DataFrame, expected: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Columns that are text in one frame alone become text in both.

    One wrong value makes its whole column text, and all other lines of it would seem to differ.
    """
    columns = [
        column
        for column in stored.columns
        if is_numeric_dtype(stored[column]) != is_numeric_dtype(expected[column])
    ]
    texts = [
        frame.assign(**{column: frame[column].map(str, na_action="ignore") for column in columns})
        for frame in (stored, expected)
    ]
    return texts[0], texts[1]


def _by_name(frame: pd.DataFrame, key: Sequence[str]) -> dict[str, dict[Any, Any]]:
    return {", ".join(str(line[k]) for k in key): line for line in frame.to_dict("records")}
