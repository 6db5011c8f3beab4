"""Simulates all claims on the runs of the six tables: wrong decisions, and what is decided.

A run's error spreads over seeds by 1.45 % of its level, as the paper's replicates do. The noise of
each run is drawn once for all of the cells that show it, so claims depend on each other as they
do in the suite. The true effect of each claim is then set exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.analysis.claim_decision import primary_places
from replication.analysis.claim_measurement import assess_claim
from replication.analysis.claim_verdicts import AT_LEAST_HALF, BELOW_HALF, decide, decide_size
from replication.analysis.collect import describe_planned_run, frame_of_runs
from replication.analysis.contrasts import CellValues
from replication.analysis.hypothesis_tests import correct_claims
from replication.analysis.statistics import Array
from replication.config.claim_specs import CellKey, Weights
from replication.config.paper_claims import Claims, read_claims
from replication.config.paper_tables import TABLES
from replication.config.scale import DEFAULT
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.csv_files import join_members
from replication.results.schema import CSV_FILES

SIX = [f"table{number}" for number in range(1, 7)]
ERROR = 20.0
"""The level of every cell, in percent."""
SPREAD = 0.0145
"""Standard deviation of a run over seeds, relative to its level: 0.24 of 16.6 points."""
LINEAGE = 0.2
"""Correlation of a student with generation 0 of its lineage, over seeds."""

Truth = Literal["no effect", "at the margin", "half of the paper's", "the paper's"]
TRUTHS: tuple[Truth, ...] = ("no effect", "at the margin", "half of the paper's", "the paper's")
ROUNDING = 1e-9


@dataclass(frozen=True)
class Decided:
    """The decisions of many simulations, each (claims, draws)."""

    verdicts: NDArray[np.str_]
    sizes: NDArray[np.str_]


class Study:
    """The claims on the six tables, and the runs of one seed behind every cell."""

    def __init__(self, files: Sequence[Path] = (DEFAULT,), tables: Path = TABLES) -> None:
        """Raises InputError if the scale's files, the tables or the claims are wrong."""
        plan = Plan.read(files, tables, keys={"tables": SIX, "seeds": [0]})
        self.claims: Claims = read_claims(tables)
        self.cells = {(cell.table, cell.row, cell.column): cell for cell in plan.cells}
        self.shown = {
            cell.members[0][0].id: key
            for key, cell in self.cells.items()
            if len(cell.members[0]) == 1
        }
        described = [describe_planned_run(plan, run) for run in plan.runs.values()]
        self.runs = frame_of_runs(described).set_index("run", drop=False)
        lines = [
            (*key, 0, cell.metric, 0.0, join_members(run.id for run in cell.members[0]))
            for key, cell in self.cells.items()
        ]
        self.values = CellValues(pd.DataFrame(lines, columns=CSV_FILES["cells"].names), self.runs)
        self.names = list(self.claims.file.claims)
        self.primaries = primary_places(self.claims)
        self.tested = [
            place
            for place, (name, claim) in enumerate(self.claims.file.claims.items())
            if claim.metric is None and not self.values.missing(claim.contrast())
        ]
        self.is_primary = self.primaries[self.tested] == np.array(self.tested)

    def keys_of(self, table: str) -> list[CellKey]:
        """The cells of a table."""
        return [key for key in self.cells if key[0] == table]

    def root_cell(self, key: CellKey) -> CellKey | None:
        """The cell that shows generation 0 of a cell's lineage; None for generation 0 itself."""
        root = self.cells[key].teacher(0)
        return self.shown[root.id] if root else None

    def draw(
        self,
        n: int,
        draws: int,
        generator: np.random.Generator,
        spreads: Mapping[str, float] | None = None,
    ) -> dict[CellKey, Array]:
        """Values of all cells, (draws, n) each, without any effect.

        A run of several cells is drawn once; an ensemble has the mean noise of its members. The
        runs of networks whose name begins with a key of ``spreads`` vary this many times as much.
        """
        noise: dict[str, Array] = {}

        def factor(run: Run) -> float:
            factors = [
                value for name, value in (spreads or {}).items() if run.network.startswith(name)
            ]
            return factors[0] if factors else 1.0

        def noise_of(run: Run) -> Array:
            if run.id not in noise:
                drawn = generator.normal(size=(draws, n))
                if run.teacher:
                    own = (1 - LINEAGE**2) ** 0.5 * drawn
                    drawn = LINEAGE * noise_of(run.root_teacher) + own
                noise[run.id] = drawn
            return noise[run.id]

        return {
            key: ERROR
            * (
                1
                + SPREAD * np.mean([factor(run) * noise_of(run) for run in cell.members[0]], axis=0)
            )
            for key, cell in self.cells.items()
        }

    def effects(self, truth: Truth) -> Array:
        """The true difference of each tested claim, left minus right, in points (tested,).

        A bound is at its margin, or at the number that the paper prints, or half of that. Claims
        without a printed effect are at the margin even where the others have the paper's.
        """
        effects = []
        for place in self.tested:
            name = self.names[place]
            claim, margin = self.claims.file.claims[name], self.claims.margin(name)
            share = {"half of the paper's": 0.5, "the paper's": 1.0}.get(truth)
            printed = self.claims.reported_difference(name) / self.claims.reported_level(name)
            bound = next(edge for edge in claim.region(margin) if np.isfinite(edge))
            at_margin = claim.direction * margin if claim.direction else bound
            if truth == "no effect":
                effects.append(0.0)
            elif share is None:
                effects.append(at_margin)
            elif np.isfinite(printed) and not self.claims.is_outside_its_region(name):
                effects.append(share * printed)
            else:
                effects.append(at_margin if claim.direction else 0.0)
        return ERROR * np.array(effects)

    def test(
        self, values: Mapping[CellKey, Array], effects: Array
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """P-values (3, claims, draws) and sides (claims, draws) of all claims of the file.

        ``values`` have no effect; those of the tested claims are added. NaN for all other claims.
        """
        shape = (len(self.names), next(iter(values.values())).shape[0])
        p_values, supports = np.full((3, *shape), np.nan), np.zeros(shape, dtype=bool)
        for place, effect in zip(self.tested, effects, strict=True):
            name = self.names[place]
            claim = self.claims.file.claims[name]
            parts = [_combine(values, part) for part in self.values.strata(claim.contrast())]
            strata = np.stack(parts, axis=-2) + effect / len(parts)
            level = _combine(values, claim.right.weights()).mean(-1)
            _, tests = assess_claim(claim, strata, level, self.claims.margin(name))
            p_values[:, place], supports[place] = tests
        return p_values, supports

    def decide(
        self,
        p_values: NDArray[np.float64],
        supports: NDArray[np.bool_],
        *,
        corrected: bool = True,
    ) -> Decided:
        """The decisions on the tested claims, as the suite takes them, or without a correction."""
        if corrected:
            # Measured claims gate their families, as in `claim_decision.decide_all`.
            gated = np.isin(self.primaries, self.tested)
            p_values = correct_claims(p_values, self.primaries, gated)
        chosen = p_values[:, self.tested]
        return Decided(decide(chosen, supports[self.tested]), decide_size(chosen))

    def wrong(self, decided: Decided, effects: Array) -> dict[str, NDArray[np.bool_]]:
        """Which decisions (claims, draws) are wrong where these are the true effects, by kind."""
        claims = [self.claims.file.claims[self.names[place]] for place in self.tested]
        margins = ERROR * np.array([self.claims.margin(self.names[p]) for p in self.tested])
        directions = np.array([claim.direction for claim in claims])
        depths = np.array(
            [
                min(claim.region(margin).depths(effect))
                for claim, margin, effect in zip(claims, margins, effects, strict=True)
            ]
        )[:, None]
        in_favour = np.isin(decided.verdicts, ["replicated", "weaker"])
        against = decided.verdicts == "contradicted"
        size = np.abs(effects)[:, None]
        bounds = margins[:, None]
        towards = (directions * effects)[:, None]
        is_direction = (directions != 0)[:, None]
        return {
            # Not inside the region: for it is wrong. Not outside of it: against it is wrong.
            "direction": in_favour & (depths <= ROUNDING) | against & (depths >= -ROUNDING),
            "below half": is_direction
            & (decided.sizes == BELOW_HALF)
            & (size >= bounds - ROUNDING),
            "at least half": is_direction
            & (decided.sizes == AT_LEAST_HALF)
            & (towards <= bounds + ROUNDING),
        }


def _combine(cells: Mapping[CellKey, Array], weights: Weights) -> Array:
    return np.tensordot(list(weights.values()), [cells[key] for key in weights], axes=1)
