"""Claims are decided from cells.csv, corrected for their number, and written with evidence."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from support import synthetic_results
from support.plans import ROOT, tiny_plan

from replication.analysis.claims import build_claims, decide_claims
from replication.analysis.hypothesis_tests import LEVEL, seeds_needed, spread_of_replicates
from replication.config.paper_claims import Claims, Region, read_claims
from replication.errors import InputError

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
        "source": "paper",
        **keys,
    }


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Claims]:
    """Reads a claims.yaml of these claims, next to the paper's tables."""

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
    """Verdict, evidence and numbers of the only claim."""
    frame, numbers = decide_claims(claims, cells(values))
    assert len(frame) == 1
    return frame.merge(numbers, on="claim").iloc[0].to_dict()


CLEAR: Values = {BAN: [3.0, 3.1, 2.9, 3.05], TEACHER: [4.0, 4.2, 3.9, 4.0]}
NONE: Values = {BAN: [4.1, 4.1, 3.9, 4.0], TEACHER: [4.0, 4.2, 3.9, 4.1]}
SAME: Values = {BAN: [4.0, 4.201, 3.9, 4.101], TEACHER: [4.0, 4.2, 3.901, 4.1]}
WEAK: Values = {BAN: [3.9, 3.95, 3.8, 3.8], TEACHER: [4.0, 4.2, 3.9, 4.0]}
OPPOSITE: Values = {BAN: CLEAR[TEACHER], TEACHER: CLEAR[BAN]}


@pytest.mark.parametrize(
    ("expect", "values", "verdict"),
    [
        ("lower", CLEAR, "replicated"),
        ("lower", OPPOSITE, "contradicted"),
        ("lower", NONE, "inconclusive"),
        ("lower", SAME, "negligible"),
        ("higher", SAME, "negligible"),
        ("higher", NONE, "inconclusive"),
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
        " p < 0.001 corrected for 1 claims; smallest effect of interest 0.16; the paper’s −0.31"
    )
    assert found["p_value"] == found["p_corrected"] == pytest.approx(expected.pvalue)


def test_correction_removes_weak_verdicts(read: Callable[..., Claims]) -> None:
    assert line(read(one=claim()), WEAK)["verdict"] == "replicated"
    many = {f"claim-{number}": claim() for number in range(20)}
    frame, numbers = decide_claims(read(**many), cells(WEAK))
    assert set(frame["verdict"]) == {"inconclusive"}
    assert (numbers["p_corrected"] > numbers["p_value"]).all()


def test_untested_claims_are_not_corrected_for(read: Callable[..., Claims]) -> None:
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
        "difference −1.00 points; one seed gives no interval; smallest effect of interest 0.16;"
        " the paper’s −0.31"
    )
    assert np.isnan([found[name] for name in ("p_value", "std", "power", "seeds_needed")]).all()


def test_equal_differences_are_inconclusive(read: Callable[..., Claims]) -> None:
    # In floating point the differences are not quite equal, and a t-test would be all but certain.
    values: Values = {
        BAN: [100 * 11 / 599, 100 * 10 / 599],
        TEACHER: [100 * 13 / 599, 100 * 12 / 599],
    }
    assert np.ptp(np.subtract(values[BAN], values[TEACHER])) > 0
    found = line(read(one=claim()), values)
    assert found["verdict"] == "inconclusive"
    assert "equal at all 2 seeds" in found["evidence"]


def test_cells_without_a_common_seed_are_inconclusive(read: Callable[..., Claims]) -> None:
    found = line(read(one=claim()), {BAN: [3.0, np.nan], TEACHER: [np.nan, 4.0]})
    assert (found["verdict"], found["evidence"]) == ("inconclusive", "no seed has all the cells")


def test_a_side_is_a_mean_of_cells_minus_another(read: Callable[..., Claims]) -> None:
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


def test_the_effect_is_the_papers_in_proportion_to_our_level(read: Callable[..., Claims]) -> None:
    found = line(read(one=claim()), {BAN: [30.0, 31.0, 32.0], TEACHER: [38.1, 38.0, 38.2]})
    assert found["effect"] == pytest.approx((3.50 - 3.81) / 3.81 * 38.1)
    assert found["power"] > found["power_corrected"] - 1e-12
    assert found["seeds_needed"] == seeds_needed(found["effect"], found["std"], Region(-np.inf, 0))


def test_the_smallest_effect_of_interest_is_half_of_the_papers_or_a_hundredth_of_the_level(
    read: Callable[..., Claims],
) -> None:
    # The paper prints 3.50 for 3.81, and the same number twice.
    none = {"left": side(("table2", "densenet-80-80", "cwtm"))}
    none["right"] = side(("table2", "densenet-80-80", "teacher"))
    claims = read(a=claim(), b=claim(**none), c=claim(smallest_effect=0.3))
    found = [claims.smallest_effect(name) for name in claims.file.claims]
    assert found == pytest.approx([0.31 / 3.81 / 2, 0.01, 0.3])
    numbers = decide_claims(claims, cells(CLEAR))[1]["smallest_effect"]
    level = np.mean(CLEAR[TEACHER])
    assert numbers[[0, 2]].to_numpy() == pytest.approx([0.31 / 3.81 / 2 * level, 0.3 * level])


def test_an_effect_that_is_proven_and_proven_small_is_negligible(
    read: Callable[..., Claims],
) -> None:
    values: Values = {BAN: [3.95, 4.16, 3.85, 3.96], TEACHER: [4.0, 4.2, 3.9, 4.0]}
    found = line(read(one=claim()), values)
    assert found["p_replicated"] < LEVEL
    assert found["p_negligible"] < LEVEL
    assert found["verdict"] == "negligible"
    # The opposite direction contradicts a claim, however small the difference.
    assert line(read(one=claim("higher")), values)["verdict"] == "contradicted"


