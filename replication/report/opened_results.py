"""The results of one scale as frames, and what the notebooks share to show them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from matplotlib.figure import Figure

from replication.config.paper_names import table_name
from replication.plan.plan import PUBLISHED
from replication.report.interpretation import describe_claims, describe_curves, describe_table
from replication.report.notebook_catalogue import NOTEBOOKS
from replication.report.plotting import draw, save
from replication.results.csv_files import BUILD, csv_path, read_cells, read_csv_file, read_runs
from replication.results.schema import CSV_FILES

TABLE_NAMES = NOTEBOOKS["figures"].tables


@dataclass(frozen=True)
class Results:
    """The folder `results/<scale>`, or `published/<scale>`, into which nothing is written.

    Every reader raises InputError with file and command if a file is missing or damaged.
    """

    folder: Path
    published: bool = False

    @classmethod
    def find(cls, results: str | Path, scale: str) -> Self:
        """Find the scale's folder: with cells in `results`, else in `published`.

        Both may lie in the working directory or in its parent, because Jupyter starts a notebook in
        the folder of the notebook.
        """
        # Links are not followed: a publication that is derived anew is shown through one.
        published = {os.path.abspath(Path(base, PUBLISHED, scale)) for base in ("", "..")}
        for name in (results, PUBLISHED):
            for folder in (Path(name, scale), Path("..", name, scale)):
                if (folder / "cells.csv").exists():
                    return cls(folder, published=os.path.abspath(folder) in published)
        return cls(Path(results, scale))

    def table(self, name: str) -> pd.DataFrame:
        """Tidy frame of one table, `table1` to `table6`: one line per cell."""
        return read_csv_file(self.folder, "table", self._hint, table=name)

    def tables(self) -> pd.DataFrame:
        """Tidy frame of all six tables."""
        return pd.concat([self.table(name) for name in TABLE_NAMES], ignore_index=True)

    def built_tables(self) -> pd.DataFrame:
        """Tidy frame of those of the six tables that are built."""
        built = [name for name in TABLE_NAMES if csv_path(self.folder, "table", name).exists()]
        frames = [self.table(name) for name in built]
        if not frames:
            return pd.DataFrame(columns=CSV_FILES["table"].names)
        return pd.concat(frames, ignore_index=True)

    def show_table(self, name: str) -> None:
        """Display a table in a notebook, and how many of its students are better than teachers.

        A scale without the table says so.
        """
        path = self.folder / f"tables/{name}.html"
        try:
            display(HTML(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            print(f"These results do not have {table_name(name)}; {self._hint}")
            return
        except (OSError, ValueError) as error:
            print(f"{path}: damaged ({error}); delete it and {self._hint}")
            return
        if name in TABLE_NAMES:
            display(Markdown(describe_table(self.table(name))))

    def show_findings(self, *names: str) -> None:
        """Display what these results say about some claims; those not measured are left out."""
        display(Markdown(describe_claims(self.claims(), names)))

    def show(self, name: str, figure: Figure) -> Image:
        """A figure of a notebook as an image to display.

        In results of one's own it is also saved, as SVG and PNG.
        """
        alt = next(spec.figures[name] for spec in NOTEBOOKS.values() if name in spec.figures)
        png = draw(figure, "png") if self.published else save(figure, self.folder / "figures", name)
        return Image(png, alt=alt, retina=True)

    def runs(self) -> pd.DataFrame:
        """One line per run, indexed by run: network, objective, generation, teachers, result."""
        return read_runs(self.folder, self._hint)

    def cells(self) -> pd.DataFrame:
        """One line per cell and seed: table, row, column, seed, metric, value, run."""
        return read_cells(self.folder, self._hint)

    def quality(self) -> pd.DataFrame:
        """One line per image cell, seed and metric, with the columns of `cells`."""
        return self._frame("quality")

    def quality_table(self) -> pd.DataFrame:
        """One line per image cell and metric, with its interval and difference from the teacher."""
        return self._frame("quality_table")

    def reliability(self) -> pd.DataFrame:
        """One line per image cell, seed and bin of confidence that is not empty."""
        return self._frame("reliability")

    def claims(self) -> pd.DataFrame:
        """One line per claim: claim, section, statement, verdict, evidence."""
        return self._frame("claims")

    def claims_power(self) -> pd.DataFrame:
        """One line per claim: its difference, p-values, power and seeds needed."""
        return self._frame("claims_power")

    def learning_curves(self) -> pd.DataFrame:
        """Metrics of table 2's runs by row, column and epoch: mean, low and high of the seeds."""
        return self._frame("learning_curves")

    def confidence_weights(self) -> pd.DataFrame:
        """Percentiles of the weights behind CWTM's column of table 2, by row and `percent`.

        `max` are CWTM's own, `true_class` those of equation 9, times the batch size.
        """
        return self._frame("confidence_weights")

    def class_similarity(self) -> pd.DataFrame:
        """A teacher's mean probability of each class, by `treatment` and `argmax`."""
        return self._frame("class_similarity")

    def show_curves(self) -> None:
        """Display how the gradients of the treatments end up."""
        display(Markdown(describe_curves(self.learning_curves())))

    @property
    def _hint(self) -> str:
        if self.published:
            return "look for it in the publications that docs/results.md lists"
        return BUILD

    def _frame(self, name: str) -> pd.DataFrame:
        """One of the csv files that `results.schema` describes."""
        return read_csv_file(self.folder, name, self._hint)


def open_results(scale: str, results: str | Path, *tables: str) -> Results:
    """The results that a notebook shows; it says so if they are published ones.

    Raises:
        InputError: a table that the notebook needs is missing.
    """
    opened = Results.find(results, scale)
    if opened.published:
        print(f"You have no results for scale {scale}; these are the published ones.")
    for name in tables:
        opened.table(name)
    return opened
