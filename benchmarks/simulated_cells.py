"""Simulates cells whose truth is known: how often intervals cover it, and what is found.

Two kinds of noise:

* items: a run is wrong on 20 % of a test set that all seeds share. Some items are harder than
  others, and a small part of their difficulty is the student's own;
* normal: a run's error spreads over seeds by 1.45 % of its level, as the paper's replicates do.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.simulated_claims import ERROR, LINEAGE, SPREAD, Study
from replication.analysis.hypothesis_tests import LEVEL
from replication.analysis.pooled_spread import FEW_SEEDS
from replication.analysis.statistics import Array, Summary, summarise_all, summarise_strata
from replication.analysis.summary import CellSamples, network_kind, statistics_of_cells
from replication.config.claim_specs import CellKey
from replication.wording import formatted

SEEDS = (2, 3, 5, 10, 20)
FEW = tuple(range(2, FEW_SEEDS))
EFFECTS = (-0.5, -1.0)
# Share of the variance of an item's latent difficulty that all runs have in common, and of that
# the share which teachers and students do not.
COMMON, OWN = 0.8, 0.02
DRAWS = {"cells": 2_000, "units": 20_000, "tables": 300}
UNEQUAL = {"equal": 1.0, "Wide-ResNets 1.5 times": 1.5, "Wide-ResNets 3 times": 3.0}
"""Factors of the spread of Wide-ResNets, in a table that has DenseNets too."""
Rows = list[dict[str, Any]]


def describe_mean(values: NDArray[Any]) -> str:
    """A mean over simulations with its standard error, the Monte-Carlo error."""
    return f"{values.mean():.1f}±{values.std() / len(values) ** 0.5:.1f}"


def describe_share(events: Any) -> str:
    """How often something happens in simulations, in percent."""
    return describe_mean(100 * np.asarray(events, dtype=float))


def interval_widths() -> Rows:
    """Half-widths of an interval in standard deviations, which follow from t alone."""
    rows = []
    for n in SEEDS:
        alone, of_four = (float(stats.t.ppf(0.975, strata * (n - 1))) for strata in (1, 4))
        rows.append(
            {
                "seeds": n,
                "t": f"{alone:.2f}",
                "one network": f"{alone / n**0.5:.2f}",
                "four strata": f"{of_four / n**0.5:.2f}",
            }
        )
    return rows


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
            summaries = {}
            expected = np.zeros(draws)
            for effect in (0.0, *EFFECTS):
                drawn = [*draw_pairs(items, n, effect, draws, generator)]
                differences = np.array([student - teacher for teacher, student, _ in drawn])
                summaries[effect] = summarise_all(differences)
                if effect == 0:
                    expected = np.array([on_this_test_set for *_, on_this_test_set in drawn])
            none = summaries[0.0]
            rows.append(
                {
                    "items": f"{items:,}",
                    "seeds": n,
                    "this test set covered": describe_coverage(none, expected),
                    "all test sets covered": describe_coverage(none, 0),
                    "`better`, no effect": describe_share(none.high < 0),
                    "`worse`, no effect": describe_share(none.low > 0),
                    **{
                        f"`better` at {formatted(effect, '')}": describe_share(
                            summaries[effect].high < 0
                        )
                        for effect in EFFECTS
                    },
                }
            )
    return rows


def describe_coverage(summary: Summary[Array], truth: Array | float) -> str:
    """How many of the intervals that exist contain the truth."""
    exists = np.isfinite(summary.low)
    return describe_share(((summary.low <= truth) & (truth <= summary.high))[exists])


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
                f"strata, {name}": describe_share(summarise_strata(values).p_value < LEVEL),
                f"seeds, {name}": describe_share(summarise_all(values.sum(1)).p_value < LEVEL),
            }
        row |= {
            "power, strata": describe_share(summarise_strata(noise + 1).p_value < LEVEL),
            "power, seeds": describe_share(summarise_all((noise + 1).sum(1)).p_value < LEVEL),
        }
    return rows


def simulate_references(draws: int = DRAWS["units"], seed: int = 0) -> Rows:
    """A student against its teacher, and against the mean of its teacher and two label networks."""
    generator, rows = np.random.default_rng(seed), []
    for n in SEEDS:
        common, *own = generator.normal(size=(5, draws, n))
        teacher, student = (LINEAGE**0.5 * common + (1 - LINEAGE) ** 0.5 * run for run in own[:2])
        references = {"teacher": teacher, "mean of three": np.mean([teacher, *own[2:]], axis=0)}
        row: dict[str, Any] = {"seeds": n}
        rows.append(row)
        for name, reference in references.items():
            difference = student - reference
            row |= {
                f"spread, {name}": f"{difference.std():.2f}",
                f"level, {name}": describe_share(summarise_all(difference).p_value < LEVEL),
                f"power, {name}": describe_share(summarise_all(difference - 1).p_value < LEVEL),
            }
    return rows


def simulate_few_seeds(study: Study, draws: int = DRAWS["tables"], seed: int = 0) -> Rows:
    """Coverage and width of intervals from own and from pooled spreads, by table and seeds.

    Tables 1 and 2 as they are planned, with shared teachers, several generations and ensembles;
    without any effect. Widths are half an interval, in standard deviations of a single run.
    """
    generator, rows = np.random.default_rng(seed), []
    cases = [("Table 2, equal", "table2", 1.0)]
    cases += [(f"Table 1, {name}", "table1", factor) for name, factor in UNEQUAL.items()]
    for name, table, factor in cases:
        for n in FEW:
            values = study.draw(n, draws, generator, spreads={"wide_resnet": factor})
            own, pooled = (
                _own_intervals(study, table, values),
                _pooled_intervals(study, table, values),
            )
            row: dict[str, Any] = {"table and spreads": name, "seeds": n}
            rows.append(row)
            for word, (means, differences, width) in (("own", own), ("pooled", pooled)):
                row[f"means covered, {word}"] = describe_share(means)
                row[f"differences covered, {word}"] = describe_share(differences)
                row[f"width, {word}"] = f"{width / SPREAD / ERROR:.2f}"
    return rows


Coverage = tuple[Array, Array, float]
"""Share of covered means and of covered differences (draws,), and the median half-width."""


def _own_intervals(study: Study, table: str, values: Mapping[CellKey, Array]) -> Coverage:
    """Intervals of a table's cells, each from its own spread."""
    keys = study.keys_of(table)
    students = [(key, root) for key in keys if (root := study.root_cell(key))]
    levels = summarise_all(np.array([values[key] for key in keys]))
    differences = summarise_all(np.array([values[key] - values[root] for key, root in students]))
    return (
        ((levels.low <= ERROR) & (levels.high >= ERROR)).mean(0),
        ((differences.low <= 0) & (differences.high >= 0)).mean(0),
        float(np.median(levels.high - levels.low) / 2),
    )


def _pooled_intervals(study: Study, table: str, values: Mapping[CellKey, Array]) -> Coverage:
    """Intervals of a table's cells as the suite computes them from few seeds."""
    means, differences, widths = [], [], []
    for draw in range(len(next(iter(values.values())))):
        samples = []
        for key in study.keys_of(table):
            members, root = study.cells[key].members[0], study.root_cell(key)
            teachers = dict(enumerate(values[root][draw])) if root else {}
            kind = network_kind(members[-1].network, len(members))
            samples.append(CellSamples(kind, dict(enumerate(values[key][draw])), teachers))
        lines = statistics_of_cells(samples)
        means.append(np.mean([line["ci_low"] <= ERROR <= line["ci_high"] for line in lines]))
        compared = [line for line in lines if line["delta_ci_low"] is not None]
        differences.append(
            np.mean([line["delta_ci_low"] <= 0 <= line["delta_ci_high"] for line in compared])
        )
        widths += [(line["ci_high"] - line["ci_low"]) / 2 for line in lines]
    return np.array(means), np.array(differences), float(np.median(widths))