def test_the_effect_is_a_fraction_of_the_papers_with_an_interval(
    read: Callable[..., Claims],
) -> None:
    found = line(read(one=claim()), CLEAR)
    ratio = (-0.31 / 3.81) * found["level"]
    assert found["fraction"] == pytest.approx(found["difference"] / ratio)
    ends = found["fraction_low"], found["fraction_high"]
    assert ends == pytest.approx((found["ci_high"] / ratio, found["ci_low"] / ratio))


def test_a_claim_is_decided_only_if_its_primary_claim_is(read: Callable[..., Claims]) -> None:
    open_ = claim(left=side(("table1", "densenet-80-80", "ban")))
    open_["right"] = side(("table1", "densenet-80-80", "teacher"))
    values = CLEAR | {
        ("table1", "densenet-80-80", "ban"): [3.0, 4.0, 3.5, 3.7],
        ("table1", "densenet-80-80", "teacher"): [3.4, 3.6, 3.5, 3.8],
    }
    secondary = {"c": claim(family="a"), "d": claim(family="b")}
    claims = read(a=open_, b=claim(), **secondary)
    frame, numbers = decide_claims(claims, cells(values))
    assert list(frame["verdict"]) == ["inconclusive", "replicated", "inconclusive", "replicated"]
    assert "not decided, as `a` is not" in frame["evidence"][2]
    assert numbers["p_corrected"][2] == numbers["p_corrected"][0]
    assert list(frame["family"]) == ["a", "b", "a", "b"]


def test_a_family_without_a_tested_primary_claim_is_corrected_alone(
    read: Callable[..., Claims],
) -> None:
    claims = read(first=claim(metric="nll"), second=claim(family="first"))
    frame, numbers = decide_claims(claims, cells(CLEAR))
    assert list(frame["verdict"]) == ["inconclusive", "replicated"]
    assert numbers["p_corrected"][1] == numbers["p_value"][1]


def test_a_claim_on_a_metric_is_decided_by_the_lines_of_that_metric(
    read: Callable[..., Claims],
) -> None:
    claims = read(one=claim(metric="nll"))
    quality = cells(CLEAR).assign(metric="nll")
    other = cells(OPPOSITE).assign(metric="brier")
    frame, numbers = decide_claims(claims, cells(OPPOSITE), pd.concat([other, quality]))
    assert frame["verdict"][0] == "replicated"
    assert "−1.013 nats" in frame["evidence"][0]
    assert numbers["smallest_effect"][0] == pytest.approx(0.01 * np.mean(CLEAR[TEACHER]))
    assert np.isnan(numbers["reported_difference"][0])


def test_a_claim_on_a_network_of_another_relative_size_is_not_testable(
    read: Callable[..., Claims],
) -> None:
    exceptions = {"densenet_90_60": "nothing narrower trains"}
    frame, numbers = decide_claims(read(one=claim()), cells(CLEAR), None, exceptions)
    assert frame["verdict"][0] == "not testable"
    assert "densenet_90_60: nothing narrower trains" in frame["evidence"][0]
    assert np.isnan(numbers["p_value"][0])


def test_what_the_papers_single_runs_can_support() -> None:
    _, numbers = decide_claims(CLAIMS, cells(CLEAR))
    alone = numbers.set_index("claim")["single_run_verdict"]
    bound = stats.t.ppf(0.975, 4) * spread_of_replicates(CLAIMS.replicate_pairs()) * 2**0.5
    assert bound == pytest.approx(0.949, abs=0.001)
    # −1.30 and −1.00 lie beyond the bound, −0.87 within it.
    assert alone["ban-densenet-112-33"] == alone["ban-densenet-90-60"] == "supports"
    assert alone["ban-densenet-80-120"] == "too small to tell"
    assert alone["cifar10-ban-all"] == alone["lstm-test"] == "not applicable"
    assert alone["cifar100-gains-more-than-cifar10"] == "not applicable"
    assert alone.value_counts().to_dict() == {
        "too small to tell": 36,
        "supports": 17,
        "not applicable": 30,
    }


CONTRACT = "claim,section,statement,verdict,evidence,source,family"


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
    assert set(frame["verdict"]) == {"replicated", "inconclusive", "negligible"}
    assert frame.notna().all(axis=None)
    numbers = pd.read_csv(folder / "claims_power.csv")
    assert list(numbers["claim"]) == list(frame["claim"])
    measured = numbers[numbers["n"] > 0]
    assert (measured["n"] == 4).all()
    assert (measured["p_corrected"] >= measured["p_value"]).all()


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


def test_a_damaged_or_missing_cells_csv_is_one_line(folder: Path) -> None:
    frame = synthetic_results.results(2)[0]
    cases = {
        r"cells\.csv: damaged \(a cell has a seed twice": pd.concat([frame, frame[:1]]),
        r"cells\.csv: damaged \(a line without a number": frame.assign(value="good"),
    }
    with pytest.raises(InputError, match=r"cells\.csv: no such file; build it with: snakemake"):
        build_claims(tiny_plan(), ROOT / "tables")
    for message, wrong in cases.items():
        wrong.to_csv(folder / "cells.csv", index=False)
        with pytest.raises(InputError, match=message) as caught:
            build_claims(tiny_plan(), ROOT / "tables")
        assert "\n" not in str(caught.value)
