"""The results of one scale as frames, and what the notebooks share to show them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from IPython.core.getipython import get_ipython
from IPython.display import HTML, Image, display
from matplotlib.figure import Figure
from numpy.typing import NDArray

from replication.analysis.cells_csv import CELL, read_cells, read_csv
from replication.analysis.summary import COLUMNS
from replication.errors import InputError
from replication.report.notebooks import NOTEBOOKS
from replication.report.plotting import save
from replication.runs.folder import CONFIDENCE_WEIGHTS, HISTORY
from replication.runs.record import read_predictions

TABLE_NAMES = NOTEBOOKS["figures"].tables


@dataclass(frozen=True)
class Results:
    """The folder `results/<scale>`.

    Every reader raises InputError with file and command if a file is missing or damaged.
    """

    folder: Path

    @classmethod
    def find(cls, results: str | Path, scale: str) -> Self:
        """Find the scale's folder, with `results` in the working directory or its parent.

        Jupyter starts a notebook in the folder of the notebook.
        """
        here, above = Path(results, scale), Path("..", results, scale)
        return cls(above if above.is_dir() and not here.is_dir() else here)

    def table(self, name: str) -> pd.DataFrame:
        """Tidy frame of one table, `table1` to `table6`: one line per cell."""
        return self._frame(f"tables/{name}.csv", "table", "row", "column", "mean", "reported")

    def tables(self) -> pd.DataFrame:
        """Tidy frame of all six tables."""
        return pd.concat([self.table(name) for name in TABLE_NAMES], ignore_index=True)

    def built_tables(self) -> pd.DataFrame:
        """Tidy frame of those of the six tables that are built."""
        built = [name for name in TABLE_NAMES if (self.folder / f"tables/{name}.csv").exists()]
        frames = [self.table(name) for name in built]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)

    def show_table(self, name: str) -> None:
        """Display a table in a notebook, or the reason why it cannot be shown."""
        path = self.folder / f"tables/{name}.html"
        try:
            display(HTML(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            print(f"{path}: no such file; {self._hint}")
        except (OSError, ValueError) as error:
            print(f"{path}: damaged ({error}); delete it and {self._hint}")

    def show(self, name: str, figure: Figure) -> Image:
        """Save a figure of a notebook as SVG and PNG, and return it as an image to display."""
        alt = next(it.figures[name] for it in NOTEBOOKS.values() if name in it.figures)
        return Image(filename=save(figure, self.folder / "figures", name), alt=alt, retina=True)

    def cells(self) -> pd.DataFrame:
        """One line per cell and seed: table, row, column, seed, metric, value, run."""
        return read_cells(self.folder / "cells.csv", self._hint)

    def quality(self) -> pd.DataFrame:
        """One line per image cell, seed and metric, with the columns of `cells`."""
        return read_cells(self.folder / "quality.csv", self._hint)

    def quality_table(self) -> pd.DataFrame:
        """One line per image cell and metric, with its interval and difference to the teacher."""
        return self._frame("tables/quality.csv", *CELL, "metric", "mean", "delta_vs_teacher")

    def reliability(self) -> pd.DataFrame:
        """One line per image cell, seed and bin of confidence that is not empty."""
        return self._frame("reliability.csv", *CELL, "seed", "bin", "confidence", "accuracy")

    def claims(self) -> pd.DataFrame:
        """One line per claim: claim, section, statement, verdict, evidence."""
        return self._frame("claims.csv", "claim", "verdict", "evidence")

    def claims_power(self) -> pd.DataFrame:
        """One line per claim: its difference, p-values, power and seeds needed."""
        return self._frame("claims_power.csv", "claim", "difference", "power")

    def histories(self, table: str, columns: list[str]) -> pd.DataFrame:
        """Histories behind some columns of a table: one line per row, column, seed and epoch."""
        return self._of_runs(table, columns, HISTORY, "epoch")

    def confidence_weights(self) -> pd.DataFrame:
        """Percentiles of the weights behind CWTM's column of table 2, by row, seed and `percent`.

        `max` are CWTM's own, `true_class` those of equation 9, times the batch size.
        """
        return self._of_runs("table2", ["cwtm"], CONFIDENCE_WEIGHTS, "percent", "max", "true_class")

    def _of_runs(self, table: str, columns: list[str], file: str, *needed: str) -> pd.DataFrame:
        """A csv file of the runs behind some columns of a table, with row, column and seed."""
        cells = self.cells().query("table == @table and column in @columns")
        if cells.empty:
            raise InputError(
                f"{self.folder / 'cells.csv'}: no {', '.join(columns)} of {table}; {self._hint}"
            )
        keys = ["row", "column", "seed"]
        runs = [
            self._frame(f"runs/{run}/{file}", *needed).assign(**dict(zip(keys, at, strict=True)))
            for *at, run in cells[[*keys, "run"]].itertuples(index=False)
        ]
        return pd.concat(runs, ignore_index=True)

    def predictions(self, table: str, column: str) -> dict[str, dict[str, NDArray[Any]]]:
        """Test predictions behind one column of a table, the seeds of a row concatenated.

        By row: `logits` (seeds * n, classes) float32 and `labels` (seeds * n,) int64.
        """
        cells = self.cells().query("table == @table and column == @column")
        found = {}
        for row, runs in cells.groupby("row", sort=False)["run"]:
            seeds = [read_predictions(self.folder / "runs" / run) for run in runs]
            found[str(row)] = {key: np.concatenate([it[key] for it in seeds]) for key in seeds[0]}
        return found

    @property
    def _hint(self) -> str:
        return f"build it with: snakemake --cores 2 --configfile config/{self.folder.name}.yaml"

    def _frame(self, name: str, *columns: str) -> pd.DataFrame:
        """A csv file that has at least these columns."""
        frame = read_csv(self.folder / name, self._hint)
        if missing := [column for column in columns if column not in frame]:
            raise InputError(
                f"{self.folder / name}: without {', '.join(missing)}, written by another version;"
                f" delete it and {self._hint}"
            )
        return frame


def open_results(scale: str, results: str | Path) -> Results:
    """The results that a notebook shows: of the scale of Snakemake's job, or of its own parameters.

    Snakemake leaves a notebook's parameters as they are and adds a variable `snakemake`.
    """
    shell = get_ipython()
    job = shell.user_ns.get("snakemake") if shell else None
    return Results.find(results, job.wildcards.scale if job else scale)
