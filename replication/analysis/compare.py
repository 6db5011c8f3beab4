"""Compares the results of a scale with published ones, number by number and column by column.

A number is *identical* if the predictions behind it have the same bytes, *equal* if the value is
that of the same seed, *within* if it lies in the 95 % prediction interval of the published seeds,
and *outside* otherwise. Other seeds than the published ones are compared by interval only.

Single numbers vary too much between seeds to show a systematic difference. `compare_columns`
therefore tests each column of a table as a whole, on the error and on what predictions say beyond
it: likelihood, agreement with the teacher and KL to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from replication.analysis import runs_csv
from replication.analysis.cells_csv import CELL, KEY, read_cells
from replication.analysis.hypothesis_tests import LEVEL, holm
from replication.analysis.statistics import CONFIDENCE, TIED
from replication.errors import InputError
from replication.plan.plan import MACHINE, SCALE_FILE, read_scale
from replication.results.run_folder import PREDICTIONS
from replication.results.run_record import read_record

CLASSES = ("identical", "equal", "within", "outside")
TESTED = ("nll", "agreement", "kl")
"""Metrics of ``quality.csv`` that are tested beside the error or perplexity of ``cells.csv``."""
# Keys of a scale that results may differ in and still be of the same recipe.
FREE = {"seeds", "table_seeds", "tables", "exceptions", "teacher_at_chance", *MACHINE}
COLUMN = ["table", "column", "metric"]


@dataclass(frozen=True)
class Comparison:
    """A line per number, and a line per tested column and metric."""

    numbers: pd.DataFrame
    columns: pd.DataFrame

    @property
    def reproduces(self) -> bool:
        """Whether every number comes from predictions with the same bytes."""
        return bool((self.numbers["found"] == "identical").all())

    @property
    def differing_numbers(self) -> pd.DataFrame:
        """Numbers further outside than chance explains, corrected for how many there are."""
        return self.numbers[self.numbers["p_corrected"] < LEVEL]

    @property
    def differing_columns(self) -> pd.DataFrame:
        """Columns that differ, corrected for how many are tested, the clearest first."""
        found = self.columns[self.columns["p_corrected"] < LEVEL]
        return found.sort_values("p_value", kind="stable")

    @property
    def consistent(self) -> bool:
        """Whether nothing differs by more than chance explains."""
        return self.differing_numbers.empty and self.differing_columns.empty


def compare(results: Path, published: Path) -> Comparison:
    """Compare the results of a folder with published ones of the same scale.

    Raises:
        InputError: a file is missing or damaged, they have no number in common or other recipes,
            or there are fewer than two published seeds.
    """
    if not published.is_dir():
        raise InputError(f"{published}: no such folder; name published results with --with")
    _check_recipes(results, published)
    numbers = compare_numbers(
        read_cells(results / "cells.csv"),
        read_cells(published / "cells.csv"),
        predictions_of(results),
        predictions_of(published),
    )
    if numbers.empty:
        raise InputError(f"{results}: has no cell of {published}; name results of its scale")
    if numbers["published_seeds"].min() < 2:
        raise InputError(f"{published}: one seed has no spread to compare with; it needs two")
    columns = compare_columns(_measured(results), _measured(published), numbers)
    return Comparison(numbers, columns)


def _check_recipes(results: Path, published: Path) -> None:
    """Raise InputError if what the two were trained by differs in more than seeds and tables."""
    scales = [read_scale(it / SCALE_FILE) for it in (results, published)]
    own, theirs = (scale.model_dump(exclude=FREE) for scale in scales)
    unlike = [key for key in theirs if own[key] != theirs[key]]
    if unlike:
        raise InputError(
            f"{results}: is of another recipe than {published} (`{'`, `'.join(unlike)}`); compare"
            " results of the same scale file"
        )


def predictions_of(folder: Path) -> dict[str, str]:
    """The checksum of each run's predictions, of results or of a publication.

    Raises InputError if a run's record, or ``runs.csv``, is missing or damaged.
    """
    if (file := folder / runs_csv.FILE).exists():
        return dict(runs_csv.read_runs(file)["predictions_sha256"])
    cells = read_cells(folder / "cells.csv")
    runs = {run for of_cell in cells["run"] for run in of_cell.split(";")}
    return {run: read_record(folder / "runs" / run)["checksums"][PREDICTIONS] for run in runs}


def _measured(folder: Path) -> pd.DataFrame:
    """The numbers that are tested: every cell's, and some metrics of its predictions."""
    quality = read_cells(folder / "quality.csv")
    cells = read_cells(folder / "cells.csv")
    return pd.concat([cells, quality[quality["metric"].isin(TESTED)]], ignore_index=True)


