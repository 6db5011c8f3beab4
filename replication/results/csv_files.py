"""Reads and writes the csv files of a results folder as `schema` describes them."""

import gzip
import zlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replication import files
from replication.errors import InputError
from replication.results.csv_columns import Kind
from replication.results.schema import CSV_FILES, CsvFile

# Snakemake reads names of files from this package at every start, and pandas takes half a second.
if TYPE_CHECKING:
    import pandas as pd

BUILD = "build it by running snakemake with the file of its scale"
"""The advice in the message for a missing file."""
SEPARATOR = ";"
"""What separates the members of an ensemble in a column ``run``."""
PACKED = ".gz"
"""The ending of csv files that are packed, because they have a line for each bin or metric."""
EMPTY_IS_MISSING: dict[str, Any] = {"keep_default_na": False, "na_values": [""]}
"""Options of `pandas.read_csv` by which only an empty entry is a missing one."""
DTYPES: dict[Kind, str] = {"integer": "Int64", "number": "float64", "flag": "boolean"}


def csv_path(folder: Path, name: str, table: str | None = None) -> Path:
    """The path of a csv file of `CSV_FILES` below a results folder; ``table`` if it has one."""
    return folder / CSV_FILES[name].path.format(table=table)


def read_csv(file: Path, hint: str = BUILD, **options: Any) -> "pd.DataFrame":
    """Read any csv file that ends with a line break; ``options`` are those of `pandas.read_csv`.

    Raises:
        InputError: the file is missing, truncated or damaged; the message ends with ``hint``.
    """
    import pandas as pd

    try:
        content = file.read_bytes()
        if file.suffix == PACKED:
            content = gzip.decompress(content)
        if not content.endswith(b"\n"):
            raise ValueError("empty or truncated")
        # Only what is empty is missing: a row of a table may be called NA, null or nan.
        frame: pd.DataFrame = pd.read_csv(BytesIO(content), **EMPTY_IS_MISSING, **options)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; {hint}") from None
    except (OSError, ValueError, EOFError, zlib.error) as problem:
        raise InputError(f"{file}: damaged ({problem}); delete it and {hint}") from None
    return frame


def read_csv_file(
    folder: Path, name: str, hint: str = BUILD, table: str | None = None
) -> "pd.DataFrame":
    """Read a csv file of `CSV_FILES` and check its columns, their kinds and its key.

    Integers that may be missing have pandas' type Int64, flags its type boolean.

    Raises:
        InputError: the file is missing or damaged, has other columns, lacks a required entry, or
            has a line twice.
    """
    return check_csv_file(csv_path(folder, name, table), CSV_FILES[name], hint)


def check_csv_file(file: Path, description: CsvFile, hint: str = BUILD) -> "pd.DataFrame":
    """Read a file that has to be as described; raises like `read_csv_file`."""
    texts = {column.name: str for column in description.columns if column.kind == "text"}
    frame = read_csv(file, hint, dtype=texts)
    names = description.names
    if list(frame.columns[: len(names)]) != names or (
        len(frame.columns) > len(names) and not description.more_columns
    ):
        raise InputError(f"{file}: the columns are not {', '.join(names)}; delete it and {hint}")
    for column in description.columns:
        values = frame[column.name]
        if not column.may_be_empty and values.isna().any():
            raise InputError(
                f"{file}: damaged (a line without `{column.name}`); delete it and {hint}"
            )
        if column.kind == "text":
            continue
        try:
            frame[column.name] = values.astype(DTYPES[column.kind])  # type: ignore[call-overload]
        except (TypeError, ValueError):
            raise InputError(
                f"{file}: damaged (`{column.name}` has an entry that is not a valid {column.kind});"
                f" delete it and {hint}"
            ) from None
    required = [column.name for column in description.columns if not column.may_be_empty]
    integers = frame[required].select_dtypes("Int64").columns
    frame = frame.astype(dict.fromkeys(integers, "int64"))
    if (repeated := frame.duplicated(list(description.key))).any():
        line = ", ".join(str(frame.loc[repeated, key].iloc[0]) for key in description.key)
        raise InputError(f"{file}: damaged ({line} is listed twice); delete it and {hint}")
    return frame


def write_csv_file(
    folder: Path,
    name: str,
    frame: "pd.DataFrame",
    table: str | None = None,
    float_format: str | None = None,
) -> None:
    """Write a csv file of `CSV_FILES` whole or not at all; raises like `files.write_text`."""
    text, file = csv_text(name, frame, float_format), csv_path(folder, name, table)
    if file.suffix == PACKED:
        # Without a time, so that the same lines give the same bytes.
        packed = gzip.compress(text.encode("utf-8"), mtime=0)
        files.write_atomically(file, lambda part: part.write_bytes(packed))
    else:
        files.write_text(file, text)


def csv_text(name: str, frame: "pd.DataFrame", float_format: str | None = None) -> str:
    """The text of a csv file of `CSV_FILES`, with its columns in the order of the schema."""
    description = CSV_FILES[name]
    more = [column for column in frame.columns if column not in description.names]
    assert description.more_columns or not more, f"{name}: columns without a description: {more}"
    return frame[[*description.names, *more]].to_csv(index=False, float_format=float_format)


def read_cells(folder: Path, hint: str = BUILD) -> "pd.DataFrame":
    """Read ``cells.csv``; raises like `read_csv_file`."""
    return read_csv_file(folder, "cells", hint)


def read_runs(folder: Path, hint: str = BUILD) -> "pd.DataFrame":
    """Read ``runs.csv``, indexed by run; raises like `read_csv_file`."""
    return read_csv_file(folder, "runs", hint).set_index("run", drop=False)


def is_one_run(entries: "pd.Series[str]") -> "pd.Series[bool]":
    """Which entries of a column ``run`` name one run, and not the members of an ensemble."""
    return entries.map(lambda run: len(split_members(run)) == 1).astype(bool)


def split_members(run: str) -> list[str]:
    """The runs behind a value: one, or the members of an ensemble."""
    return run.split(SEPARATOR)


def join_members(runs: Iterable[str]) -> str:
    """The entry of a column ``run`` for these members."""
    return SEPARATOR.join(runs)


def check_members(run_column: "pd.Series[str]", runs: "pd.DataFrame") -> None:
    """Check that each run in a column ``run`` has a line in ``runs.csv``, indexed by run.

    Raises:
        InputError: a run has none.
    """
    members = {member for run in run_column for member in split_members(run)}
    if unknown := sorted(members - {*runs.index}):
        raise InputError(
            f"runs.csv: no line for {unknown[0]}, which cells.csv or quality.csv.gz names; delete"
            " all three and run snakemake again"
        )


def root_teachers(run_column: "pd.Series[str]", runs: "pd.DataFrame") -> "pd.Series[str]":
    """Generation 0 of the lineage of each line of a csv file with a column ``run``.

    ``runs`` is ``runs.csv``, indexed by run. Missing for generation 0 itself. An ensemble has the
    lineage of its last member.

    Raises:
        InputError: a run has no line in ``runs.csv``.
    """
    check_members(run_column, runs)
    last_members = run_column.map(lambda run: split_members(run)[-1])
    teachers: pd.Series[str] = last_members.map(runs["root_teacher"])
    return teachers
