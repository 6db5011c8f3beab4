"""Simulates how often intervals cover the truth, verdicts are wrong, and effects are found.

``python -m benchmarks.verdicts`` prints the two tables of docs/statistics.md.

Intervals, tests and verdicts are calls of the suite's own functions, on errors whose truth is
known. Two kinds of noise:

* normal: a teacher's error spreads by 0.4 points over seeds, and so does the difference to it;
* items: errors are counts of wrong items, 4 % of a test set. Teacher and student share half of
  their errors, as they do at the digits scale.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replication.analysis.hypothesis_tests import LEVEL, Decision, decide
from replication.analysis.statistics import Array, Summary, summarise_all, verdict
from replication.config.paper_claims import REGIONS, CellKey, Claims, read_claims
from replication.config.paper_tables import TABLES
from replication.config.scale import DEFAULT
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.plan.run import Run

CELL_DRAWS = 10_000
FAMILY_DRAWS = 2_000
SEEDS = (2, 3, 5, 10, 20)
ITEMS: dict[str, int | None] = {"normal": None, "600 items": 600, "2,000 items": 2000}
FAMILY_NOISES = ("normal", "600 items")
ERROR = 4.0
SPREAD = 0.4
SHARED = 0.5
EFFECTS = (-0.5, -1.0)


class Estimate(NamedTuple):
    """A mean over simulations, and its standard error: the Monte-Carlo error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.2f}±{self.error:.2f}"


class CellRates(NamedTuple):
    """Outcomes for one cell and its teacher, in percent of the simulations.

    `level_covered` and `difference_covered` are shares of the intervals that exist. `half` and
    `one` are how often the verdict is `replicated` at the two `EFFECTS`.
    """

    noise: str
    n: int
    no_interval: Estimate
    level_covered: Estimate
    difference_covered: Estimate
    replicated: Estimate
    contradicted: Estimate
    half: Estimate
    one: Estimate


class FamilyRates(NamedTuple):
    """Outcomes for all claims and all cells when no treatment has any effect.

    Mean number of claims tested; percentage of simulations with a false verdict on some claim,
    with Holm's correction and without it; mean number of cells with each verdict.
    """

    noise: str
    n: int
    tested: Estimate
    corrected: Estimate
    uncorrected: Estimate
    replicated: Estimate
    contradicted: Estimate


HEADS: dict[type, str] = {
    CellRates: "no interval | level covered | difference covered | `replicated`, no effect"
    " | `contradicted`, no effect | `replicated` at −0.5 | `replicated` at −1",
    FamilyRates: "claims tested | false verdict on a claim, corrected | uncorrected"
    " | cells `replicated` | cells `contradicted`",
}


