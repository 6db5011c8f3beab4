"""What a claim compares, by seed: the reference of students, and the unit of analysis."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.analysis.cells_csv import CELL, KEY
from replication.config.paper_claims import CellKey, Weights

LABEL = r"^([^/;]+/[^/;.]+\.label)\.\d+$"
"""A label-trained run with the scale's own recipe; the group is what it shares with its like."""

Values = Mapping[CellKey, NDArray[np.float64]]
"""The value of each cell at every seed."""


class Measured:
    """The values of cells by seed, with label-trained networks in the place of one teacher.

    A student's own teacher is one of several label-trained networks of its seed, where tables such
    as `controls` train more, and no better a reference than the others. A label-trained cell
    therefore counts as the mean over all label-trained runs of its network, data set and seed. The
    differences of a seed contain what the teacher and its student have in common, so that a t-test
    over seeds accounts for it.
    """

    def __init__(self, cells: pd.DataFrame) -> None:
        """Take lines of ``cells.csv``, or those of ``quality.csv`` with one metric."""
        cells = cells.dropna(subset="value")
        labels = cells.assign(group=cells["run"].str.extract(LABEL, expand=False))
        labels = labels.dropna(subset="group")
        same = ["group", "metric", "seed"]
        alone = labels.drop_duplicates([*same, "run"]).groupby(same)
        references = labels.set_index(same).index
        means = cells["value"].copy()
        means[labels.index] = alone["value"].mean().reindex(references).to_numpy()
        beside = cells["run"].copy()
        beside[labels.index] = alone["run"].agg(";".join).reindex(references).to_numpy()
        self.paired = _by_cell(cells)
        self.values = _by_cell(cells.assign(value=means))
        of_cell = beside.groupby([cells[name] for name in CELL]).agg(";".join)
        # Runs that share any run share generation 0, the first part after the data set.
        self.roots = {
            key: {"/".join(run.split("/")[:2]) for run in runs.split(";")}
            for key, runs in of_cell.items()
        }

    def missing(self, cells: Weights) -> list[CellKey]:
        """The cells without a value at any seed."""
        return [cell for cell in cells if cell not in self.roots]

    def strata(self, contrast: Weights) -> list[Weights]:
        """Parts of a contrast that share no run and differ in nothing but their network.

        The contrast itself where there are no such parts: then the seed is the unit of analysis.
        """
        parts: list[tuple[set[str], dict[CellKey, float]]] = []
        for cell, weight in contrast.items():
            roots, mine = set(self.roots[cell]), {cell: weight}
            for part in [part for part in parts if part[0] & roots]:
                parts.remove(part)
                roots, mine = roots | part[0], part[1] | mine
            parts.append((roots, mine))
        alike = len({_shape(part) for _, part in parts}) == 1
        return [part for _, part in parts] if alike else [contrast]

    def combine(self, weights: Weights, values: Values | None = None) -> NDArray[np.float64]:
        """The weighted sum of cells for each seed that has all of them."""
        combined: NDArray[np.float64] = self.combine_strata([weights], values)[0]
        return combined

    def combine_strata(
        self, strata: list[Weights], values: Values | None = None
    ) -> NDArray[np.float64]:
        """The weighted sums (k, n) of k strata, for the n seeds that have all of their cells."""
        of_all = [cell for part in strata for cell in part]
        source = self.values if values is None else values
        found = np.array([source[cell] for cell in of_all])
        found = found[:, np.isfinite(found).all(0)]
        weights = np.zeros((len(strata), len(of_all)))
        for place, part in enumerate(strata):
            weights[place, [of_all.index(cell) for cell in part]] = [*part.values()]
        combined: NDArray[np.float64] = weights @ found
        return combined


def _by_cell(cells: pd.DataFrame) -> Values:
    """The values (seeds,) of each cell, NaN where it lacks a seed."""
    values = cells.set_index(KEY)["value"].unstack("seed")
    return dict(zip(values.index, values.to_numpy(), strict=True))


def _shape(part: Mapping[CellKey, float]) -> tuple[tuple[str, str, float], ...]:
    """A part without its rows, up to its sign."""
    found = sorted((table, column, round(weight, 9)) for (table, _, column), weight in part.items())
    sign = np.sign(found[0][2])
    return tuple((table, column, float(sign * weight)) for table, column, weight in found)
