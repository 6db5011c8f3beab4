"""Comparing results with published ones: other seeds, perturbed numbers, and a bug."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.checks import refused
from support.compared_results import OTHERS, PUBLISHED, build, build_with_a_bug
from support.published_results import copy_published, publish_small_results

from replication.analysis.compare import compare, compare_numbers, pooled_difference
from replication.cli import run_command


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `published/tiny`, `others/tiny` of other seeds, and `wrong/tiny` with a bug."""
    folder = tmp_path_factory.mktemp("compared")
    build(folder, "published", PUBLISHED)
    build(folder, "others", OTHERS)
    build_with_a_bug(folder, "wrong", OTHERS)
    return folder


@pytest.fixture
def results(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy in the current directory."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    capfd.readouterr()
    status = run_command(["compare", *arguments])
    return status, capfd.readouterr().out.splitlines()


def change_value(results: Path, line: int, value: float) -> None:
    file = results / "cells.csv"
    cells = pd.read_csv(file)
    cells.loc[line, "value"] = value
    cells.to_csv(file, index=False)


def test_the_same_results_are_reproduced(results: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree("published/tiny", "own/tiny")
    status, lines = said(capfd, "own/tiny")
    assert status == 0
    assert lines == [
        "own/tiny against published/tiny, 6 seeds: 24 of 24 numbers identical, 0 equal, 0 within"
        " the seeds' 95 % interval, 0 outside (0.0 expected by chance)",
        "No column has to be tested",
        "Conclusion: reproduces the published results byte for byte",
    ]


def test_other_seeds_are_consistent(results: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, lines = said(capfd, "others/tiny", "--csv", "details.csv")
    assert status == 0
    assert "0 of 8 numbers identical, 0 equal" in lines[0]
    assert "(0.4 expected by chance)" in lines[0]
    assert lines[1].startswith("No column differs: 6 tests, smallest corrected p-value ")
    assert lines[2] == "Conclusion: consistent with the published results"
    details = pd.read_csv("details.csv")
    assert set(details["found"]) <= {"within", "outside", "column"}
    assert (details["found"] == "column").sum() == 6


def test_ban_that_trains_on_labels_differs(
    results: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status, lines = said(capfd, "wrong/tiny")
    assert status == 1
    assert "pair ban: kl +" in lines[1]
    assert lines[2] == "Conclusion: differs from the published results in: pair ban"
    columns = compare(Path("wrong/tiny"), Path("published/tiny")).differing_columns
    assert set(columns["column"]) == {"ban"}
    assert "kl" in set(columns["metric"])


def test_a_perturbed_number_differs(results: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree("published/tiny", "own/tiny")
    change_value(Path("own/tiny"), 0, 99.0)
    status, lines = said(capfd, "own/tiny")
    assert status == 1
    assert "23 of 24 numbers identical" in lines[0]
    assert "1 outside (0.1 expected by chance)" in lines[0]
    assert "pair narrow teacher seed 0: 99, published mean" in lines[1]
    assert lines[2] == "Conclusion: differs from the published results in: pair teacher"


def test_a_number_that_is_slightly_different_is_within(results: Path) -> None:
    shutil.copytree("published/tiny", "own/tiny")
    mean = pd.read_csv("published/tiny/cells.csv").iloc[:6]["value"].mean()
    change_value(Path("own/tiny"), 0, mean + 0.01)
    found = compare(Path("own/tiny"), Path("published/tiny"))
    assert list(found.numbers["found"].iloc[:2]) == ["within", "identical"]
    assert found.consistent
    assert not found.reproduces


def test_a_publication_is_compared_by_its_checksums(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = publish_small_results(tmp_path_factory)
    copy_published(made, tmp_path, monkeypatch)
    assert compare(made / "results/tiny", Path("published/tiny")).reproduces


def test_summary_ends_with_the_comparison_and_does_not_fail(
    results: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads(Path("wrong/tiny/scale.json").read_text())
    Path("scale.yaml").write_text(json.dumps(config))
    arguments = ["summary", "--configfile", "scale.yaml", "--results", "wrong"]
    assert run_command(arguments) == 0
    assert capfd.readouterr().out.splitlines()[-1].startswith("Conclusion: differs")
    Path("published/tiny/cells.csv").unlink()
    assert run_command(arguments) == 0
    assert "Not compared with published/tiny: " in capfd.readouterr().out


def test_another_recipe_and_another_folder_are_refused(results: Path) -> None:
    with refused("none", "no such folder; name published results with --with"):
        compare(Path("others/tiny"), Path("none"))
    scale = Path("others/tiny/scale.json")
    config = json.loads(scale.read_text())
    scale.write_text(json.dumps({**config, "images": {**config["images"], "epochs": 7}}))
    with refused("others/tiny: is of another recipe than published/tiny (`images`)", "scale file"):
        compare(Path("others/tiny"), Path("published/tiny"))


def lines_of(values: list[float], first: int = 0) -> pd.DataFrame:
    seeds = range(first, first + len(values))
    lines = [
        ("t", "r", "c", seed, "m", v, f"d/n.{seed}") for seed, v in zip(seeds, values, strict=True)
    ]
    return pd.DataFrame(lines, columns=["table", "row", "column", "seed", "metric", "value", "run"])


def test_the_interval_is_that_of_another_seed() -> None:
    published = [3.0, 4.0, 5.0, 6.0, 7.0]
    reach = stats.t.ppf(0.975, 4) * np.std(published, ddof=1) * np.sqrt(1.2)
    own = lines_of([5 + 0.99 * reach, 5 + 1.01 * reach], first=7)
    found = compare_numbers(own, lines_of(published), {}, {})
    assert list(found["found"]) == ["within", "outside"]
    assert found["low"].iloc[0] == pytest.approx(5 - reach)
    assert found["p_value"].iloc[0] == pytest.approx(
        stats.t.sf(0.99 * stats.t.ppf(0.975, 4), 4) * 2
    )


def test_a_number_is_compared_with_that_of_its_own_seed() -> None:
    own, published = lines_of([4.0, 4.0, 5.0]), lines_of([3.0, 4.0, 5.0])
    sums = {"d/n.0": "a", "d/n.1": "b", "d/n.2": "c"}
    found = compare_numbers(own, published, sums, {**sums, "d/n.1": "x"})
    # That seed 0 has another seed's value is no coincidence to report.
    assert list(found["found"]) == ["within", "equal", "identical"]


def test_published_seeds_without_spread_give_no_verdict() -> None:
    found = compare_numbers(lines_of([4.0, 6.0], first=7), lines_of([4.0, 4.0, 4.0]), {}, {})
    assert found["p_value"].isna().all()
    assert not (found["p_corrected"] < 0.05).any()


def test_a_single_row_has_the_t_test_of_two_samples() -> None:
    generator = np.random.default_rng(0)
    own, published = generator.normal(1, 2, (1, 4)), generator.normal(0, 2, (1, 9))
    expected = stats.ttest_ind(own[0], published[0]).pvalue
    assert pooled_difference(own, published)[1] == pytest.approx(expected)


@pytest.mark.parametrize(("k", "n"), [(1, 5), (2, 5), (2, 20)])
def test_rows_that_share_runs_are_not_counted_as_independent(k: int, n: int) -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 1, (4000, 1, k + n))
    rows = shared + generator.normal(0, 0.3, (4000, 6, k + n)) * np.arange(1, 7)[:, None]
    rejected = np.mean([pooled_difference(it[:, :k], it[:, k:])[1] < 0.05 for it in rows])
    assert rejected == pytest.approx(0.05, abs=0.011)


def test_seeds_that_do_not_vary_are_not_tested() -> None:
    assert np.isnan(pooled_difference(np.full((2, 2), 4.0), np.full((2, 5), 4.0))[1])
    assert np.isnan(pooled_difference(np.full((2, 2), 5.0), np.full((2, 5), 4.0))[1])
