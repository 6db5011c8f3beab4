"""The file ``cells.csv``: one line per cell and seed, with the run behind it."""

from pathlib import Path

import pandas as pd

from replication import files
from replication.errors import InputError
from replication.plan.plan import Plan

CELL = ["table", "row", "column"]
COLUMNS = [*CELL, "seed", "metric", "value", "run"]


def read_cells(file: Path, hint: str = "build it with: snakemake --cores 2") -> pd.DataFrame:
    """Read ``cells.csv`` or the part of one table; ``hint`` says how to build it.

    Raises:
        InputError: the file is missing, damaged, or has other columns.
    """
    try:
        cells = pd.read_csv(file, dtype=dict.fromkeys((*CELL, "run"), str))
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; {hint}") from None
    except (OSError, ValueError) as problem:
        raise InputError(f"{file}: damaged ({problem}); delete it and {hint}") from None
    if list(cells.columns) != COLUMNS:
        raise InputError(f"{file}: the columns are not {', '.join(COLUMNS)}; delete it and {hint}")
    numbers = (
        cells.empty or cells.dtypes[["seed", "value"]].map(pd.api.types.is_numeric_dtype).all()
    )
    if not numbers or cells.isna().any(axis=None) or not file.read_bytes().endswith(b"\n"):
        raise InputError(
            f"{file}: damaged (truncated, or a line without a number); delete it and {hint}"
        )
    return cells


def collect_cells(plan: Plan) -> pd.DataFrame:
    """Write ``cells.csv`` from the parts of the tables.

    Raises:
        InputError: a part is missing or damaged, or the file cannot be written.
    """
    parts = [read_cells(plan.results / "cells" / f"{name}.csv") for name in plan.tables]
    cells = pd.concat(parts, ignore_index=True)
    files.write_text(plan.results / "cells.csv", cells.to_csv(index=False))
    return cells
