"""What people type: one clear line for what they can mend, and a non-zero exit status."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from support.checks import check_line
from support.plans import ROOT, TINY

RUN = "digits/wide_resnet_28_1.label.0"
TINY_FILES = ["--configfile", "config/digits.yaml", "--configfile", "tiny.yaml"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tables", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    tiny = {**TINY, "tables": ["table1"]}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny), encoding="utf-8")
    return tmp_path


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "replication", *arguments],
        cwd=folder, env={**os.environ}, capture_output=True, text=True, check=False,
    )  # fmt: skip


Prepare = Callable[[Path], object]


def nothing(folder: Path) -> None:
    """Leave the folder as it is."""


WRONG: dict[str, tuple[list[str], Prepare, str]] = {
    "run that does not exist": (
        ["train", "digits/resnet.label.0"],
        nothing,
        "digits/resnet.label.0: no such run at scale digits; `replication plan --runs` lists",
    ),
    "teacher that is not trained": (
        ["train", f"{RUN}/wide_resnet_28_1.ban.0"],
        nothing,
        "run.json: no such file; the run is not trained: call snakemake",
    ),
    "unknown table": (["table", "9"], nothing, "table9: no such table at scale digits; there are"),
    "table without its runs": (["table", "1"], nothing, "cells stay empty for the reasons above"),
    "cells without their tables": (["cells"], nothing, "cells/table1.csv: not there"),
    "scale file that is missing": (
        ["plan", "--configfile", "none.yaml"],
        nothing,
        "none.yaml: no such file",
    ),
    "scale file that is a folder": (["plan", "--configfile", "config"], nothing, "cannot be read"),
    "another folder": (["plan"], lambda f: (f / "config").unlink(), "config/digits.yaml: no such"),
    "folder without tables": (["plan"], lambda f: (f / "tables").unlink(), "tables/table1.yaml"),
    "overrides without the scale they override": (
        ["plan", "--configfile", "tiny.yaml"],
        nothing,
        "is missing; add it, or name the scale that tiny.yaml overrides before it",
    ),
    "part of a table that does not exist": (
        ["plan", "--tables", "9"],
        nothing,
        "tables/table9.yaml: no such table; there are:",
    ),
    "part of a row that does not exist": (
        ["plan", "--tables", "1", "--rows", "resnet-*"],
        nothing,
        "--rows resnet-*: no such row; there are: wide-resnet-28-1, ",
    ),
    "seeds that are no numbers": (
        ["plan", "--seeds", "5-1"],
        nothing,
        "--seeds 5-1: numbers and ranges are wanted, such as 0-4,7",
    ),
    "plan for no device": (["plan", "--devices", "8,0"], nothing, "--devices: 0 devices never"),
    "unknown schema": (["schema", "cell"], nothing, "cell: no such schema; there are: scale"),
    "results that cannot be written": (
        ["train", RUN, *TINY_FILES],
        lambda f: (f / "results").write_text("a file", encoding="utf-8"),
        "cannot be written",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_can_be_mended_is_one_line_and_status_1(name: str, folder: Path) -> None:
    arguments, prepare, message = WRONG[name]
    prepare(folder)
    done = call(folder, *arguments)
    assert done.returncode == 1
    check_line(done.stderr.strip().splitlines()[-1], "error: ", message)
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_one_line_and_loses_nothing(folder: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        for name in ("tables", "config"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
        done = call(folder, "train", RUN, *TINY_FILES)
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert [p.name for p in folder.rglob("*.part")] == []
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_the_plan_is_listed_teachers_first(folder: Path) -> None:
    lines = call(folder, "plan", "--runs").stdout.splitlines()
    assert len(lines) == (83 + 8) * 2
    assert lines.index(RUN) < lines.index(f"{RUN}/wide_resnet_28_1.ban.0")


def test_the_paper_scale_is_listed_with_the_papers_sizes_and_recipe(folder: Path) -> None:
    done = call(folder, "plan", "--recipes", "--configfile", "config/paper.yaml")
    frame = pd.read_csv(io.StringIO(done.stdout)).set_index("run")
    assert len(frame) == 83 * 5
    images = frame[frame["bptt"].isna()]
    assert (images["epochs"] == 200).all()
    assert (images["batch_size"] == 128).all()
    sizes = {"wide_resnet_28_10": 36.5, "densenet_90_60": 16.3, "pre_resnet_1001": 10.4}
    for name, millions in sizes.items():
        found = frame.loc[f"cifar100/{name}.label.0", "parameters (M)"]
        assert found == pytest.approx(millions, rel=0.01)
    assert frame.loc["penn_treebank/lstm.label.0", "parameters (M)"] == pytest.approx(52, rel=0.03)
    assert frame.loc["penn_treebank/cnn_lstm.label.0", "parameters (M)"] == pytest.approx(
        19, rel=0.03
    )
    ratios = frame[["depth_ratio", "width_ratio", "teacher_depth_ratio"]].stack()
    assert set(ratios.dropna()) == {1}


def test_a_table_is_built_by_its_number(folder: Path) -> None:
    for run in call(folder, "plan", "--runs", *TINY_FILES).stdout.split():
        assert call(folder, "train", run, *TINY_FILES).returncode == 0
    done = call(folder, "table", "1", *TINY_FILES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "results/tiny/tables/table1.md"
    text = (folder / "results/tiny/tables/table1.md").read_text(encoding="utf-8")
    assert "wide-resnet-28-10" in text


def test_the_data_of_a_scale_are_checked_before_its_runs(folder: Path) -> None:
    keys = {**TINY, "tables": ["table1", "table6"]}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    done = call(folder, "data", *TINY_FILES)
    assert done.returncode == 0, done.stderr
    digits, reference = done.stdout.splitlines()
    assert digits.startswith("digits: classes 10, train 200, evaluation 100; sha256 ")
    assert reference.startswith("python_reference: words 500, train 12,000, validation ")


def test_data_that_cannot_be_had_are_one_line(folder: Path) -> None:
    (folder / "data").write_text("a file", encoding="utf-8")
    done = call(folder, "data", "--configfile", "config/paper.yaml")
    assert done.returncode == 1
    assert done.stderr.startswith("error: data: CIFAR10 cannot be read or downloaded (")
    assert len(done.stderr.splitlines()) == 1
