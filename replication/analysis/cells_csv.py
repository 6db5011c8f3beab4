"""The file ``cells.csv``: one line per cell and seed, with the run that it comes from."""

from pathlib import Path

import pandas as pd

from replication.errors import InputError

COLUMNS = ["table", "row", "column", "seed", "metric", "value", "run"]
NUMBERS = ["seed", "value"]


def read_cells(file: Path, hint: str = "build it with: snakemake --cores 2") -> pd.DataFrame:
    """Read ``cells.csv`` or a table's part of it; ``hint`` is how it is built.

    Raises:
        InputError: the file is missing, damaged, or has other columns.
    """
    try:
        cells = pd.read_csv(file, dtype=dict.fromkeys(("table", "row", "column", "run"), str))
    except FileNotFoundError:
        raise InputError(f"{file}: not there; {hint}") from None
    except (OSError, ValueError) as problem:
        raise InputError(f"{file}: damaged ({problem}); delete it and {hint}") from None
    if list(cells.columns) != COLUMNS:
        raise InputError(f"{file}: other columns than {', '.join(COLUMNS)}; delete it and {hint}")
    numbers = cells.empty or all(pd.api.types.is_numeric_dtype(cells[it]) for it in NUMBERS)
    if not numbers or cells.isna().any(axis=None) or not file.read_bytes().endswith(b"\n"):
        raise InputError(
            f"{file}: damaged (cut, or without a number on each line); delete it and {hint}"
        )
    return cells
