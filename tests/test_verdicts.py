"""The simulation decides as the suite does, and docs/statistics.md prints what it finds."""

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.plans import ROOT, tiny_plan

from benchmarks import verdicts
from benchmarks.verdicts import (
    CELL_DRAWS,
    EFFECTS,
    FAMILY_DRAWS,
    ITEMS,
    SPREAD,
    CellRates,
    FamilyRates,
    correct_all,
    decide_all,
    draw_cells,
    draw_pairs,
    simulate_cells,
    simulate_families,
)
from replication.analysis.cells_csv import COLUMNS
from replication.analysis.claims import decide_claims
from replication.analysis.hypothesis_tests import holm, power
from replication.config.paper_claims import Region, read_claims

TEXT = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
Rates = Sequence[CellRates] | Sequence[FamilyRates]


def printed(rates: Rates) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Values and errors of the docs' table with these rates' head, by errors and seeds."""
    head, rule, *_ = verdicts.markdown(rates).splitlines()
    (table,) = re.findall(re.escape(f"{head}\n{rule}\n") + r"((?:\|.*\n)+)", TEXT)
    found = {}
    for line in table.splitlines():
        noise, n, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        pairs = [cell.split("±") for cell in cells]
        found[noise, n] = [(float(value), float(error)) for value, error in pairs]
    return found


def distances(rates: Rates, draws: int, of: int) -> list[float]:
    """How far each rate of a reduced simulation lies from the printed one, in standard errors."""
    table, found = printed(rates), []
    assert set(table) == {(line.noise, str(line.n)) for line in rates}
    for line in rates:
        for value, (expected, error) in zip(line[2:], table[line.noise, str(line.n)], strict=True):
            # Where nothing happened in `of` simulations, one event in them is no surprise.
            error = max(error, 100 / of)
            found.append((value.value - expected) / math.hypot(error, error * (of / draws) ** 0.5))
    return found


def test_the_printed_rates_of_a_cell_are_those_of_a_simulation() -> None:
    assert f"{CELL_DRAWS:,} simulations for each number" in TEXT
    found = distances(simulate_cells(draws=250, seed=1), 250, CELL_DRAWS)
    assert max(map(abs, found)) < 4.5
    # All of them together see a drift that none of them sees alone.
    assert np.sqrt(np.mean(np.square(found))) < 1.3


def test_the_printed_rates_of_all_claims_are_those_of_a_simulation() -> None:
    assert f"{FAMILY_DRAWS:,} simulations of all runs" in TEXT
    files = [ROOT / "config" / "digits.yaml"]
    rates = simulate_families(draws=25, seed=1, files=files, tables=ROOT / "tables")
    claims = read_claims(ROOT / "tables").file.claims
    assert printed(rates)["normal", "2"][0] == (len(claims), 0)
    found = distances(rates, 25, FAMILY_DRAWS)
    assert max(map(abs, found)) < 4.5
    assert np.sqrt(np.mean(np.square(found))) < 1.3


@pytest.mark.parametrize("noise", ["normal", "600 items"])
@pytest.mark.parametrize("n", [2, 5])
def test_claims_are_decided_in_the_simulation_as_in_the_suite(noise: str, n: int) -> None:
    plan, claims = tiny_plan(), read_claims(ROOT / "tables")
    errors, _ = draw_cells(plan, noise, n, 1, np.random.default_rng(n))
    lines = [
        (*cell, seed, "test error (%)", value, "run")
        for cell, values in errors.items()
        for seed, value in enumerate(values[0])
    ]
    frame = pd.DataFrame(lines, columns=COLUMNS)
    _, numbers = decide_claims(claims, frame)
    decisions = decide_all(claims, errors)
    p = np.array([decision.p_value for decision in decisions])[:, 0]
    assert p == pytest.approx(numbers["p_value"].to_numpy(), nan_ok=True, rel=1e-9)
    tested = ~np.isnan(p)
    corrected = numbers["p_corrected"].to_numpy()[tested]
    assert holm(p[tested].tolist()) == pytest.approx(corrected.tolist(), rel=1e-9)
    assert correct_all(p[:, None])[tested, 0] == pytest.approx(corrected, rel=1e-9)


@pytest.mark.parametrize("noise", verdicts.ITEMS)
@pytest.mark.parametrize("effect", [0.0, *EFFECTS])
def test_pairs_are_drawn_with_the_truth_that_is_said(noise: str, effect: float) -> None:
    teachers, students = draw_pairs(noise, 2, effect, 40_000, np.random.default_rng(0))
    assert teachers.mean() == pytest.approx(4.0, abs=0.02)
    assert (students - teachers).mean() == pytest.approx(effect, abs=0.02)
    items = ITEMS[noise]
    if items:
        counts = teachers * items / 100
        assert counts == pytest.approx(np.rint(counts), abs=1e-9)
        # A binomial count.
        assert counts.var() == pytest.approx(items * 0.04 * 0.96, rel=0.03)
    spread = SPREAD if items is None else 100 * (0.04 + effect / 100) ** 0.5 / items**0.5
    assert (students - teachers).std() == pytest.approx(spread, rel=0.03)


def test_the_printed_power_is_the_noncentral_t_distributions() -> None:
    table = printed([verdicts.cell_rates("normal", 2, 2, np.random.default_rng(0))])
    for (noise, n), rates in table.items():
        if noise == "normal":
            for effect, (rate, error) in zip(EFFECTS, rates[-2:], strict=True):
                expected = 100 * power(effect, SPREAD, int(n), Region(-math.inf, 0))
                assert rate == pytest.approx(expected, abs=4 * error + 0.02)


def test_the_docs_say_how_wide_an_interval_is() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", TEXT, re.M)
    assert [int(n) for n, *_ in rows] == list(verdicts.SEEDS)
    for n, t, half, first in rows:
        alone, of_67 = stats.t.ppf([0.975, 1 - 0.025 / 67], int(n) - 1)
        assert (float(t), float(half)) == (round(alone, 2), round(alone / int(n) ** 0.5, 2))
        assert float(first) == pytest.approx(of_67, abs=0.5)
