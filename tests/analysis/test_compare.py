"""Comparing results with published ones: other seeds, perturbed numbers, and a bug."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.checks import refused
from support.compared_results import KEYS, OTHERS, PUBLISHED, build, build_with_a_bug
from support.plans import tiny_plan

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
        "No column needs to be tested",
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
    assert set(details["outcome"]) <= {"within", "outside", "column"}
    assert (details["outcome"] == "column").sum() == 6


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
    comparison = compare(Path("own/tiny"), Path("published/tiny"))
    assert list(comparison.numbers["outcome"].iloc[:2]) == ["within", "identical"]
    assert comparison.consistent
    assert not comparison.reproduces


def test_a_publication_is_compared_by_its_checksums(
    results: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree("published/tiny", "own/tiny")
    shutil.rmtree("published/tiny/runs")
    assert said(capfd, "own/tiny")[1][-1].endswith("byte for byte")
    shutil.rmtree("own/tiny/runs")
    assert compare(Path("own/tiny"), Path("published/tiny")).reproduces


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


def change_runs(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change ``runs.csv``, of which every column but a few is text."""
    runs = pd.read_csv(folder / "runs.csv", dtype=str, keep_default_na=False)
    change(runs).to_csv(folder / "runs.csv", index=False)


def change_scale(results: Path, /, **keys: Any) -> None:
    file = results / "scale.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **keys}), encoding="utf-8")


def test_another_folder_is_refused(results: Path) -> None:
    with refused("none", "no such folder; name the published results with --with"):
        compare(Path("others/tiny"), Path("none"))


def test_results_of_another_recipe_are_refused_with_the_keys_that_differ(results: Path) -> None:
    plan = tiny_plan(**KEYS, tables=["table1"])
    longer = tiny_plan(**{**KEYS, "images": {**KEYS["images"], "epochs": 7}}, tables=["table1"])
    label = next(iter(plan.runs.values()))
    old, new = plan.recipe_hash(label), longer.recipe_hash(label)
    change_runs(Path("others/tiny"), lambda runs: runs.replace({"recipe_hash": {old: new}}))
    with refused(
        "others/tiny: 2 of 4 cells come from recipes that differ", "a table, an objective's"
    ):
        compare(Path("others/tiny"), Path("published/tiny"))
    images = json.loads(Path("others/tiny/scale.json").read_text())["images"]
    change_scale(Path("others/tiny"), images={**images, "epochs": 7}, scale="copy")
    with refused(
        "others/tiny: 2 of 4 cells come from recipes that differ from those in published/tiny, such"
        " as pair,"
        " narrow, teacher (their scales differ in `images.epochs`)",
        "compare results of the same recipes",
    ):
        compare(Path("others/tiny"), Path("published/tiny"))


def test_a_teacher_of_another_recipe_is_another_recipe(results: Path) -> None:
    # Of the students nothing else has changed.
    def change(runs: pd.DataFrame) -> pd.DataFrame:
        return runs.assign(
            recipe_hash=runs["recipe_hash"].where(runs["teacher"] != "", "0123456789abcdef")
        )

    change_runs(Path("others/tiny"), change)
    with refused("others/tiny: 4 of 4 cells", "come from recipes that differ"):
        compare(Path("others/tiny"), Path("published/tiny"))


def test_keys_that_determine_no_result_may_differ(results: Path) -> None:
    before = compare(Path("others/tiny"), Path("published/tiny"))
    change_scale(
        Path("others/tiny"), folder=None, scale="copy", seeds=[5], logit_cache_limit_gib=3.0
    )
    change_scale(Path("published/tiny"), folder="config", tables=["pair", "more"])
    after = compare(Path("others/tiny"), Path("published/tiny"))
    pd.testing.assert_frame_equal(before.numbers, after.numbers)
    Path("others/tiny/scale.json").unlink()
    assert compare(Path("others/tiny"), Path("published/tiny")).consistent