def compare_numbers(
    own: pd.DataFrame,
    published: pd.DataFrame,
    own_sums: Mapping[str, str],
    published_sums: Mapping[str, str],
) -> pd.DataFrame:
    """Compare lines of ``cells.csv``: a line for each own number whose cell is published.

    ``found`` is one of `CLASSES`. The interval is mean ± t(n − 1) s √(1 + 1/n) of the n published
    seeds, ``p_value`` that of the number in this distribution; NaN where its seed has the same or
    the published seeds are all equal.
    """
    key = [*CELL, "metric"]
    groups = published.groupby(key)["value"]
    spread = groups.agg(published_mean="mean", std="std", published_seeds="count").reset_index()
    same_seed = published[[*KEY, "metric", "value", "run"]]
    lines = own.merge(spread, on=key).merge(
        same_seed.rename(columns={"value": "published", "run": "published_run"}),
        on=[*KEY, "metric"],
        how="left",
    )
    n = lines["published_seeds"].to_numpy()
    error = lines["std"].to_numpy() * np.sqrt(1 + 1 / n)
    distance = lines["value"] - lines["published_mean"]
    # Errors are counts: equal published values do not mean that seeds do not vary.
    varied = error > TIED * np.maximum(1, lines["published_mean"].abs())
    ratio = distance.abs().to_numpy() / np.where(varied, error, np.nan)
    lines["p_value"] = 2 * stats.t.sf(ratio, n - 1)
    equal = np.isclose(lines["value"], lines["published"], rtol=TIED, atol=TIED)
    identical = [
        isinstance(other, str) and _sums(run, own_sums) == _sums(other, published_sums)
        for run, other in zip(lines["run"], lines["published_run"], strict=True)
    ]
    conditions = [identical & equal, equal, lines["p_value"] >= 1 - CONFIDENCE]
    lines["found"] = np.select(conditions, CLASSES[:3], CLASSES[3])
    lines.loc[equal, "p_value"] = np.nan
    lines["p_corrected"] = holm(lines["p_value"].to_numpy())
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * error
    lines = lines.assign(low=lines["published_mean"] - reach, high=lines["published_mean"] + reach)
    shown = ["published", "published_mean", "published_seeds", "low", "high"]
    return lines[[*KEY, "metric", "value", *shown, "found", "p_value", "p_corrected"]]


def _sums(runs: str, sums: Mapping[str, str]) -> list[str | None]:
    return [sums.get(run) for run in runs.split(";")]


def compare_columns(
    own: pd.DataFrame, published: pd.DataFrame, numbers: pd.DataFrame
) -> pd.DataFrame:
    """Test each column of a table and each metric: a line by `COLUMN`, with Holm's correction.

    Columns of which every number is identical or equal are not tested. ``difference`` is the mean
    over rows and seeds of own − published in the metric's unit, ``standardised`` in standard
    deviations of a seed (`pooled_difference`).
    """
    place = ["table", "column"]
    unlike = numbers[numbers["found"].isin(["within", "outside"])]
    tested = unlike[place].drop_duplicates()
    lines = []
    groups = {
        key: (mine, published[(published[COLUMN] == list(key)).all(axis=1)])
        for key, mine in own.merge(tested, on=place).groupby(COLUMN, sort=False)
    }
    for key, frames in groups.items():
        pivots = [it.pivot(index="row", columns="seed", values="value") for it in frames]
        rows = pivots[0].index.intersection(pivots[1].index)
        values = [it.loc[rows].dropna(axis="columns").to_numpy() for it in pivots]
        if len(rows) and all(it.size for it in values):
            difference = values[0].mean() - values[1].mean()
            counts = len(rows), *(it.shape[1] for it in values)
            lines.append((*key, *counts, difference, *pooled_difference(*values)))
    names = ["rows", "seeds", "published_seeds", "difference", "standardised", "p_value"]
    frame = pd.DataFrame(lines, columns=[*COLUMN, *names])
    return frame.assign(p_corrected=holm(frame["p_value"].to_numpy(dtype=float)))


def pooled_difference(
    own: NDArray[np.float64], published: NDArray[np.float64]
) -> tuple[float, float]:
    """Mean standardised difference of rows (rows, k) to (rows, n) over seeds, and its p-value.

    Each row is divided by its standard deviation over all k + n seeds, and the rows are averaged
    for each seed; then follows a t-test of two samples with k + n − 2 degrees of freedom. The unit
    is the seed, so that rows may share runs and depend on each other in any way. Seeds are taken to
    be independent draws from one joint normal distribution of the rows; then the distribution of
    the standardised rows is spherical over the seeds, and the t-test is exact. Where the same seed
    gives similar numbers on both sides, as with the same code on another machine, the p-value is
    too large, never too small. NaN where seeds do not vary: errors are counts, so that equal ones
    have no spread to compare with.
    """
    everything = np.concatenate([own, published], axis=1)
    spread = everything.std(axis=1, ddof=1, keepdims=True)
    varied = spread[:, 0] > TIED * np.maximum(1, np.abs(everything).max(axis=1))
    if not varied.any():
        return 0.0, np.nan
    mine, theirs = ((it[varied] / spread[varied]).mean(axis=0) for it in (own, published))
    difference = float(mine.mean() - theirs.mean())
    freedom = len(mine) + len(theirs) - 2
    squares = len(mine) * mine.var() + len(theirs) * theirs.var()
    # Unlike SciPy's, one sample may be a single seed.
    error = np.sqrt(squares / freedom * (1 / len(mine) + 1 / len(theirs)))
    if not error > TIED:
        return difference, np.nan
    return difference, float(2 * stats.t.sf(abs(difference) / error, freedom))
