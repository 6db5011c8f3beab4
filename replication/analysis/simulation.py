"""How often intervals cover the truth, verdicts err, and effects are found: by simulation.

``python -m replication.analysis.simulation`` prints the two tables of docs/statistics.md, in ten minutes.

Every interval, test, verdict and correction is a call of the suite's own functions, on errors
whose truth is known. Two kinds of noise:

* normal: a teacher's error spreads by 0.4 points over seeds, and so does the difference to it;
* items: errors are counts of wrong items, 4 % of a test set. Teacher and student share half of
  their errors, as they do at the digits scale.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replication.analysis.hypothesis_tests import LEVEL, Decision, decide, holm
from replication.analysis.statistics import paired_difference, summarise, verdict
from replication.config.paper_claims import Claims, read_claims
from replication.config.paper_tables import TABLES
from replication.config.scale import DEFAULT
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.plan.run import Run

DRAWS = 10_000
FAMILIES = 2_000
SEEDS = (2, 3, 5, 10, 20)
ITEMS: dict[str, int | None] = {"normal": None, "600 items": 600, "2,000 items": 2000}
FAMILY_NOISES = ("normal", "600 items")
ERROR = 4.0
SPREAD = 0.4
SHARED = 0.5
EFFECTS = (-0.5, -1.0)

Array = NDArray[np.float64]
Address = tuple[str, str, str]


class Estimate(NamedTuple):
    """A mean over simulations, and its standard error: the Monte-Carlo error."""

    value: float
    error: float

    def __str__(self) -> str:
        """Value and, in brackets, its error in units of the last digit."""
        return f"{self.value:.2f}({100 * self.error:.0f})"


class CellRates(NamedTuple):
    """What comes out for one cell and its teacher, in percent of the simulations.

    `level_covered` and `difference_covered` count among those that have an interval. `half` and
    `one` are how often `replicated` comes out at the two `EFFECTS`.
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
    """What comes out for all claims and all cells when no treatment has any effect.

    Claims that are tested; families in percent with a false verdict on a claim, after Holm's
    correction and without it; cells with a verdict.
    """

    noise: str
    n: int
    tested: Estimate
    corrected: Estimate
    uncorrected: Estimate
    replicated: Estimate
    contradicted: Estimate