def draw_pairs(
    noise: str, n: int, effect: float, draws: int, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Test errors of teachers and students in percent, each (draws, n); `effect` in points."""
    items = ITEMS[noise]
    if items is None:
        teachers = generator.normal(ERROR, SPREAD, (draws, n))
        return teachers, teachers + generator.normal(effect, SPREAD, (draws, n))
    alone = (1 - SHARED) * ERROR
    shares = np.array([SHARED * ERROR, alone, alone + effect]) / 100
    wrong = generator.multinomial(items, [*shares, 1 - shares.sum()], (draws, n))
    both, teacher, student = (100 * wrong[..., i] / items for i in range(3))
    return both + teacher, both + student


def cell_rates(noise: str, n: int, draws: int, generator: np.random.Generator) -> CellRates:
    """Simulate one cell without an effect, and with each of `EFFECTS`."""
    pairs = [draw_pairs(noise, n, effect, draws, generator) for effect in (0.0, *EFFECTS)]
    found = [summarise_all(students - teachers) for teachers, students in pairs]
    none, half, one = (_verdicts(difference, EFFECTS[0]) for difference in found)
    return CellRates(
        noise=noise,
        n=n,
        no_interval=_percent(np.isnan(found[0].low)),
        level_covered=_covered(summarise_all(pairs[0][0]), ERROR),
        difference_covered=_covered(found[0], 0),
        replicated=_percent(none == "replicated"),
        contradicted=_percent(none == "contradicted"),
        half=_percent(half == "replicated"),
        one=_percent(one == "replicated"),
    )


def draw_cells(
    plan: Plan, noise: str, n: int, draws: int, generator: np.random.Generator
) -> tuple[dict[CellKey, Array], dict[Run, Array]]:
    """Test errors of cells and of their runs in percent, (draws, n) each, all of the same truth.

    A run of several cells is drawn once. An ensemble has the mean of its members' errors, in whole
    items: without any effect it is no better. The difference of two normal errors has the standard
    deviation `SPREAD`.
    """
    items = ITEMS[noise]
    runs: dict[Run, Array] = {}
    for run in dict.fromkeys(run for cell in plan.cells for run in cell.runs()):
        if items is None:
            runs[run] = generator.normal(ERROR, SPREAD / 2**0.5, (draws, n))
        else:
            runs[run] = 100 * generator.binomial(items, ERROR / 100, (draws, n)) / items
    cells = {}
    for cell in plan.cells:
        mean = np.mean([runs[run] for run in cell.members[_seed(cell)]], axis=0)
        whole = mean if items is None else 100 * np.rint(mean * items / 100) / items
        cells[cell.table, cell.row, cell.column] = whole
    return cells, runs


def decide_all(claims: Claims, cells: Mapping[CellKey, Array]) -> list[Decision]:
    """Decide each claim by the cells' errors, (draws, n) each: decisions over the draws.

    The p-value is NaN where all seeds differ by the same amount.
    """
    decisions = []
    for claim in claims.file.claims.values():
        differences = _combine(cells, claim.contrast())
        found = summarise_all(differences)
        std = np.where(np.isnan(found.low), np.nan, found.std)
        margin = claims.file.margin * _combine(cells, claim.right.weights()).mean(-1)
        low, high = (bound * margin for bound in REGIONS[claim.expect])
        decisions.append(decide(found.mean, std, differences.shape[-1], (low, high)))
    return decisions


def correct_all(p_values: Array) -> Array:
    """Holm's correction of (claims, draws) over the claims without NaN.

    The same as `hypothesis_tests.holm`, which takes one family and is a hundred times as slow.
    """
    order = np.argsort(p_values, axis=0)
    remaining = np.isfinite(p_values).sum(0) - np.arange(len(p_values))[:, None]
    stepped = np.take_along_axis(p_values, order, axis=0) * remaining
    corrected = np.empty_like(p_values)
    np.put_along_axis(corrected, order, np.maximum.accumulate(stepped, axis=0), axis=0)
    return np.minimum(corrected, 1)


def family_rates(
    plan: Plan, claims: Claims, noise: str, n: int, draws: int, generator: np.random.Generator
) -> FamilyRates:
    """Simulate all cells of a plan without any effect, and decide all claims and cells."""
    cells, runs = draw_cells(plan, noise, n, draws, generator)
    decisions = decide_all(claims, cells)
    p = np.array([decision.p_value for decision in decisions])
    # Claims of no difference are true here: only their contradiction is false.
    true = np.array([min(c.region(1).depths(0)) > 0 for c in claims.file.claims.values()])
    false = ~(true[:, None] & [decision.holds for decision in decisions])
    verdicts = np.array(list(_cell_verdicts(plan, cells, runs)))
    return FamilyRates(
        noise=noise,
        n=n,
        tested=_mean(np.isfinite(p).sum(0)),
        corrected=_percent((false & (correct_all(p) < LEVEL)).any(0)),
        uncorrected=_percent((false & (p < LEVEL)).any(0)),
        replicated=_mean((verdicts == "replicated").sum(0)),
        contradicted=_mean((verdicts == "contradicted").sum(0)),
    )


def _cell_verdicts(
    plan: Plan, cells: Mapping[CellKey, Array], runs: Mapping[Run, Array]
) -> Iterator[NDArray[np.str_]]:
    """The verdicts over the draws of each cell that has one."""
    for cell in plan.cells:
        teacher = cell.teacher(_seed(cell))
        if teacher and cell.reported_difference is not None:
            differences = cells[cell.table, cell.row, cell.column] - runs[teacher]
            yield _verdicts(summarise_all(differences), cell.reported_difference)


def _verdicts(found: Summary[Array], reported: float) -> NDArray[np.str_]:
    intervals = zip(found.low.tolist(), found.high.tolist(), strict=True)
    return np.array([verdict(low, high, reported) for low, high in intervals])


def _seed(cell: Cell) -> int:
    """Any seed of the cell: they all have the same runs up to the seed."""
    return next(iter(cell.members))


def _combine(cells: Mapping[CellKey, Array], weights: Mapping[CellKey, float]) -> Array:
    return np.tensordot(list(weights.values()), [cells[at] for at in weights], axes=1)


def _mean(values: ArrayLike) -> Estimate:
    found = np.asarray(values, dtype=float)
    return Estimate(float(found.mean()), float(found.std() / np.sqrt(found.size)))


def _percent(events: ArrayLike) -> Estimate:
    return _mean(100 * np.asarray(events, dtype=float))


def _covered(found: Summary[Array], truth: float) -> Estimate:
    """How many of the intervals that exist contain the truth."""
    exists = np.isfinite(found.low)
    return _percent(((found.low <= truth) & (truth <= found.high))[exists])


def simulate_cells(draws: int = CELL_DRAWS, seed: int = 0) -> list[CellRates]:
    """The first table of docs/statistics.md."""
    generator = np.random.default_rng(seed)
    return [cell_rates(noise, n, draws, generator) for noise in ITEMS for n in SEEDS]


def simulate_families(
    draws: int = FAMILY_DRAWS,
    seed: int = 0,
    files: Sequence[Path] = (DEFAULT,),
    tables: Path = TABLES,
) -> list[FamilyRates]:
    """The second table of docs/statistics.md.

    Raises:
        InputError: the scale's files, the tables or the claims are missing or wrong.
    """
    generator = np.random.default_rng(seed)
    plan, claims = Plan.read(files, tables), read_claims(tables)
    return [
        family_rates(plan, claims, noise, n, draws, generator)
        for noise in FAMILY_NOISES
        for n in SEEDS
    ]


def markdown(rates: Sequence[CellRates | FamilyRates]) -> str:
    """The rates as a Markdown table, one line per kind of noise and number of seeds."""
    head = f"| errors | seeds | {HEADS[type(rates[0])]} |"
    lines = ["| " + " | ".join(map(str, line)) + " |" for line in rates]
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *lines])


if __name__ == "__main__":
    print(f"{CELL_DRAWS:,} simulations of a cell\n\n{markdown(simulate_cells())}\n")
    print(f"{FAMILY_DRAWS:,} simulations of all cells\n\n{markdown(simulate_families())}")
