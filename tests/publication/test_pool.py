"""`replication pool` joins results of one recipe, and refuses what contradicts."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.checks import refused
from support.plans import ROOT
from support.published_results import SOURCES
from support.small_results import (
    BAN,
    LABEL,
    build_small_results,
    small_plan_of,
    train_small_results,
)

from replication.cli import run_command
from replication.errors import InputError
from replication.plan.plan import SCALE_FILE, Plan
from replication.publication.pool import pool
from replication.publication.write_pooled import write_pool
from replication.results.csv_files import read_cells, read_runs
from replication.verify.verification import verify

FIRST, SECOND = Path("pooled/first"), Path("pooled/second")


RowSeeds = Mapping[str, Mapping[str, tuple[int, ...]]]
UPPER: RowSeeds = {
    "table3": {"wide-resnet-28-5": (), "wide-resnet-28-10": (0,)},
    "treatments": {"residual": ()},
}
LOWER: RowSeeds = {
    "table3": {"wide-resnet-28-1": (), "wide-resnet-28-2": (), "wide-resnet-28-10": (1,)},
    "treatments": {"wide": ()},
}
"""Seeds of the rows that one of two parts has, or does not have."""


def part_of_small_results(
    folder: Path,
    tables: Sequence[str],
    seeds: Sequence[int],
    row_seeds: RowSeeds | None = None,
) -> Path:
    """Results with some tables, rows and seeds of the small ones, without their runs' folders."""
    plan = small_plan_of(seeds=list(seeds))
    keys = {"tables": tuple(tables), "row_seeds": row_seeds or {}}
    plan = Plan.make(plan.scale.model_copy(update=keys), Path("tables"))
    (Path("results/tiny") / SCALE_FILE).unlink(missing_ok=True)
    build_small_results(plan)
    folder.mkdir(parents=True)
    for name in ("scale.json", "runs.csv", "cells.csv", "quality.csv.gz", "reliability.csv.gz"):
        shutil.copy(plan.results / name, folder)
    shutil.copy(plan.results / "correct.safetensors", folder)
    return folder


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of the small results: by seed, by table, and all of them."""
    folder = tmp_path_factory.getbasetemp() / "pooled_parts"
    if not folder.exists():
        folder.mkdir()
        trained = train_small_results(tmp_path_factory)
        for name in ("results", "tables"):
            shutil.copytree(trained / name, folder / name)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            tables = ("table3", "table6", "treatments")
            part_of_small_results(Path("pooled/all"), tables, [0, 1])
            part_of_small_results(Path("pooled/first"), tables, [0])
            part_of_small_results(Path("pooled/second"), tables, [1])
            part_of_small_results(Path("pooled/table3"), ["table3"], [0, 1])
            part_of_small_results(Path("pooled/others"), ["table6", "treatments"], [0, 1])
            part_of_small_results(Path("pooled/upper"), tables, [0, 1], UPPER)
            part_of_small_results(Path("pooled/lower"), ["table3", "treatments"], [0, 1], LOWER)
    return folder


@pytest.fixture(autouse=True)
def copied(parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of the parts, in the current directory."""
    for name in ("pooled", "tables"):
        shutil.copytree(parts / name, tmp_path / name)
    for name in SOURCES:
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)


def other_bytes(folder: Path, query: str) -> None:
    """Have runs of a folder other weights and predictions, as on another processor."""
    runs = pd.read_csv(folder / "runs.csv", dtype=str)
    chosen = runs["run"].isin(runs.query(query, engine="python")["run"])
    for column in ("model_sha256", "predictions_sha256"):
        runs[column] = runs[column].mask(chosen, runs[column].str[::-1])
    runs["device"] = runs["device"].mask(chosen, "another processor")
    runs.to_csv(folder / "runs.csv", index=False)


@pytest.mark.parametrize("names", [("first", "second"), ("table3", "others"), ("upper", "lower")])
def test_what_is_pooled_is_as_if_it_was_built_together(names: tuple[str, str]) -> None:
    folders = [Path("pooled", name) for name in names]
    pooled = pool(folders, "all")
    expected = Path("pooled/all")
    for name in ("cells.csv", "quality.csv.gz", "reliability.csv.gz"):
        frame = getattr(pooled, name.partition(".")[0]).reset_index(drop=True)
        pd.testing.assert_frame_equal(frame, pd.read_csv(expected / name), check_dtype=False)
    runs = pd.read_csv(expected / "runs.csv").set_index("run")
    own = pooled.runs.set_index("run").loc[runs.index]
    assert len(pooled.runs) == len(runs)
    for column in ("device", "commit", "model_sha256", "teacher", "root_teacher", "lineage_seed"):
        assert own[column].astype(str).tolist() == runs[column].astype(str).tolist(), column
    assert pooled.plan.scale.seeds == (0, 1)
    assert pooled.plan.scale.row_seeds == {}
    assert {*pooled.plan.scale.tables} == {"table3", "table6", "treatments"}
    assert pooled.correctness