HEADS: dict[type[CellRates] | type[FamilyRates], str] = {
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
    intervals: list[Array] = []
    verdicts: list[NDArray[np.str_]] = []
    for effect in (0.0, *EFFECTS):
        teachers, students = draw_pairs(noise, n, effect, draws, generator)
        found = [
            paired_difference(dict(enumerate(student)), dict(enumerate(teacher)))
            for teacher, student in zip(teachers.tolist(), students.tolist(), strict=True)
        ]
        verdicts.append(np.array([verdict(d.low, d.high, EFFECTS[0]) for d in found]))
        if effect == 0:
            levels = [summarise(teacher) for teacher in teachers.tolist()]
            intervals = [np.array([(s.low, s.high) for s in side]) for side in (levels, found)]
    level, difference = intervals
    none, half, one = verdicts
    return CellRates(
        noise=noise,
        n=n,
        no_interval=_percent(np.isnan(difference[:, 0])),
        level_covered=_covered(level, ERROR),
        difference_covered=_covered(difference, 0),
        replicated=_percent(none == "replicated"),
        contradicted=_percent(none == "contradicted"),
        half=_percent(half == "replicated"),
        one=_percent(one == "replicated"),
    )


def draw_cells(
    plan: Plan, noise: str, n: int, draws: int, generator: np.random.Generator
) -> tuple[dict[Address, Array], dict[Run, Array]]:
    """Test errors of cells and of their runs in percent, (draws, n) each, all of the same truth.

    A run that stands in several cells is drawn once. An ensemble has the mean of its members'
    errors, in whole items: without any effect it is no better than they are. Normal errors spread
    so that the difference of two runs spreads by `SPREAD`.
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


def decide_all(claims: Claims, cells: Mapping[Address, Array]) -> list[Decision]:
    """Decide each claim by the cells' errors, (n,) each; NaN where all seeds differ by the same."""
    decisions = []
    for claim in claims.file.claims.values():
        differences = _combine(cells, claim.contrast())
        mean, std, low, _, n = summarise(differences.tolist())
        level = float(_combine(cells, claim.right.weights()).mean())
        region = claim.region(claims.file.margin * level)
        tested = not np.isnan(low)
        decisions.append(decide(mean, std, n, region) if tested else Decision(np.nan, False))
    return decisions


def family_rates(
    plan: Plan, claims: Claims, noise: str, n: int, draws: int, generator: np.random.Generator
) -> FamilyRates:
    """Simulate all cells of a plan without any effect, and decide all claims and cells."""
    cells, runs = draw_cells(plan, noise, n, draws, generator)
    # Claims of no difference are true here: only their contradiction is false.
    true = np.array([min(c.region(1).depths(0)) > 0 for c in claims.file.claims.values()])
    counts = []
    for i in range(draws):
        found = decide_all(claims, {cell: errors[i] for cell, errors in cells.items()})
        p = np.array([decision.p_value for decision in found])
        false = ~(true & [decision.holds for decision in found])
        tested = ~np.isnan(p)
        corrected = np.array(holm(p[tested].tolist())) < LEVEL
        counts.append(
            (tested.sum(), (corrected & false[tested]).any(), (false & (p < LEVEL)).any())
        )
    tested_claims, some_corrected, some_uncorrected = zip(*counts, strict=True)
    verdicts = np.array(list(_verdicts(plan, cells, runs)))
    return FamilyRates(
        noise=noise,
        n=n,
        tested=_mean(tested_claims),
        corrected=_percent(some_corrected),
        uncorrected=_percent(some_uncorrected),
        replicated=_mean((verdicts == "replicated").sum(0)),
        contradicted=_mean((verdicts == "contradicted").sum(0)),
    )


def _verdicts(
    plan: Plan, cells: Mapping[Address, Array], runs: Mapping[Run, Array]
) -> Iterator[list[str]]:
    """For each cell that the tables give a verdict: its verdicts, one per draw."""
    for cell in plan.cells:
        teacher = cell.teacher(_seed(cell))
        if teacher and cell.reported is not None and cell.reported_teacher is not None:
            reported = cell.reported - cell.reported_teacher
            differences = cells[cell.table, cell.row, cell.column] - runs[teacher]
            found = [summarise(values) for values in differences.tolist()]
            yield [verdict(summary.low, summary.high, reported) for summary in found]


def _seed(cell: Cell) -> int:
    """A seed of the cell; all of them have the same runs but for the seed."""
    return next(iter(cell.members))


def _combine(cells: Mapping[Address, Array], weights: Mapping[Address, float]) -> Array:
    combined: Array = np.array(list(weights.values())) @ np.array([cells[at] for at in weights])
    return combined


def _mean(values: ArrayLike) -> Estimate:
    found = np.asarray(values, dtype=float)
    return Estimate(float(found.mean()), float(found.std() / np.sqrt(found.size)))


def _percent(events: ArrayLike) -> Estimate:
    return _mean(100 * np.asarray(events, dtype=float))


def _covered(intervals: Array, truth: float) -> Estimate:
    """How often an interval, (draws, 2), has the truth in it, where there is one."""
    there = intervals[~np.isnan(intervals[:, 0])]
    return _percent((there[:, 0] <= truth) & (truth <= there[:, 1]))


def simulate_cells(draws: int = DRAWS, seed: int = 0) -> list[CellRates]:
    """The first table of docs/statistics.md."""
    generator = np.random.default_rng(seed)
    return [cell_rates(noise, n, draws, generator) for noise in ITEMS for n in SEEDS]


def simulate_families(
    draws: int = FAMILIES, seed: int = 0, files: Sequence[Path] = (DEFAULT,), tables: Path = TABLES
) -> list[FamilyRates]:
    """The second table of docs/statistics.md.

    Raises:
        InputError: the scale's files, the tables or the claims are missing or wrong.
    """
    generator, plan, claims = (
        np.random.default_rng(seed),
        Plan.read(files, tables),
        read_claims(tables),
    )
    return [
        family_rates(plan, claims, noise, n, draws, generator)
        for noise in FAMILY_NOISES
        for n in SEEDS
    ]


def markdown(rates: Sequence[CellRates | FamilyRates]) -> str:
    """The rates as a Markdown table, a line for each kind of noise and number of seeds."""
    head = f"| errors | seeds | {HEADS[type(rates[0])]} |"
    lines = ["| " + " | ".join(map(str, line)) + " |" for line in rates]
    return "\n".join([head, "|" + "---|" * (head.count("|") - 1), *lines])


if __name__ == "__main__":
    print(f"{DRAWS:,} simulations of a cell\n\n{markdown(simulate_cells())}\n")
    print(f"{FAMILIES:,} simulations of all cells\n\n{markdown(simulate_families())}")
