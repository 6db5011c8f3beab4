"""Simulates how often intervals cover the truth, verdicts are wrong, and effects are found.

``python -m benchmarks.verdicts`` prints the tables of docs/statistics.md.

Intervals, tests and verdicts are calls of the suite's own functions, on errors whose truth is
known. Two kinds of noise:

* normal: a run's error spreads over seeds by 1.45 % of its level, as the paper's replicates do;
* items: a run is wrong on 20 % of a test set that all seeds share. Some items are harder than
  others, and a small part of their difficulty is the student's own.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from replication.analysis.cells_csv import COLUMNS
from replication.analysis.contrasts import Measured
from replication.analysis.hypothesis_tests import LEVEL, decide, holm, outcomes
from replication.analysis.statistics import Array, Summary, summarise_all, summarise_strata
from replication.config.paper_claims import CellKey, Claims, read_claims
from replication.config.paper_tables import TABLES
from replication.config.scale import DEFAULT
from replication.plan.plan import Plan

SIX = [f"table{number}" for number in range(1, 7)]
SEEDS = (2, 3, 5, 10, 20)
ERROR = 20.0
EFFECTS = (-0.5, -1.0)
# Share of the variance of an item's latent difficulty that all runs have in common, and of that
# the share which teachers and students do not.
COMMON, OWN = 0.8, 0.02
SPREAD = 0.0145
"""Of a run over seeds, relative to its level: 0.24 of 16.6 points."""
LINEAGE = 0.2
"""Correlation of a student with generation 0 of its lineage, over seeds."""
DRAWS = {"cells": 2_000, "units": 20_000, "claims": 2_000}
Rows = list[dict[str, Any]]


def draw_pairs(
    items: int, n: int, effect: float, draws: int, generator: np.random.Generator
) -> Iterator[tuple[Array, Array, float]]:
    """Test errors of n teachers and n students on one test set, and their expected difference.

    The errors are in percent, `effect` in points over all possible test sets; the expectation is
    that on this test set. One draw at a time, which has a test set of its own.
    """
    edges = np.array([stats.norm.ppf((ERROR + points) / 100) for points in (0, effect)])
    for _ in range(draws):
        shared, own = generator.normal(size=(2, items))
        difficulty = np.stack([shared, np.sqrt(1 - OWN) * shared + np.sqrt(OWN) * own])
        wrong: Array = stats.norm.cdf(
            (edges[:, None] + np.sqrt(COMMON) * difficulty) / (1 - COMMON) ** 0.5
        )
        drawn = generator.random((n, 2, items)) < wrong
        teachers, students = 100 * drawn.mean(-1).T
        yield teachers, students, 100 * float((wrong[1] - wrong[0]).mean())


def simulate_cells(draws: int = DRAWS["cells"], seed: int = 0) -> Rows:
    """Coverage and verdicts of a cell and its teacher, in percent."""
    generator, rows = np.random.default_rng(seed), []
    for items in (600, 2000):
        for n in SEEDS:
            found = {}
            for effect in (0.0, *EFFECTS):
                drawn = [*draw_pairs(items, n, effect, draws, generator)]
                differences = np.array([student - teacher for teacher, student, _ in drawn])
                found[effect] = summarise_all(differences)
                if effect == 0:
                    here = np.array([expected for *_, expected in drawn])
            none = found[0.0]
            rows.append(
                {
                    "items": f"{items:,}",
                    "seeds": n,
                    "this test set covered": _covered(none, here),
                    "all test sets covered": _covered(none, 0),
                    "`better`, no effect": _percent(none.high < 0),
                    "`worse`, no effect": _percent(none.low > 0),
                    **{
                        f"`better` at {effect}".replace("-", "−"): _percent(found[effect].high < 0)
                        for effect in EFFECTS
                    },
                }
            )
    return rows


def simulate_units(draws: int = DRAWS["units"], seed: int = 0) -> Rows:
    """Level and power of the test of a mean over four networks by unit of analysis, in percent.

    Differences of lineages spread by 1; the effect is 1. Where four students share one teacher,
    half of the variance is the teacher's.
    """
    generator, rows = np.random.default_rng(seed), []
    for n in SEEDS:
        noise = generator.normal(size=(draws, 4, n))
        unequal = noise * np.array([1, 1, 1, 3])[:, None]
        shared = 0.5**0.5 * (noise + generator.normal(size=(draws, 1, n)))
        row: dict[str, Any] = {"seeds": n}
        rows.append(row)
        for name, values in {
            "own lineages": noise,
            "one spread of 3": unequal,
            "one teacher": shared,
        }.items():
            row |= {
                f"strata, {name}": _percent(summarise_strata(values).p_value < LEVEL),
                f"seeds, {name}": _percent(summarise_all(values.sum(1)).p_value < LEVEL),
            }
        row |= {
            "power, strata": _percent(summarise_strata(noise + 1).p_value < LEVEL),
            "power, seeds": _percent(summarise_all((noise + 1).sum(1)).p_value < LEVEL),
        }
    return rows


def simulate_references(draws: int = DRAWS["units"], seed: int = 0) -> Rows:
    """A student against its teacher, and against the mean of its teacher and two label networks."""
    generator, rows = np.random.default_rng(seed), []
    for n in SEEDS:
        common, *own = generator.normal(size=(5, draws, n))
        teacher, student = (LINEAGE**0.5 * common + (1 - LINEAGE) ** 0.5 * it for it in own[:2])
        references = {"teacher": teacher, "mean of three": np.mean([teacher, *own[2:]], axis=0)}
        row: dict[str, Any] = {"seeds": n}
        rows.append(row)
        for name, reference in references.items():
            difference = student - reference
            row |= {
                f"spread, {name}": f"{difference.std():.2f}",
                f"level, {name}": _percent(summarise_all(difference).p_value < LEVEL),
                f"power, {name}": _percent(summarise_all(difference - 1).p_value < LEVEL),
            }
    return rows


class Study:
    """The claims on the six tables, and the runs of one seed behind every cell."""

    def __init__(self, files: Sequence[Path] = (DEFAULT,), tables: Path = TABLES) -> None:
        """Raises InputError if the scale's files, the tables or the claims are wrong."""
        plan = Plan.read(files, tables, keys={"tables": SIX, "seeds": [0]})
        self.claims: Claims = read_claims(tables)
        self.cells = {(it.table, it.row, it.column): it for it in plan.cells}
        self.runs = {
            key: ";".join(run.id for run in it.members[0]) for key, it in self.cells.items()
        }
        lines = [(*key, 0, it.metric, 0.0, self.runs[key]) for key, it in self.cells.items()]
        self.measured = Measured(pd.DataFrame(lines, columns=COLUMNS))
        self.tested = [
            name
            for name, claim in self.claims.file.claims.items()
            if claim.metric is None and not self.measured.missing(claim.contrast())
        ]

    def draw(
        self, n: int, draws: int, generator: np.random.Generator, *, effects: bool
    ) -> dict[CellKey, Array]:
        """Values of all cells, (draws, n) each: the paper's numbers, or everywhere the same.

        A run of several cells is drawn once; an ensemble has the mean noise of its members. A cell
        that the paper does not print has the value of its teacher.
        """
        noise: dict[str, Array] = {}

        def of(run: str) -> Array:
            if run not in noise:
                noise[run] = generator.normal(size=(draws, n))
                root = "/".join(run.split("/")[:2])
                if root != run:
                    own = (1 - LINEAGE**2) ** 0.5 * noise[run]
                    noise[run] = LINEAGE * of(root) + own
            return noise[run]

        values = {}
        for key, cell in self.cells.items():
            printed = cell.reported_teacher if cell.reported is None else cell.reported
            truth = printed if effects and printed else ERROR
            members = [of(run) for run in self.runs[key].split(";")]
            values[key] = truth * (1 + SPREAD * np.mean(members, axis=0))
        return values

    def test(self, values: Mapping[CellKey, Array]) -> NDArray[np.float64]:
        """The p-values (claims, 3, draws) of the claims tested, by `OUTCOMES`."""
        found = []
        for name in self.tested:
            claim = self.claims.file.claims[name]
            parts = [_combine(values, part) for part in self.measured.strata(claim.contrast())]
            strata = np.stack(parts, axis=-2)
            k, n = strata.shape[-2:]
            summary = summarise_strata(strata)
            level = _combine(values, claim.right.weights()).mean(-1)
            smallest = self.claims.smallest_effect(name) * level
            low, high = claim.region(1)
            region = (
                low if np.isinf(low) else low * smallest,
                high if np.isinf(high) else high * smallest,
            )
            small = smallest if claim.improvement else np.full_like(level, np.nan)
            error = summary.std / np.sqrt(n)
            found.append(outcomes(summary.mean, error, k * (n - 1), region, small))
        return np.array(found)

    def decide(
        self, p_values: NDArray[np.float64], *, corrected: bool = True, families: bool = True
    ) -> NDArray[np.str_]:
        """The verdicts (claims, draws), with the correction of `analysis/claims.py`.

        Otherwise without a correction, or with Holm's over all claims.
        """
        kinds = [np.minimum(p_values[:, 0], p_values[:, 2]), p_values[:, 1]]
        if corrected and not families:
            kinds = [holm(kind) for kind in kinds]
        elif corrected:
            kinds = self._correct(kinds)
        return np.array([decide(p, *both) for p, *both in zip(p_values, *kinds, strict=True)])

    def _correct(self, kinds: list[Array]) -> list[Array]:
        found = [np.empty_like(kind) for kind in kinds]
        families = [self.claims.file.claims[name].family or "" for name in self.tested]
        for family in dict.fromkeys(("", *families)):
            places = [place for place, name in enumerate(families) if name == family]
            among = len(set(families)) - 1 if family else 1
            primary = self.tested.index(family) if family else 0
            gate = np.fmin(*(kind[primary] for kind in found)) if family else 0.0
            for kind, into in zip(kinds, found, strict=True):
                into[places] = np.maximum(gate, np.minimum(1, among * holm(kind[places])))
        return found

    def false(self, verdicts: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Whether a verdict (claims, draws) is wrong where no claim's cells differ."""
        claims = [self.claims.file.claims[name] for name in self.tested]
        # Claims of no difference are true here, and an effect is negligible.
        true = np.array([min(claim.region(1).depths(0)) > 0 for claim in claims])[:, None]
        replicated = (verdicts == "replicated") & ~true
        return np.asarray(replicated | (verdicts == "contradicted"))


def simulate_claims(
    draws: int = DRAWS["claims"],
    seed: int = 0,
    files: Sequence[Path] = (DEFAULT,),
    tables: Path = TABLES,
) -> tuple[Rows, Rows]:
    """False verdicts without any effect, and expected decisions if the paper's numbers are true."""
    generator, study = np.random.default_rng(seed), Study(files, tables)
    primary = np.array([study.claims.file.is_primary(name) for name in study.tested])
    errors: Rows = []
    decisions: Rows = []
    for n in SEEDS:
        p_values = study.test(study.draw(n, draws, generator, effects=False))
        verdicts = study.decide(p_values)
        wrong = study.false(verdicts)
        alone = study.false(study.decide(p_values, corrected=False))
        errors.append(
            {
                "seeds": n,
                "a primary claim": _percent(wrong[primary].any(0)),
                "any claim": _percent(wrong.any(0)),
                "any claim, uncorrected": _percent(alone.any(0)),
                "`negligible`": _mean((verdicts == "negligible").sum(0)),
            }
        )
        p_values = study.test(study.draw(n, draws, generator, effects=True))
        verdicts = study.decide(p_values)
        one = study.decide(p_values, families=False)
        decided = verdicts != "inconclusive"
        decisions.append(
            {
                "seeds": n,
                f"primary, of {primary.sum()}": _mean(decided[primary].sum(0)),
                f"others, of {(~primary).sum()}": _mean(decided[~primary].sum(0)),
                **{
                    f"`{name}`": _mean((verdicts == name).sum(0))
                    for name in ("replicated", "contradicted", "negligible")
                },
                "all in one family": _mean((one != "inconclusive").sum(0)),
            }
        )
    return errors, decisions


def _combine(cells: Mapping[CellKey, Array], weights: Mapping[CellKey, float]) -> Array:
    return np.tensordot(list(weights.values()), [cells[at] for at in weights], axes=1)


def _mean(values: NDArray[Any]) -> str:
    """A mean over simulations with its standard error, the Monte-Carlo error."""
    return f"{values.mean():.1f}±{values.std() / len(values) ** 0.5:.1f}"


def _percent(events: Any) -> str:
    return _mean(100 * np.asarray(events, dtype=float))


def _covered(found: Summary[Array], truth: Array | float) -> str:
    """How many of the intervals that exist contain the truth."""
    exists = np.isfinite(found.low)
    return _percent(((found.low <= truth) & (truth <= found.high))[exists])


def markdown(rows: Rows) -> str:
    """Rows as a Markdown table."""
    lines = [[*rows[0]], ["---"] * len(rows[0]), *([*row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines).replace(" --- ", "---")


if __name__ == "__main__":
    for rows in (simulate_cells(), simulate_units(), simulate_references(), *simulate_claims()):
        print(markdown(rows), end="\n\n", flush=True)
