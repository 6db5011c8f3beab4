"""What a claim compares, by seed: the reference of students, and the unit of analysis.

A run is what its line in ``runs.csv`` says that it is; its id is only a name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.config.claim_specs import CellKey, Weights
from replication.plan.run import LABEL_OBJECTIVE
from replication.results.csv_columns import CELL_AND_SEED_KEY
from replication.results.csv_files import check_members, split_members

TREATMENT = ["dataset", "network", "recipe_hash"]
"""What label-trained runs that count as one reference have in common."""
RUN_PROPERTIES = [*TREATMENT, "objective", "seed", "lineage_seed", "root_teacher"]
"""The columns of ``runs.csv`` that are read here."""


@dataclass(frozen=True)
class Reference:
    """The label-trained runs of one network, data set and recipe, by seed.

    ``values`` is (runs per seed, seeds), because one seed of a lineage can have several such runs:
    of different seeds of their own, and of different processors where results were pooled. A line
    has the runs whose own seeds have one distance from the seeds of their lineages; NaN where there
    is no run.
    ``name`` has network and data set; ``roots`` names all of the runs.
    """

    name: str
    values: NDArray[np.float64]
    roots: frozenset[str]

    def at(self, seeds: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The values (runs, n) of those runs that each of the n chosen seeds has."""
        chosen = self.values[:, seeds]
        return chosen[np.isfinite(chosen).all(1)]


class CellValues:
    """The values of cells by seed, with label-trained networks in the place of one teacher.

    A student's own teacher is one of several label-trained networks of its seed, where tables such
    as `controls` train more, and no better a reference than the others. A label-trained cell
    therefore counts as the mean over all label-trained runs of its network, data set, recipe and
    seed that every seed of the comparison has, so that all seeds have equally many. The differences
    of a seed contain what the teacher and its student have in common, so a t-test over seeds
    accounts for it.
    """

    def __init__(self, cells: pd.DataFrame, runs: pd.DataFrame) -> None:
        """Take lines of ``cells.csv``, or those of ``quality.csv.gz`` with one metric.

        Args:
            cells: lines with table, row, column, seed, metric, value and run.
            runs: ``runs.csv`` by run, as `results.csv_files.read_runs` returns it.

        Raises:
            InputError: a run of the cells has no line in ``runs.csv``.
        """
        cells = cells.dropna(subset="value")
        check_members(cells["run"], runs)
        members = cells["run"].map(split_members)
        self.seeds = np.sort(cells["seed"].unique())
        self.values_by_cell = _by_cell(cells, self.seeds)
        roots = runs["root_teacher"].fillna(pd.Series(runs.index, runs.index))
        self.roots: dict[CellKey, set[str]] = {key: set() for key in self.values_by_cell}
        for key, names in zip(_keys(cells), members, strict=True):
            self.roots[key] |= {roots[name] for name in names}
        self.references = self._references(cells, runs)
        for key, reference in self.references.items():
            self.roots[key] |= reference.roots

    def _references(self, cells: pd.DataFrame, runs: pd.DataFrame) -> dict[CellKey, Reference]:
        """The reference of each label-trained cell."""
        single = cells[cells["run"].isin(runs.index)].join(
            runs[RUN_PROPERTIES].drop(columns="seed").assign(own_seed=runs["seed"]), on="run"
        )
        labels = single[single["objective"] == LABEL_OBJECTIVE]
        labels = labels.assign(offset=labels["own_seed"] - labels["lineage_seed"])
        references: dict[CellKey, Reference] = {}
        for _, of_treatment in labels.groupby([*TREATMENT, "metric"], sort=False):
            once = of_treatment.drop_duplicates(["run", "seed"])
            # Results that were pooled can have two runs with one seed, of different processors.
            number = once.groupby(["offset", "seed"]).cumcount()
            values = once.assign(number=number).pivot(
                index=["offset", "number"], columns="seed", values="value"
            )
            reference = Reference(
                " on ".join(once[["network", "dataset"]].iloc[0]),
                values.reindex(columns=self.seeds).to_numpy(dtype=float),
                frozenset(once["run"]),
            )
            references |= dict.fromkeys(_keys(of_treatment), reference)
        return references

    def missing(self, cells: Iterable[CellKey]) -> list[CellKey]:
        """The cells without a value at any seed."""
        return [cell for cell in cells if cell not in self.values_by_cell]

    def common_seeds(self, cells: Iterable[CellKey]) -> NDArray[np.bool_]:
        """Which of all seeds have a value of every one of these cells."""
        values = np.array([self.values_by_cell[cell] for cell in cells])
        return np.asarray(np.isfinite(values).all(0))

    def reference_sizes(self, cells: Iterable[CellKey]) -> dict[str, int]:
        """How many label-trained runs each seed of a comparison has, by network and data set.

        Only label-trained cells count; the comparison is of all of the cells.
        """
        compared = list(cells)
        seeds = self.common_seeds(compared)
        references = [self.references[cell] for cell in compared if cell in self.references]
        return {reference.name: len(reference.at(seeds)) or 1 for reference in references}

    def strata(self, contrast: Weights) -> list[Weights]:
        """Parts of a contrast that share no run and differ in nothing but their network.

        The contrast itself where there are no such parts: then the seed is the unit of analysis.
        """
        parts: list[tuple[set[str], dict[CellKey, float]]] = []
        for cell, weight in contrast.items():
            roots, cells = set(self.roots[cell]), {cell: weight}
            for part in [part for part in parts if part[0] & roots]:
                parts.remove(part)
                roots, cells = roots | part[0], part[1] | cells
            parts.append((roots, cells))
        same_shape = len({_shape(part) for _, part in parts}) == 1
        return [part for _, part in parts] if same_shape else [contrast]

    def combine(
        self, strata: list[Weights], cells: Iterable[CellKey], *, own_teacher: bool = False
    ) -> NDArray[np.float64]:
        """Weighted sums (k, n) of k strata, for the n seeds that have all of the given cells.

        Args:
            strata: the weights of each sum.
            cells: the whole comparison; every one of its seeds has the same number of
                label-trained runs in each reference.
            own_teacher: take each cell's own run instead of the mean of its reference.
        """
        seeds = self.common_seeds(cells)

        def values(cell: CellKey) -> NDArray[np.float64]:
            own_values = self.values_by_cell[cell][seeds]
            if own_teacher or cell not in self.references:
                return own_values
            runs = self.references[cell].at(seeds)
            return np.asarray(runs.mean(0)) if len(runs) else own_values

        return np.array(
            [
                np.sum([weight * values(cell) for cell, weight in part.items()], axis=0)
                for part in strata
            ]
        )


def _keys(cells: pd.DataFrame) -> list[CellKey]:
    return list(zip(cells["table"], cells["row"], cells["column"], strict=True))


def _by_cell(cells: pd.DataFrame, seeds: NDArray[np.int64]) -> dict[CellKey, NDArray[np.float64]]:
    """The values (seeds,) of each cell, NaN where it lacks a seed."""
    table = cells.set_index(CELL_AND_SEED_KEY)["value"].unstack("seed")
    values = table.reindex(columns=seeds).to_numpy(dtype=float)
    return dict(zip(table.index, values, strict=True))


def _shape(part: Mapping[CellKey, float]) -> tuple[tuple[str, str, float], ...]:
    """A part without its rows, up to its sign."""
    cells = sorted((table, column, round(weight, 9)) for (table, _, column), weight in part.items())
    sign = np.sign(cells[0][2])
    return tuple((table, column, float(sign * weight)) for table, column, weight in cells)
