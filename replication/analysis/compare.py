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

from replication.analysis.compared_recipes import check_recipes
from replication.analysis.hypothesis_tests import LEVEL, holm
from replication.analysis.statistics import CONFIDENCE, TIED
from replication.errors import InputError
from replication.results.csv_columns import CELL_AND_SEED_KEY, CELL_KEY
from replication.results.csv_files import read_cells, read_csv_file, read_runs, split_members

OUTCOMES = ("identical", "equal", "within", "outside")
"""What a number can be, compared with the published ones, the closest first."""
TESTED = ("nll", "agreement", "kl")
"""Metrics of ``quality.csv.gz`` that are tested beside the error or perplexity of ``cells.csv``."""
COLUMN_KEY = ["table", "column", "metric"]
"""What identifies a column that is tested as a whole."""


@dataclass(frozen=True)
class Comparison:
    """A line per number, and a line per tested column and metric."""

    numbers: pd.DataFrame
    columns: pd.DataFrame

    @property
    def reproduces(self) -> bool:
        """Whether every number comes from predictions with the same bytes."""
        return bool((self.numbers["outcome"] == "identical").all())

    @property
    def differing_numbers(self) -> pd.DataFrame:
        """Numbers further outside than chance explains, corrected for how many there are."""
        return self.numbers[self.numbers["p_corrected"] < LEVEL]

    @property
    def differing_columns(self) -> pd.DataFrame:
        """Columns that differ, corrected for how many are tested, the clearest first."""
        differing = self.columns[self.columns["p_corrected"] < LEVEL]
        return differing.sort_values("p_value", kind="stable")

    @property
    def consistent(self) -> bool:
        """Whether nothing differs by more than chance explains."""
        return self.differing_numbers.empty and self.differing_columns.empty


def compare(results: Path, published: Path) -> Comparison:
    """Compare the results of a folder with published ones of the same recipes.

    Raises:
        InputError: a file is missing or damaged, they have no number in common or other recipes,
            or there are fewer than two published seeds.
    """
    if not published.is_dir():
        raise InputError(f"{published}: no such folder; name the published results with --with")
    own_cells, published_cells = read_cells(results), read_cells(published)
    own_runs, published_runs = read_runs(results), read_runs(published)
    check_recipes(results, published, (own_cells, published_cells), (own_runs, published_runs))
    numbers = compare_numbers(
        own_cells,
        published_cells,
        dict(own_runs["predictions_sha256"]),
        dict(published_runs["predictions_sha256"]),
    )
    if numbers.empty:
        raise InputError(
            f"{results}: shares no cell with {published}; name results of the same scale"
        )
    if numbers["published_seeds"].min() < 2:
        raise InputError(
            f"{published}: one seed has no spread to compare with; at least two are needed"
        )
    columns = compare_columns(
        _tested_values(results, own_cells), _tested_values(published, published_cells), numbers
    )
    return Comparison(numbers, columns)


def _tested_values(folder: Path, cells: pd.DataFrame) -> pd.DataFrame:
    """The numbers that are tested: every cell's, and some metrics of its predictions."""
    quality = read_csv_file(folder, "quality")
    return pd.concat([cells, quality[quality["metric"].isin(TESTED)]], ignore_index=True)


def compare_numbers(
    own: pd.DataFrame,
    published: pd.DataFrame,
    own_checksums: Mapping[str, str],
    published_checksums: Mapping[str, str],
) -> pd.DataFrame:
    """Compare lines of ``cells.csv``: a line for each own number whose cell is published.

    The checksums are those of the predictions by run. ``outcome`` is one of `OUTCOMES`. The
    interval is mean ± t(n − 1) s √(1 + 1/n) of the n published seeds, ``p_value`` that of the
    number in this distribution; NaN where its seed has the same or the published seeds are all
    equal.
    """
    key = [*CELL_KEY, "metric"]
    seed_key = [*CELL_AND_SEED_KEY, "metric"]
    groups = published.groupby(key)["value"]
    spread = groups.agg(published_mean="mean", std="std", published_seeds="count").reset_index()
    same_seed = published[[*seed_key, "value", "run"]]
    lines = own.merge(spread, on=key).merge(
        same_seed.rename(columns={"value": "published", "run": "published_run"}),
        on=seed_key,
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
        isinstance(published_run, str)
        and _checksums(run, own_checksums) == _checksums(published_run, published_checksums)
        for run, published_run in zip(lines["run"], lines["published_run"], strict=True)
    ]
    conditions = [identical & equal, equal, lines["p_value"] >= 1 - CONFIDENCE]
    lines["outcome"] = np.select(conditions, OUTCOMES[:3], OUTCOMES[3])
    lines.loc[equal, "p_value"] = np.nan
    lines["p_corrected"] = holm(lines["p_value"].to_numpy())
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * error
    lines = lines.assign(low=lines["published_mean"] - reach, high=lines["published_mean"] + reach)
    shown = ["published", "published_mean", "published_seeds", "low", "high"]
    return lines[[*seed_key, "value", *shown, "outcome", "p_value", "p_corrected"]]


