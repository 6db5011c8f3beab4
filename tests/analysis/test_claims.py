"""Claims: what the file says, how its claims are decided, and how many seeds would decide them."""

import html
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from support import synthetic_results
from support.plans import ROOT, tiny_plan

from replication.analysis import hypothesis_tests as power
from replication.analysis.claims import build_claims, decide_claims
from replication.analysis.hypothesis_tests import Region, decide, holm, seeds_needed
from replication.config.paper_claims import Claims, read_claims
from replication.errors import InputError
from replication.report import claims_page
from replication.report.plotting import save

INFINITE = float("inf")
LOWER, WITHIN = Region(-INFINITE, 0), Region(-0.5, 0.5)
CLAIMS = read_claims(ROOT / "tables")
TEXT = (ROOT / "tables" / "claims.yaml").read_text(encoding="utf-8")

Values = dict[tuple[str, str, str], Sequence[float]]
BAN = ("table1", "densenet-90-60", "ban")
TEACHER = ("table1", "densenet-90-60", "teacher")


def side(at: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    table, row, column = at
    return {"table": table, "rows": [row], "columns": [column], **more}


def claim(expect: str = "lower", **keys: Any) -> dict[str, Any]:
    return {
        "section": "Table 1",
        "statement": "Students err less.",
        "left": side(BAN),
        "right": side(TEACHER),
        "expect": expect,
        **keys,
    }


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Claims]:
    """Reads a claims.yaml of these claims, beside the paper's tables."""

    def read(**claims: dict[str, Any]) -> Claims:
        folder = tmp_path / "tables"
        shutil.copytree(ROOT / "tables", folder, dirs_exist_ok=True)
        file = {**yaml.safe_load(TEXT), "claims": claims}
        (folder / "claims.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
        return read_claims(folder)

    return read


def cells(values: Values) -> pd.DataFrame:
    """Lines of cells.csv: one per cell and seed."""
    lines = [
        (*cell, seed, "test error (%)", value, "run")
        for cell, seeds in values.items()
        for seed, value in enumerate(seeds)
    ]
    return pd.DataFrame(lines, columns=synthetic_results.results(1)[0].columns)


def line(claims: Claims, values: Values) -> dict[str, Any]:
    """Everything said of the only claim."""
    frame, numbers = decide_claims(claims, cells(values))
    assert len(frame) == 1
    return frame.merge(numbers, on="claim").iloc[0].to_dict()


# The file.


def test_there_are_claims_on_every_table_and_none_is_written_over_by_another() -> None:
    ids = re.findall(r"^  ([a-z0-9-]+):$", TEXT, re.M)
    assert list(CLAIMS.file.claims) == ids
    assert len(ids) >= 25
    assert {cell[0] for c in CLAIMS.file.claims.values() for cell in c.contrast()} == {
        f"table{number}" for number in range(1, 7)
    }


@pytest.mark.parametrize(
    ("table", "columns"), [("table1", ["ban"]), ("table2", ["ban", "ban+l", "cwtm", "dkpp"])]
)
def test_each_network_and_treatment_is_compared_with_its_teacher(
    table: str, columns: list[str]
) -> None:
    compared = {tuple(c.contrast()) for c in CLAIMS.file.claims.values()}
    for row in CLAIMS.tables[table].rows:
        for column in columns:
            assert ((table, row, column), (table, row, "teacher")) in compared


def test_the_margin_is_what_two_single_runs_of_the_paper_differ_by() -> None:
    replicates = CLAIMS.file.replicates
    level = CLAIMS.reported(replicates.weights())
    assert CLAIMS.file.margin == round(2**0.5 * CLAIMS.spread.std / level, 2)


def test_a_run_of_the_paper_has_the_spread_of_ban_and_ban_1() -> None:
    squares = [(16.95 - 17.61) ** 2, (16.69 - 16.62) ** 2, (16.36 - 16.26) ** 2, 0.13**2]
    assert pytest.approx((sum(squares) / 8) ** 0.5) == CLAIMS.spread.std
    assert CLAIMS.spread.degrees_of_freedom == 4
    assert f"{CLAIMS.spread.std:.2f}" == "0.24"


def test_reported_differences_are_the_papers() -> None:
    reported = {name: CLAIMS.reported(c.contrast()) for name, c in CLAIMS.file.claims.items()}
    assert reported["ban-densenet-112-33"] == pytest.approx(16.95 - 18.25)
    assert reported["cifar10-densenet-gap-narrows"] == pytest.approx((3.61 - 3.54) - (3.84 - 3.37))
    assert reported["wide-resnet-teacher-beats-labels"] == pytest.approx(16.79 - 17.69)
    assert reported["robust-to-depth"] == pytest.approx((16.95 + 16.43 + 16.64 + 16.64) / 4 - 17.69)
    assert reported["lstm-test"] == pytest.approx(68.56 - 71.87)


def test_claims_that_the_papers_own_numbers_do_not_bear_out_are_known() -> None:
    outside = {
        name
        for name, c in CLAIMS.file.claims.items()
        if min(
            c.region(CLAIMS.file.margin * CLAIMS.reported(c.right.weights())).depths(
                round(CLAIMS.reported(c.contrast()), 6)
            )
        )
        <= 0
    }
    assert outside == {
        "cifar10-ban-wide-resnet-28-10",
        "cifar10-ban-densenet-80-120",
        "cwtm-densenet-80-80",
    }


Change = Callable[[dict[str, Any]], object]
FIRST = "cifar10-ban-all"


def first(file: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = file["claims"][FIRST]
    return found


WRONG: dict[str, tuple[Change, str]] = {
    "misspelt key": (lambda f: first(f).update(expects="lower"), "did you mean `expect`?"),
    "key left out": (lambda f: first(f).pop("section"), f"`claims.{FIRST}.section` is missing"),
    "unknown test": (lambda f: first(f).update(expect="less"), f"`claims.{FIRST}.expect`"),
    "unknown table": (
        lambda f: first(f)["left"].update(table="table9"),
        f"`claims.{FIRST}.left`: no table `table9`",
    ),
    "unknown row": (
        lambda f: first(f)["right"].update(rows=["densenet-91-60"]),
        f"`claims.{FIRST}.right`: table1 has no row `densenet-91-60`",
    ),
    "unknown column": (
        lambda f: first(f)["left"].update(columns=["bam"]),
        "table1 has no column `bam`; there are: teacher, ban",
    ),
    "dash": (
        lambda f: first(f)["left"].update(side(("table2", "densenet-80-120", "ban-3"))),
        "table2 has a dash at `densenet-80-120` / `ban-3`",
    ),
    "unknown row to subtract": (
        lambda f: first(f)["left"].update(minus=side(("table1", "resnet", "ban"))),
        f"`claims.{FIRST}.left.minus`: table1 has no row `resnet`",
    ),
    "row twice": (
        lambda f: first(f)["left"].update(rows=["densenet-90-60", "densenet-90-60"]),
        "stands twice",
    ),
    "no row": (lambda f: first(f)["left"].update(rows=[]), f"`claims.{FIRST}.left.rows`"),
    "nothing to compare": (
        lambda f: first(f).update(right=first(f)["left"]),
        "left and right are the same cells",
    ),
    "error with perplexity": (
        lambda f: first(f).update(right=side(("table6", "lstm", "teacher test"))),
        f"`claims.{FIRST}`: compares errors with perplexities",
    ),
    "statement of two lines": (
        lambda f: first(f).update(statement="one\ntwo"),
        f"`claims.{FIRST}.statement`",
    ),
    "margin that is none": (lambda f: f.update(margin=0), "`margin`"),
    "three replicates": (
        lambda f: f["replicates"].update(columns=["ban", "ban-1", "ban-2"]),
        "`replicates` has two columns",
    ),
    "no claims": (lambda f: f.update(claims={}), "`claims`"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_one_line_with_file_and_key(name: str, tmp_path: Path) -> None:
    change, message = WRONG[name]
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    # Through JSON-like copies: the file's anchors are shared objects.
    file = yaml.safe_load(yaml.dump(yaml.safe_load(TEXT), Dumper=NoAliases))
    change(file)
    path = tmp_path / "tables" / "claims.yaml"
    path.write_text(yaml.safe_dump(file), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_claims(tmp_path / "tables")
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


class NoAliases(yaml.SafeDumper):
    """Writes every anchor out."""

    def ignore_aliases(self, data: object) -> bool:
        return True


# The test of one claim.


def test_lower_is_the_paired_t_test() -> None:
    values = np.random.default_rng(0).normal(-0.3, 1, 7)
    found = decide(values.mean(), values.std(ddof=1), 7, LOWER)
    assert found.p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert found.holds == (values.mean() < 0)


@pytest.mark.parametrize(("mean", "std"), [(0.1, 0.2), (0.45, 0.5), (-0.3, 0.1)])
def test_equivalent_is_two_one_sided_tests(mean: float, std: float) -> None:
    values = np.random.default_rng(1).normal(0, 1, 9)
    values = mean + std * (values - values.mean()) / values.std(ddof=1)
    above = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.5, alternative="less").pvalue
    found = decide(mean, std, 9, WITHIN)
    assert found.p_value == pytest.approx(2 * max(above, below))
    assert found.holds


def test_equivalent_is_contradicted_by_a_difference_beyond_either_margin() -> None:
    for mean in (-2.0, 2.0):
        found = decide(mean, 0.5, 9, WITHIN)
        beyond = stats.t.sf(1.5 / (0.5 / 3), 8)
        assert found.p_value == pytest.approx(2 * beyond)
        assert not found.holds


def test_holms_correction_on_an_example_worked_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04, times 4, 3, 2, 1; the last may not fall below the third.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([]) == []


def test_holms_correction_is_the_closure_of_bonferronis() -> None:
    p = np.random.default_rng(3).uniform(0, 0.3, 6)
    for i, corrected in enumerate(holm(list(p))):
        families = [s for k in range(1, 7) for s in combinations(range(6), k) if i in s]
        assert corrected == pytest.approx(max(min(1, len(s) * p[list(s)].min()) for s in families))


def test_without_an_effect_a_whole_family_errs_in_at_most_5_percent() -> None:
    # Claims that share a teacher, as the tables' do.
    rng, draws, some, uncorrected = np.random.default_rng(0), 1500, 0, 0
    for _ in range(draws):
        teacher = rng.normal(0, 0.5, 5)
        students = rng.normal(0, 0.5, (12, 5)) - teacher
        p = [decide(s.mean(), s.std(ddof=1), 5, LOWER).p_value for s in students]
        some += min(holm(p)) < power.LEVEL
        uncorrected += min(p) < power.LEVEL
    assert some / draws <= 0.05
    assert uncorrected / draws > 0.2


# Verdicts.

CLEAR: Values = {BAN: [3.0, 3.1, 2.9, 3.05], TEACHER: [4.0, 4.2, 3.9, 4.0]}
NONE: Values = {BAN: [4.1, 4.1, 3.9, 4.0], TEACHER: [4.0, 4.2, 3.9, 4.1]}
SAME: Values = {BAN: [4.0, 4.201, 3.9, 4.101], TEACHER: [4.0, 4.2, 3.901, 4.1]}
OPPOSITE: Values = {BAN: CLEAR[TEACHER], TEACHER: CLEAR[BAN]}


@pytest.mark.parametrize(
    ("expect", "values", "verdict"),
    [
        ("lower", CLEAR, "replicated"),
        ("lower", OPPOSITE, "contradicted"),
        ("lower", NONE, "inconclusive"),
        ("higher", CLEAR, "contradicted"),
        ("higher", OPPOSITE, "replicated"),
        ("not higher", CLEAR, "replicated"),
        ("not higher", SAME, "replicated"),
        ("not higher", OPPOSITE, "contradicted"),
        ("not lower", SAME, "replicated"),
        ("not lower", CLEAR, "contradicted"),
        ("not lower", NONE, "inconclusive"),
        ("equivalent", SAME, "replicated"),
        ("equivalent", CLEAR, "contradicted"),
        ("equivalent", OPPOSITE, "contradicted"),
        ("equivalent", NONE, "inconclusive"),
    ],
)
def test_the_verdict_follows_the_difference(
    read: Callable[..., Claims], expect: str, values: Values, verdict: str
) -> None:
    found = line(read(one=claim(expect)), values)
    assert found["verdict"] == verdict
    assert f"n = 4 seeds; p {'<' if found['p_corrected'] < 0.001 else '='}" in found["evidence"]


def test_the_evidence_names_difference_interval_seeds_and_the_papers(
    read: Callable[..., Claims],
) -> None:
    expected = stats.ttest_rel(CLEAR[BAN], CLEAR[TEACHER])
    low, high = expected.confidence_interval(0.95)
    found = line(read(one=claim()), CLEAR)
    assert found["evidence"] == (
        f"difference −1.01 points [95 % interval −{-low:.2f} to −{-high:.2f}]; n = 4 seeds;"
        f" p < 0.001 corrected for 1 claims; the paper’s −0.31"
    )
    assert found["p_value"] == found["p_corrected"] == pytest.approx(expected.pvalue)


def test_correction_takes_verdicts_back(read: Callable[..., Claims]) -> None:
    weak: Values = {BAN: [3.9, 3.95, 3.8, 3.8], TEACHER: [4.0, 4.2, 3.9, 4.0]}
    assert line(read(one=claim()), weak)["verdict"] == "replicated"
    many = {f"claim-{number}": claim() for number in range(20)}
    frame, numbers = decide_claims(read(**many), cells(weak))
    assert set(frame["verdict"]) == {"inconclusive"}
    assert (numbers["p_corrected"] > numbers["p_value"]).all()


def test_claims_that_cannot_be_tested_are_not_corrected_for(read: Callable[..., Claims]) -> None:
    unmeasured = claim(left=side(("table6", "lstm", "ban+l val"))) | {
        "right": side(("table6", "lstm", "teacher val"))
    }
    frame, numbers = decide_claims(
        read(one=claim(), two=unmeasured, three=unmeasured), cells(CLEAR)
    )
    assert list(frame["verdict"]) == ["replicated", "inconclusive", "inconclusive"]
    assert numbers["p_corrected"][0] == numbers["p_value"][0]
    assert (
        frame["evidence"][1] == "not measured at this scale: table6 / lstm / ban+l val and 1 more"
    )


def test_each_student_is_paired_with_the_teacher_of_its_own_seed(
    read: Callable[..., Claims],
) -> None:
    # Teachers spread far wider than the gain: only the right pairing sees it.
    frame = cells({BAN: [9.4, 1.5, 5.52], TEACHER: [10.0, 2.0, 6.0]})
    shuffled = frame.sample(frac=1, random_state=1)
    verdicts, numbers = decide_claims(read(one=claim()), shuffled)
    assert verdicts["verdict"][0] == "replicated"
    assert numbers["difference"][0] == pytest.approx(-1.58 / 3)


def test_a_seed_without_one_of_the_cells_is_left_out(read: Callable[..., Claims]) -> None:
    found = line(read(one=claim()), {BAN: [*CLEAR[BAN], 0.0], TEACHER: [*CLEAR[TEACHER], np.nan]})
    assert found["n"] == 4
    assert found["difference"] == pytest.approx(-1.0125)


def test_one_seed_gives_no_interval(read: Callable[..., Claims]) -> None:
    found = line(read(one=claim()), {BAN: [3.0], TEACHER: [4.0]})
    assert found["verdict"] == "inconclusive"
    assert found["evidence"] == (
        "difference −1.00 points; one seed gives no interval; the paper’s −0.31"
    )
    assert np.isnan([found[name] for name in ("p_value", "std", "power", "seeds_needed")]).all()


def test_seeds_that_differ_by_as_many_samples_are_no_proof(read: Callable[..., Claims]) -> None:
    # In floating point the differences are not quite equal, and a t-test would be all but certain.
    values: Values = {
        BAN: [100 * 11 / 599, 100 * 10 / 599],
        TEACHER: [100 * 13 / 599, 100 * 12 / 599],
    }
    assert np.ptp(np.subtract(values[BAN], values[TEACHER])) > 0
    found = line(read(one=claim()), values)
    assert found["verdict"] == "inconclusive"
    assert "equal at all 2 seeds" in found["evidence"]


def test_cells_without_a_common_seed_are_said_to_have_none(read: Callable[..., Claims]) -> None:
    found = line(read(one=claim()), {BAN: [3.0, np.nan], TEACHER: [np.nan, 4.0]})
    assert (found["verdict"], found["evidence"]) == ("inconclusive", "no seed has all the cells")


def test_sides_are_means_of_cells_less_the_mean_of_others(read: Callable[..., Claims]) -> None:
    rows = ["densenet-90-60", "densenet-80-80"]
    gain = {"table": "table1", "rows": rows, "columns": ["ban"]}
    gain["minus"] = {"table": "table1", "rows": rows, "columns": ["teacher"]}
    more = claim(left=gain, right=side(("table3", "wide-resnet-28-1", "ban")))
    values: Values = {
        BAN: [1.0, 2.0],
        TEACHER: [2.0, 4.0],
        ("table1", "densenet-80-80", "ban"): [3.0, 3.0],
        ("table1", "densenet-80-80", "teacher"): [7.0, 7.0],
        ("table3", "wide-resnet-28-1", "ban"): [10.0, 20.0],
    }
    found = line(read(one=more), values)
    # Gains are −2.5 and −3.
    assert found["difference"] == pytest.approx(((-2.5 - 10) + (-3 - 20)) / 2)
    assert found["level"] == 15


# Power.


@pytest.mark.parametrize(("effect", "n"), [(-0.4, 4), (-0.4, 12), (0.3, 8)])
def test_power_is_how_often_a_simulation_decides(effect: float, n: int) -> None:
    draws = np.random.default_rng(n).normal(effect, 0.5, (3000, n))
    p = stats.ttest_1samp(draws, 0, axis=1).pvalue
    right = np.sign(draws.mean(axis=1)) == np.sign(effect)
    rate = ((p < power.LEVEL) & right).mean()
    assert power.power(effect, 0.5, n, LOWER) == pytest.approx(rate, abs=0.03)


def test_power_of_equivalence_is_what_a_simulation_shows_or_less() -> None:
    for n, exact in ((5, False), (15, True)):
        draws = np.random.default_rng(n).normal(0.1, 0.4, (1500, n))
        found = [decide(d.mean(), d.std(ddof=1), n, WITHIN) for d in draws]
        rate = np.mean([test.p_value < power.LEVEL and test.holds for test in found])
        computed = power.power(0.1, 0.4, n, WITHIN)
        assert computed <= rate + 0.03
        if exact:
            assert computed == pytest.approx(rate, abs=0.03)


@pytest.mark.parametrize("region", [LOWER, WITHIN])
@pytest.mark.parametrize("level", [0.05, 0.05 / 60])
def test_one_seed_less_than_needed_has_too_little_power(region: Region, level: float) -> None:
    n = seeds_needed(-0.2, 0.4, region, level)
    assert power.power(-0.2, 0.4, int(n), region, level) >= power.POWER
    assert power.power(-0.2, 0.4, int(n) - 1, region, level) < power.POWER


def test_no_number_of_seeds_decides_an_effect_on_the_bound() -> None:
    assert np.isnan(seeds_needed(0.0, 0.4, LOWER))
    assert np.isnan(seeds_needed(0.5, 0.4, WITHIN))


def test_the_effect_is_the_papers_in_proportion_to_our_level(read: Callable[..., Claims]) -> None:
    found = line(read(one=claim()), {BAN: [30.0, 31.0, 32.0], TEACHER: [38.1, 38.0, 38.2]})
    assert found["effect"] == pytest.approx((3.50 - 3.81) / 3.81 * 38.1)
    assert found["power"] > found["power_corrected"] - 1e-12
    assert found["seeds_needed"] == seeds_needed(found["effect"], found["std"], LOWER)


# The paper alone.


def test_what_the_papers_single_runs_can_support() -> None:
    _, numbers = decide_claims(CLAIMS, cells(CLEAR))
    alone = numbers.set_index("claim")["single_run_verdict"]
    bound = stats.t.ppf(0.975, 4) * CLAIMS.spread.std * 2**0.5
    assert bound == pytest.approx(0.949, abs=0.001)
    # −1.30 and −1.00 lie beyond the bound, −0.87 within it.
    assert alone["ban-densenet-112-33"] == alone["ban-densenet-90-60"] == "supports"
    assert alone["ban-densenet-80-120"] == "too small to tell"
    assert alone["cifar10-ban-all"] == alone["lstm-test"] == "not applicable"
    assert alone["cifar100-gains-more-than-cifar10"] == "not applicable"
    assert alone.value_counts().to_dict() == {
        "too small to tell": 36,
        "supports": 16,
        "not applicable": 15,
    }


def test_a_mean_of_runs_differs_less_by_chance() -> None:
    spread = power.spread_of_replicates([(1.0, 2.0), (4.0, 4.0)])
    assert spread == (0.5, 2)
    two = power.chance_of_single_runs(spread, [1, -1])
    assert two == pytest.approx(stats.t.ppf(0.975, 2) * 0.5 * 2**0.5)
    assert power.chance_of_single_runs(spread, [0.25] * 4 + [-0.25] * 4) == pytest.approx(two / 2)


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(-0.9, "supports"), (0.9, "speaks against"), (-0.4, "too small to tell")],
)
def test_single_runs_support_what_lies_beyond_chance(difference: float, expected: str) -> None:
    assert power.single_run_verdict(difference, LOWER, 0.5) == expected


# The files.

CONTRACT = "claim,section,statement,verdict,evidence"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results of scale `tiny`, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "tiny"
    folder.mkdir(parents=True)
    return folder


def test_both_files_are_written_with_a_line_for_every_claim(folder: Path) -> None:
    synthetic_results.results(4)[0].to_csv(folder / "cells.csv", index=False)
    frame = build_claims(tiny_plan(), ROOT / "tables")
    written = (folder / "claims.csv").read_text(encoding="utf-8")
    assert written.splitlines()[0] == CONTRACT
    assert list(pd.read_csv(folder / "claims.csv")["claim"]) == list(CLAIMS.file.claims)
    assert set(frame["verdict"]) == {"replicated", "inconclusive"}
    assert frame.notna().all(axis=None)
    numbers = pd.read_csv(folder / "claims_power.csv")
    assert list(numbers["claim"]) == list(frame["claim"])
    assert (numbers["n"] == 4).all()
    assert (numbers["p_corrected"] >= numbers["p_value"]).all()


def test_a_scale_of_one_table_decides_its_claims_and_says_what_is_not_measured(
    folder: Path,
) -> None:
    every = synthetic_results.results(4)[0]
    every[every["table"] == "table3"].to_csv(folder / "cells.csv", index=False)
    frame = build_claims(tiny_plan(tables=["table3"]), ROOT / "tables").set_index("claim")
    assert frame["verdict"]["densenet-students-beat-wide-resnet-teachers"] == "replicated"
    assert frame["evidence"]["wide-resnet-teacher-beats-labels"] == (
        "not measured at this scale: table2 / densenet-90-60 / teacher"
    )
    assert frame["evidence"].str.startswith("not measured at this scale").sum() == len(frame) - 5


def test_two_values_for_one_cell_are_one_line(folder: Path) -> None:
    frame = synthetic_results.results(2)[0]
    pd.concat([frame, frame[:1]]).to_csv(folder / "cells.csv", index=False)
    with pytest.raises(
        InputError, match=r"cells\.csv: damaged \(a cell has a seed twice"
    ) as caught:
        build_claims(tiny_plan(), ROOT / "tables")
    assert "\n" not in str(caught.value)


def test_a_value_that_is_no_number_is_one_line(folder: Path) -> None:
    frame = synthetic_results.results(2)[0].astype({"value": object})
    frame.loc[3, "value"] = "good"
    frame.to_csv(folder / "cells.csv", index=False)
    with pytest.raises(InputError, match=r"cells\.csv: damaged"):
        build_claims(tiny_plan(), ROOT / "tables")


def test_cells_that_are_not_built_are_named_with_the_command(folder: Path) -> None:
    with pytest.raises(InputError, match=r"cells\.csv: not there; build it with: snakemake"):
        build_claims(tiny_plan(), ROOT / "tables")


# The page.


@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_the_page_shows_every_claim_at_any_number_of_seeds(seeds: int, tmp_path: Path) -> None:
    frame, numbers = decide_claims(CLAIMS, synthetic_results.results(seeds)[0])
    counts = claims_page.verdict_counts(frame)
    assert counts.loc["all", "claims"] == len(frame)
    shown = html.unescape(claims_page.statements(frame).as_raw_html())
    assert all(statement in shown for statement in frame["statement"])
    shown = claims_page.power_table(numbers).as_raw_html()
    assert all(f">{name}<" in shown for name in frame["claim"])
    figure = claims_page.forest(frame, numbers)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "cifar10-ban-all ↓"
    assert len(labels) == len(frame)
    assert save(figure, tmp_path, "claims").stat().st_size > 5_000


def test_the_page_shows_claims_that_are_not_measured_or_measured_at_no_error(
    tmp_path: Path,
) -> None:
    frame, numbers = decide_claims(CLAIMS, cells({BAN: [0.0, 0.5, 0.2], TEACHER: [0.0] * 3}))
    assert (numbers["n"] == 0).sum() == len(numbers) - 1
    assert save(claims_page.forest(frame, numbers), tmp_path, "claims").stat().st_size > 5_000
    claims_page.power_table(numbers).as_raw_html()


def test_the_page_imports_no_torch() -> None:
    code = (
        "import sys; from replication.report import claims_page; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