def test_what_is_pooled_is_a_publication_that_verifies() -> None:
    arguments = ["pool", str(FIRST), str(SECOND), "--scale", "both", "--no-notebooks"]
    assert run_command(arguments) == 0
    findings = verify(Path("published/both"))
    assert findings.problems == []
    assert findings.checks["cells.csv"] == "recomputed"
    assert findings.checks["tables/table3.csv"] == "recomputed"
    assert findings.checks["quality.csv.gz"] == "checked against its checksum"
    scale = json.loads(Path("published/both/scale.json").read_text(encoding="utf-8"))
    assert (scale["scale"], scale["seeds"], scale["table_seeds"]) == ("both", [0, 1], {})
    third = pool([Path("published/both"), Path("pooled/table3")], "again")
    assert len(third.runs) == len(read_runs(Path("published/both")))


def test_seeds_of_each_table_are_those_that_are_there() -> None:
    scale = pool([FIRST, Path("pooled/table3")], "some").plan.scale
    assert scale.seeds == (0,)
    assert scale.table_seeds == {"table3": (0, 1)}


def test_seeds_of_each_row_are_those_that_are_there() -> None:
    scale = pool([Path("pooled/upper"), Path("pooled/others")], "some").plan.scale
    assert scale.table_seeds == {}
    rows = {"wide-resnet-28-5": (), "wide-resnet-28-10": (0,)}
    assert scale.row_seeds == {"table3": rows}


def test_rows_that_are_not_trained_stay_empty_and_are_named() -> None:
    to, findings, _ = write_pool(
        [Path("pooled/lower"), Path("pooled/table3")], "some", notebooks=False
    )
    assert findings.problems == []
    table = pd.read_csv(to / "tables/treatments.csv").set_index("row")
    assert table.loc["wide", "n"].eq(0).all()
    assert table.loc["residual", "n"].eq(2).all()
    assert "Not trained at this scale: wide." in (to / "tables/treatments.md").read_text("utf-8")
    assert not [note for note in findings.remarks if "empty cells" in note]
    assert "2 seeds (2 for" in (to / "README.md").read_text("utf-8")


def test_a_run_of_other_bytes_is_refused_unless_one_folder_is_preferred() -> None:
    other_bytes(Path("pooled/table3"), f"run.str.startswith('{LABEL}')")
    folders = [Path("pooled/others"), Path("pooled/table3")]
    with refused(
        f"{LABEL}: has different bytes in pooled/others/runs.csv", "--prefer pooled/table3"
    ):
        pool(folders, "both")
    with refused("--prefer elsewhere", "must be one of the folders"):
        pool(folders, "both", [Path("elsewhere")])


def test_a_student_keeps_its_own_teacher_where_the_other_folder_is_preferred() -> None:
    """Table 3 has its student from a teacher of other bytes than the treatments have."""
    other_bytes(Path("pooled/table3"), f"run.str.startswith('{LABEL}')")
    preferred = Path("pooled/others")
    to, findings, _ = write_pool(
        [Path("pooled/table3"), preferred], "both", prefer=[preferred], notebooks=False
    )
    assert findings.problems == []
    runs, cells = read_runs(to), read_cells(to)
    at = cells.set_index(["table", "row", "column", "seed"])["run"]
    own = runs.loc[at["table3", "wide-resnet-28-2", "ban", 0]]
    other = runs.loc[at["treatments", "wide", "ban", 0]]
    assert (own["device"], own["objective"]) == ("another processor", "ban")
    assert (other["run"], other["teacher"]) == (BAN, LABEL)
    assert not {own["run"], own["teacher"]} & {BAN, LABEL}
    assert runs.loc[own["teacher"], "device"] == "another processor"
    assert runs.loc[other["teacher"], "device"] != "another processor"
    # What both have is kept from the preferred folder, and counted once.
    assert at["treatments", "wide", "teacher", 0] == LABEL
    assert runs["model_sha256"].is_unique