def test_ensembles_of_another_average_are_refused(results: Path) -> None:
    change_scale(Path("others/tiny"), decisions={"ensemble": "logits"})
    assert compare(Path("others/tiny"), Path("published/tiny")).consistent  # Nothing is averaged.
    for folder in ("others/tiny", "published/tiny"):
        cells = pd.read_csv(f"{folder}/cells.csv")
        of_narrow = cells[cells["row"] == "narrow"]
        members = of_narrow.groupby("seed", sort=False)["run"].agg(";".join)
        teachers = of_narrow[of_narrow["column"] == "teacher"]
        ensembles = teachers.assign(column="ens*2", run=members.to_numpy())
        pd.concat([cells, ensembles]).to_csv(f"{folder}/cells.csv", index=False)
    with refused(
        "others/tiny: 1 of 5 cells come from recipes that differ from those in published/tiny, such"
        " as pair,"
        " narrow, ens*2",
        "`decisions.ensemble`",
    ):
        compare(Path("others/tiny"), Path("published/tiny"))


def test_a_run_that_the_list_of_runs_lacks_is_named(results: Path) -> None:
    change_runs(Path("others/tiny"), lambda runs: runs.iloc[1:])
    with refused("others/tiny/runs.csv: has no run digits/", "build both again"):
        compare(Path("others/tiny"), Path("published/tiny"))


def rename_runs(folder: Path) -> None:
    """Give every run another id, of which nothing can be read, in all files that name it."""
    ids = pd.read_csv(folder / "runs.csv")["run"]
    numbers = np.random.default_rng(0).permutation(len(ids))
    new_ids = {run: f"{folder.parent}.x{n}" for run, n in zip(ids, numbers, strict=True)}
    columns = ["run", "teacher", "root_teacher"]
    change_runs(folder, lambda runs: runs.replace(dict.fromkeys(columns, new_ids)))
    for name in ("cells.csv", "quality.csv.gz"):
        frame = pd.read_csv(folder / name)
        frame.replace({"run": new_ids}).to_csv(folder / name, index=False)


def test_ids_of_runs_are_names_and_nothing_more(results: Path) -> None:
    shutil.copytree("published/tiny", "own/tiny")
    change_value(Path("own/tiny"), 0, 99.0)
    pairs = [("own/tiny", "published/tiny"), ("others/tiny", "published/tiny")]
    before = [compare(Path(own), Path(published)) for own, published in pairs]
    for folder in map(Path, ("own/tiny", "others/tiny", "published/tiny")):
        rename_runs(folder)
    after = [compare(Path(own), Path(published)) for own, published in pairs]
    for old, new in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(old.numbers, new.numbers)
        pd.testing.assert_frame_equal(old.columns, new.columns)


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
    numbers = compare_numbers(own, lines_of(published), {}, {})
    assert list(numbers["outcome"]) == ["within", "outside"]
    assert numbers["low"].iloc[0] == pytest.approx(5 - reach)
    assert numbers["p_value"].iloc[0] == pytest.approx(
        stats.t.sf(0.99 * stats.t.ppf(0.975, 4), 4) * 2
    )


def test_a_number_is_compared_with_that_of_its_own_seed() -> None:
    own, published = lines_of([4.0, 4.0, 5.0]), lines_of([3.0, 4.0, 5.0])
    sums = {"d/n.0": "a", "d/n.1": "b", "d/n.2": "c"}
    numbers = compare_numbers(own, published, sums, {**sums, "d/n.1": "x"})
    # That seed 0 has another seed's value is no coincidence to report.
    assert list(numbers["outcome"]) == ["within", "equal", "identical"]


def test_published_seeds_without_spread_give_no_verdict() -> None:
    numbers = compare_numbers(lines_of([4.0, 6.0], first=7), lines_of([4.0, 4.0, 4.0]), {}, {})
    assert numbers["p_value"].isna().all()
    assert not (numbers["p_corrected"] < 0.05).any()


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
    rejected = np.mean(
        [pooled_difference(values[:, :k], values[:, k:])[1] < 0.05 for values in rows]
    )
    assert rejected == pytest.approx(0.05, abs=0.011)


def test_seeds_that_do_not_vary_are_not_tested() -> None:
    assert np.isnan(pooled_difference(np.full((2, 2), 4.0), np.full((2, 5), 4.0))[1])
    assert np.isnan(pooled_difference(np.full((2, 2), 5.0), np.full((2, 5), 4.0))[1])
