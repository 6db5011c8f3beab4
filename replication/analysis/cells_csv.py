"""The file ``cells.csv``: one line per cell and seed, with the run behind it."""

from pathlib import Path
from typing import Any

import pandas as pd

from replication import files
from replication.errors import InputError
from replication.plan.plan import Plan

CELL = ["table", "row", "column"]
KEY = [*CELL, "seed"]
COLUMNS = [*KEY, "metric", "value", "run"]
BUILD = "build it with: snakemake --cores 2"


def read_csv(file: Path, hint: str = BUILD, **options: Any) -> pd.DataFrame:
    """Read a csv file; raises InputError with the hint if it is missing, truncated or damaged."""
    try:
        if not file.read_bytes().endswith(b"\n"):
            raise ValueError("empty or truncated")
        frame: pd.DataFrame = pd.read_csv(file, **options)
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; {hint}") from None
    except (OSError, ValueError) as problem:
        raise InputError(f"{file}: damaged ({problem}); delete it and {hint}") from None
    return frame


def read_cells(file: Path, hint: str = BUILD) -> pd.DataFrame:
    """Read and check ``cells.csv`` or the part of one table; raises as `read_csv`."""
    cells = read_csv(file, hint, dtype=dict.fromkeys((*CELL, "run"), str))
    if list(cells.columns) != COLUMNS:
        raise InputError(f"{file}: the columns are not {', '.join(COLUMNS)}; delete it and {hint}")
    number = pd.api.types.is_numeric_dtype
    numbers = cells.empty or cells.dtypes[["seed", "value"]].map(number).all()
    if not numbers or cells.isna().any(axis=None):
        raise InputError(f"{file}: damaged (a line without a number); delete it and {hint}")
    return cells


def collect_cells(plan: Plan) -> pd.DataFrame:
    """Write ``cells.csv`` from the parts of the tables; raises as `read_csv`."""
    parts = [read_cells(plan.results / "cells" / f"{name}.csv") for name in plan.tables]
    cells = pd.concat(parts, ignore_index=True)
    files.write_text(plan.results / "cells.csv", cells.to_csv(index=False))
    return cells
