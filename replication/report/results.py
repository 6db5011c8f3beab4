"""The files of one scale's results as frames: what the notebooks read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.analysis.cells_csv import read_cells
from replication.errors import InputError
from replication.runs.record import HISTORY, read_predictions

T = TypeVar("T")

TABLES = tuple(f"table{number}" for number in range(1, 7))


@dataclass(frozen=True)
class Results:
    """The folder `results/<scale>`.

    Every reader raises InputError, one line with file and command, for a missing or damaged file.
    """

    folder: Path

    @classmethod
    def find(cls, results: str | Path, scale: str) -> Results:
        """Find the scale's folder, with `results` in the working directory or in the one above it.

        Jupyter starts a notebook in the notebook's own folder.
        """
        here, above = Path(results, scale), Path("..", results, scale)
        return cls(above if above.is_dir() and not here.is_dir() else here)

    def table(self, name: str) -> pd.DataFrame:
        """Tidy frame of one table, `table1` to `table6`: one line per cell."""
        return self._frame(f"tables/{name}.csv", "table", "row", "column", "mean", "reported")

    def tables(self) -> pd.DataFrame:
        """Tidy frame of all six tables."""
        return pd.concat([self.table(name) for name in TABLES], ignore_index=True)

    def html(self, name: str) -> str:
        """One table as the HTML fragment that stands beside its csv."""
        return self._read(f"tables/{name}.html", lambda path: path.read_text(encoding="utf-8"))

    def cells(self) -> pd.DataFrame:
        """One line per cell and seed: table, row, column, seed, metric, value, run."""
        return read_cells(self.folder / "cells.csv", self._cure)

    def claims(self) -> pd.DataFrame:
        """One line per claim: claim, section, statement, verdict, evidence."""
        return self._frame("claims.csv", "claim", "verdict", "evidence")

    def claims_power(self) -> pd.DataFrame:
        """One line per claim: its difference, p-values, power and seeds needed."""
        return self._frame("claims_power.csv", "claim", "difference", "power")

    def histories(self, table: str, columns: list[str]) -> pd.DataFrame:
        """Histories behind some columns of a table: one line per row, column, seed and epoch."""
        cells = self.cells().query("table == @table and column in @columns")
        if cells.empty:
            raise InputError(
                f"{self.folder / 'cells.csv'}: nothing of {table} in {', '.join(columns)};"
                f" {self._cure}"
            )
        return pd.concat(
            [
                self._frame(f"runs/{cell['run']}/{HISTORY}", "epoch").assign(
                    row=cell["row"], column=cell["column"], seed=cell["seed"]
                )
                for cell in cells.to_dict("records")
            ],
            ignore_index=True,
        )

    def predictions(self, table: str, column: str) -> dict[str, dict[str, NDArray[Any]]]:
        """Test predictions behind one column of a table, all seeds of a row one after the other.

        By row: `logits` (seeds * n, classes) float32 and `labels` (seeds * n,) int64.
        """
        cells = self.cells().query("table == @table and column == @column")
        read = {
            row: [read_predictions(self.folder / "runs" / run) for run in runs]
            for row, runs in cells.groupby("row", sort=False)["run"]
        }
        return {
            str(row): {name: np.concatenate([seed[name] for seed in seeds]) for name in seeds[0]}
            for row, seeds in read.items()
        }

    @property
    def _cure(self) -> str:
        return f"build it with: snakemake --cores 2 --configfile config/{self.folder.name}.yaml"

    def _frame(self, name: str, *columns: str) -> pd.DataFrame:
        """A csv file that has at least these columns."""
        frame = self._read(name, _whole_csv)
        if missing := [column for column in columns if column not in frame]:
            raise InputError(
                f"{self.folder / name}: without {', '.join(missing)}, as another version wrote it;"
                f" delete it and {self._cure}"
            )
        return frame

    def _read(self, name: str, read: Callable[[Path], T]) -> T:
        path = self.folder / name
        try:
            return read(path)
        except FileNotFoundError as error:
            raise InputError(f"{path}: not there; {self._cure}") from error
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error}); delete it and {self._cure}") from error


def _whole_csv(path: Path) -> pd.DataFrame:
    if not path.read_bytes().endswith(b"\n"):
        raise ValueError("empty, or cut within a line")
    return pd.read_csv(path)