def test_tables_and_seeds_that_both_have_are_those_of_the_preferred_folder() -> None:
    other_bytes(FIRST, "run == run")
    complete = Path("pooled/all")
    pooled = pool([FIRST, complete], "both", [complete])
    assert "another processor" not in set(pooled.runs["device"])
    assert len(pooled.notes) == 3
    pooled = pool([complete, FIRST], "both", [FIRST])
    by_device = pooled.runs.groupby("device")["lineage_seed"].unique()
    assert by_device["another processor"].tolist() == [0]
    assert len(by_device) == 2
    assert not pooled.runs["run"].str.contains("#").any()


def test_another_recipe_is_refused_in_one_line() -> None:
    file = SECOND / "scale.json"
    scale = json.loads(file.read_text(encoding="utf-8"))
    scale["images"]["epochs"] += 1
    file.write_text(json.dumps(scale), encoding="utf-8")
    with refused("pooled/second/runs.csv: ", "train it again with this scale"):
        pool([FIRST, SECOND], "both")


def test_a_run_with_two_recipes_is_refused_in_one_line() -> None:
    plan = small_plan_of(images={"weight_decay": 0.25})
    folder = Path("pooled/all")
    scale = plan.scale.model_copy(update={"tables": ("table3", "table6", "treatments")})
    plan = Plan.make(scale, Path("tables"))
    runs = pd.read_csv(folder / "runs.csv", dtype=str)
    runs["recipe_hash"] = [plan.recipe_hash(plan.runs[run]) for run in runs["run"]]
    runs.to_csv(folder / "runs.csv", index=False)
    (folder / "scale.json").write_text(plan.scale_text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        pool([FIRST, folder], "both")
    line = str(caught.value)
    for part in (
        "label.0: has the recipe ",
        "in pooled/first/runs.csv and",
        "in pooled/all/runs.csv: `images.weight_decay` is",
        "; only results of one recipe can be pooled, so leave one of these folders out",
    ):
        assert part in line
    assert "\n" not in line


def test_two_values_of_the_same_runs_are_refused() -> None:
    cells = pd.read_csv(FIRST / "cells.csv")
    cells.loc[0, "value"] = 3.25
    cells.to_csv(FIRST / "cells.csv", index=False)
    with refused("pooled/all/cells.csv: table3,", "from the same runs"):
        pool([FIRST, Path("pooled/all")], "both")


def test_incomplete_and_missing_folders_are_refused() -> None:
    with refused("none: no such folder", ""):
        pool([FIRST, Path("none")], "both")
    with refused("pool: name at least two folders", ""):
        pool([FIRST], "both")
    cells = pd.read_csv(SECOND / "cells.csv")
    cells[1:].to_csv(SECOND / "cells.csv", index=False)
    with refused("pooled/second/cells.csv: seed 1: 1 line missing", "before they are pooled"):
        pool([FIRST, SECOND], "both")


def test_ids_of_runs_are_only_names() -> None:
    """Consistently renamed runs are the same runs, to verify and to pool."""
    expected = pool([FIRST, SECOND], "both")
    generator = np.random.default_rng(0)
    names: dict[str, str] = {}
    for folder in (FIRST, SECOND):
        runs = pd.read_csv(folder / "runs.csv", dtype=str)
        names |= {run: generator.bytes(8).hex() for run in runs["run"] if run not in names}
        for column in ("run", "teacher", "root_teacher"):
            runs[column] = runs[column].map(names)
        runs.to_csv(folder / "runs.csv", index=False)
        for name in ("cells.csv", "quality.csv.gz"):
            frame = pd.read_csv(folder / name, dtype={"run": str})
            frame["run"] = [
                ";".join(names[member] for member in run.split(";")) for run in frame["run"]
            ]
            frame.to_csv(folder / name, index=False)
    pooled = pool([FIRST, SECOND], "both")
    pd.testing.assert_frame_equal(pooled.cells, expected.cells)
    pd.testing.assert_frame_equal(
        pooled.runs.reset_index(drop=True), expected.runs.reset_index(drop=True), check_dtype=False
    )


def test_another_limit_of_stored_logits_is_no_other_recipe() -> None:
    file = SECOND / "scale.json"
    scale = json.loads(file.read_text(encoding="utf-8"))
    scale["logit_cache_limit_gib"] *= 2
    file.write_text(json.dumps(scale), encoding="utf-8")
    pool([FIRST, SECOND], "both")