def _checksums(members: str, checksums: Mapping[str, str]) -> list[str | None]:
    return [checksums.get(run) for run in split_members(members)]


def compare_columns(
    own: pd.DataFrame, published: pd.DataFrame, numbers: pd.DataFrame
) -> pd.DataFrame:
    """Test each column of a table and each metric: a line by `COLUMN_KEY`, with Holm's correction.

    Columns of which every number is identical or equal are not tested. ``difference`` is the mean
    over rows and seeds of own − published in the metric's unit, ``standardised`` in standard
    deviations of a seed (`pooled_difference`).
    """
    place = ["table", "column"]
    unlike = numbers[numbers["outcome"].isin(["within", "outside"])]
    tested = unlike[place].drop_duplicates()
    lines = []
    for key, own_column in own.merge(tested, on=place).groupby(COLUMN_KEY, sort=False):
        published_column = published[(published[COLUMN_KEY] == list(key)).all(axis=1)]
        own_values, published_values = _values_by_row(own_column, published_column)
        if own_values.size and published_values.size:
            counts = len(own_values), own_values.shape[1], published_values.shape[1]
            difference = own_values.mean() - published_values.mean()
            tested_difference = pooled_difference(own_values, published_values)
            lines.append((*key, *counts, difference, *tested_difference))
    names = ["rows", "seeds", "published_seeds", "difference", "standardised", "p_value"]
    frame = pd.DataFrame(lines, columns=[*COLUMN_KEY, *names])
    return frame.assign(p_corrected=holm(frame["p_value"].to_numpy(dtype=float)))


def _values_by_row(
    own: pd.DataFrame, published: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values of both sides for the rows in common, (rows, seeds), of seeds that have all rows."""
    wide = [side.pivot(index="row", columns="seed", values="value") for side in (own, published)]
    rows = wide[0].index.intersection(wide[1].index)
    own_values, published_values = (
        side.loc[rows].dropna(axis="columns").to_numpy() for side in wide
    )
    return own_values, published_values


def pooled_difference(
    own: NDArray[np.float64], published: NDArray[np.float64]
) -> tuple[float, float]:
    """Mean standardised difference between rows (rows, k) and (rows, n), and its p-value.

    Each row is divided by its standard deviation over all k + n seeds, and the rows are averaged
    for each seed; a two-sample t-test with k + n − 2 degrees of freedom follows. The unit is the
    seed, so rows may share runs and depend on each other in any way. Seeds are taken to
    be independent draws from one joint normal distribution of the rows; then the distribution of
    the standardised rows is spherical over the seeds, and the t-test is exact. Where the same seed
    gives similar numbers on both sides, as with the same code on another machine, the p-value is
    too large, never too small. NaN where seeds do not vary: errors are counts, so equal ones
    have no spread to compare with.
    """
    everything = np.concatenate([own, published], axis=1)
    spread = everything.std(axis=1, ddof=1, keepdims=True)
    varied = spread[:, 0] > TIED * np.maximum(1, np.abs(everything).max(axis=1))
    if not varied.any():
        return 0.0, np.nan
    own_means, published_means = (
        (values[varied] / spread[varied]).mean(axis=0) for values in (own, published)
    )
    difference = float(own_means.mean() - published_means.mean())
    n_own, n_published = len(own_means), len(published_means)
    freedom = n_own + n_published - 2
    squares = n_own * own_means.var() + n_published * published_means.var()
    # Unlike SciPy's, one sample may be a single seed.
    error = np.sqrt(squares / freedom * (1 / n_own + 1 / n_published))
    if not error > TIED:
        return difference, np.nan
    return difference, float(2 * stats.t.sf(abs(difference) / error, freedom))
