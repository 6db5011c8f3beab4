"""The simulation decides as the suite does, and docs/statistics.md prints what it finds."""

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.plans import ROOT

from benchmarks import verdicts
from benchmarks.verdicts import (
    DRAWS,
    EFFECTS,
    ERROR,
    LINEAGE,
    SPREAD,
    Rows,
    Study,
    draw_pairs,
    simulate_cells,
    simulate_claims,
    simulate_references,
    simulate_units,
)
from replication.analysis.cells_csv import COLUMNS
from replication.analysis.claims import decide_claims
from replication.analysis.hypothesis_tests import spread_of_replicates

TEXT = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
FILES = [ROOT / "config" / "digits.yaml"]


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(FILES, ROOT / "tables")


def numbers(lines: Sequence[str]) -> list[tuple[float, float]]:
    """Values and errors of the lines of a table."""
    found = re.findall(r"([\d.]+)±([\d.]+)", "\n".join(lines))
    return [(float(value), float(error)) for value, error in found]


def check_printed(rows: Rows, draws: int, of: int) -> None:
    """See that the docs' table with this head has these rates, up to chance."""
    head, rule, *lines = verdicts.markdown(rows).splitlines()
    (table,) = re.findall(re.escape(f"{head}\n{rule}\n") + r"((?:\|.*\n)+)", TEXT)
    printed, own = numbers(table.splitlines()), numbers(lines)
    assert len(printed) == len(own) > 0
    distances = []
    for (value, error), (expected, printed_error) in zip(own, printed, strict=True):
        # Errors are printed with one digit, and rare events have none.
        error = max(error, printed_error * (of / draws) ** 0.5, 0.05)
        rare = 0 if 1 < expected < 99 else 100 / draws
        distances.append((value - expected) / math.hypot(error, printed_error, 0.05, rare))
    assert max(map(abs, distances)) < 4.5
    # All of them together see a drift that none of them sees alone.
    assert np.sqrt(np.mean(np.square(distances))) < 1.4


def test_the_printed_rates_of_a_cell_are_those_of_a_simulation() -> None:
    check_printed(simulate_cells(draws=60, seed=1), 60, DRAWS["cells"])


def test_the_printed_rates_of_units_and_references_are_those_of_a_simulation() -> None:
    check_printed(simulate_units(1_000, seed=1), 1_000, DRAWS["units"])
    check_printed(simulate_references(1_000, seed=1), 1_000, DRAWS["units"])


def test_the_printed_rates_of_all_claims_are_those_of_a_simulation() -> None:
    errors, decisions = simulate_claims(100, seed=1, files=FILES, tables=ROOT / "tables")
    check_printed(errors, 100, DRAWS["claims"])
    check_printed(decisions, 100, DRAWS["claims"])
    assert all(f"{draws:,}" in TEXT for draws in DRAWS.values())


@pytest.mark.parametrize("effects", [False, True])
@pytest.mark.parametrize("n", [2, 5])
def test_claims_are_decided_in_the_simulation_as_in_the_suite(
    n: int, effects: bool, study: Study
) -> None:
    values = study.draw(n, 1, np.random.default_rng(n), effects=effects)
    lines = [
        # A run of a seed has its number.
        (*key, seed, cell.metric, values[key][0, seed], study.runs[key].replace(".0", f".{seed}"))
        for key, cell in study.cells.items()
        for seed in range(n)
    ]
    frame, found = decide_claims(study.claims, pd.DataFrame(lines, columns=COLUMNS))
    at = [list(found["claim"]).index(name) for name in study.tested]
    assert found["p_value"].notna().sum() == len(at)
    p_values = study.test(values)
    suite = found.loc[at, ["p_contradicted", "p_negligible", "p_replicated"]].to_numpy()
    assert p_values[..., 0] == pytest.approx(suite, nan_ok=True, rel=1e-9)
    assert study.decide(p_values)[:, 0].tolist() == frame["verdict"][at].tolist()


@pytest.mark.parametrize("effect", [0.0, *EFFECTS])
def test_pairs_are_drawn_with_the_truth_that_is_said(effect: float) -> None:
    drawn = [*draw_pairs(500, 2, effect, 400, np.random.default_rng(0))]
    teachers, students, here = (np.array(it) for it in zip(*drawn, strict=True))
    assert teachers.mean() == pytest.approx(ERROR, abs=0.3)
    assert here.mean() == pytest.approx(effect, abs=0.15)
    # Test sets differ in the effect that they show.
    assert here.std() > 0.2
    assert (students - teachers - here[:, None]).mean() == pytest.approx(0, abs=0.15)


def test_runs_spread_and_correlate_as_said(study: Study) -> None:
    values = study.draw(40_000, 1, np.random.default_rng(0), effects=False)
    teacher, ban = (values["table2", "densenet-90-60", it][0] for it in ("teacher", "ban"))
    assert teacher.std() == pytest.approx(SPREAD * ERROR, rel=0.02)
    assert ban.std() == pytest.approx(SPREAD * ERROR, rel=0.02)
    assert np.corrcoef(teacher, ban)[0, 1] == pytest.approx(LINEAGE, abs=0.02)
    claims = study.claims
    level = claims.reported(claims.file.replicates.weights())
    assert spread_of_replicates(claims.replicate_pairs()) / level == pytest.approx(SPREAD, rel=0.02)


def test_the_docs_say_how_wide_an_interval_is() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", TEXT, re.M)
    assert [int(n) for n, *_ in rows] == list(verdicts.SEEDS)
    for n, t, half, strata in rows:
        alone, of_four = (stats.t.ppf(0.975, k * (int(n) - 1)) for k in (1, 4))
        assert (float(t), float(half)) == (round(alone, 2), round(alone / int(n) ** 0.5, 2))
        assert float(strata) == round(of_four / int(n) ** 0.5, 2)
