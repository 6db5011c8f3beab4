"""The command line: one clear line for every mistake, a non-zero exit status, and its listings."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from support.plans import ALL, ROOT, TINY, runs_per_seed
from support.project import PLAN, Project, check_refusal
from typer.main import get_command

from replication.cli import app, run_command

RUN = "digits/wide_resnet_28_1.label.0"
STUDENT = f"{RUN}/wide_resnet_28_1.ban.0"
TINY_FILES = ["--configfile", "config/digits.yaml", "--configfile", "tiny.yaml"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the repository's tables and scales and a tiny scale, without results."""
    for name in ("tables", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    tiny = {**TINY, "tables": ["table1"]}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(folder: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Calls the command in this process: exit status, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        status = run_command(arguments)
        return (status, *capfd.readouterr())

    return call


Call = Callable[..., tuple[int, str, str]]
Prepare = Callable[[Path], object]


def nothing(folder: Path) -> None:
    """Leave the folder as it is."""


REFUSED: dict[str, tuple[list[str], Prepare, str]] = {
    "unknown run": (["train", "digits/resnet.label.0"], nothing, "no such run at scale digits"),
    "run outside the results": (["train", "../../x"], nothing, "../../x: no such run"),
    "run of two lines": (["train", "a\nb"], nothing, "no such run"),
    "student of an untrained teacher": (
        ["train", STUDENT],
        nothing,
        "run.json: no such file; the run is not trained: run snakemake",
    ),
    "unknown table": (["table", "9"], nothing, "table9: no such table at scale digits; available"),
    "table without its runs": (["table", "1"], nothing, "left empty for the reasons above"),
    "cells without their tables": (["collect"], nothing, "cells/table1.csv: no such file"),
    "folder without scales": (
        ["plan"],
        lambda f: (f / "config").unlink(),
        "config/digits.yaml: no such",
    ),
    "folder without tables": (["plan"], lambda f: (f / "tables").unlink(), "tables/table1.yaml"),
    "selection of an unknown table": (
        ["plan", "--tables", "9"],
        nothing,
        "tables/table9.yaml: no such table; available:",
    ),
    "selection of an unknown row": (
        ["plan", "--tables", "1", "--rows", "resnet-*"],
        nothing,
        "--rows resnet-*: no such row; available: wide-resnet-28-1, ",
    ),
    "selection of seeds that are no range": (["plan", "--seeds", "5-1"], nothing, "--seeds 5-1"),
    "plan for no device": (["plan", "--devices", "8,0"], nothing, "--devices"),
    "unknown schema": (["schema", "cell"], nothing, "cell: no such schema; available: scale"),
    "results that are a file": (
        ["train", RUN, *TINY_FILES],
        lambda f: (f / "results").write_text("a file", encoding="utf-8"),
        "cannot be written",
    ),
    "data that cannot be downloaded": (
        ["data", "--configfile", "config/paper.yaml"],
        lambda f: (f / "data").write_text("a file", encoding="utf-8"),
        "data/prepared/cifar10: the prepared data cannot be written",
    ),
    # These are refused with the usage of the command.
    "unknown command": (["tran", RUN], nothing, "tran"),
    "unknown option": (["train", RUN, "--epochs", "3"], nothing, "--epochs"),
    "missing argument": (["train"], nothing, "Missing argument"),
    "argument too many": (["collect", "small"], nothing, "unexpected extra argument"),
    "no threads": (["train", RUN, "--threads", "0"], nothing, "--threads"),
    "more threads than PyTorch survives": (["train", RUN, "--threads", "100000"], nothing, "1024"),
    "half a thread": (["train", RUN, "--threads", "1.5"], nothing, "--threads"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_one_line_and_an_exit_status(name: str, folder: Path, call: Call) -> None:
    arguments, prepare, says = REFUSED[name]
    prepare(folder)
    status, _, stderr = call(*arguments)
    check_refusal(status, stderr, says)


def test_a_process_reports_the_same_or_a_traceback_on_request(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "replication", *PLAN]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = process()
    check_refusal(done.returncode, done.stderr, "wrong.yaml: no such file")
    monkeypatch.setenv("REPLICATION_TRACEBACK", "1")
    done = process()
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "InputError: wrong.yaml: no such file" in done.stderr.splitlines()[-1]


def test_the_plan_is_listed_teachers_first(call: Call) -> None:
    lines = call("plan", "--runs")[1].splitlines()
    assert len(lines) == 2 * runs_per_seed([name for name in ALL if name != "sensitivity"])
    assert lines.index(RUN) < lines.index(STUDENT)


def test_the_paper_scale_is_listed_with_the_papers_sizes_and_recipe(call: Call) -> None:
    _, stdout, _ = call("plan", "--recipes", "--configfile", "config/paper.yaml")
    frame = pd.read_csv(io.StringIO(stdout)).set_index("run")
    assert len(frame) == 86 * 5
    images = frame[frame["bptt"].isna()]
    assert (images["epochs"] == 200).all()
    assert (images["batch_size"] == 128).all()
    sizes = {"wide_resnet_28_10": 36.5, "densenet_90_60": 16.3, "pre_resnet_1001": 10.4}
    for name, millions in sizes.items():
        parameters = frame.loc[f"cifar100/{name}.label.0", "parameters (M)"]
        assert parameters == pytest.approx(millions, rel=0.01)
    assert frame.loc["penn_treebank/lstm.label.0", "parameters (M)"] == pytest.approx(52, rel=0.03)
    assert frame.loc["penn_treebank/cnn_lstm.label.0", "parameters (M)"] == pytest.approx(
        19, rel=0.03
    )
    ratios = frame[["depth_ratio", "width_ratio", "teacher_depth_ratio"]].stack()
    assert set(ratios.dropna()) == {1}


def test_a_table_is_built_by_its_number(folder: Path, call: Call) -> None:
    for run in call("plan", "--runs", *TINY_FILES)[1].split():
        assert call("train", run, *TINY_FILES)[0] == 0
    status, stdout, stderr = call("table", "1", *TINY_FILES)
    assert status == 0, stderr
    assert stdout.strip() == "results/tiny/tables/table1.md"
    text = (folder / "results/tiny/tables/table1.md").read_text(encoding="utf-8")
    assert "Wide-ResNet-28-10" in text


def test_the_data_of_a_scale_are_checked_before_its_runs(folder: Path, call: Call) -> None:
    keys = {**TINY, "tables": ["table1", "table6"]}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(keys), encoding="utf-8")
    status, stdout, stderr = call("data", *TINY_FILES)
    assert status == 0, stderr
    digits, reference = stdout.splitlines()
    assert digits.startswith("digits: ")
    assert "(height × width × channels), classes 10, train 200, evaluation 100; sha256 " in digits
    assert reference.startswith("python_reference: words 500, train 10,000, validation ")


def test_every_command_is_explained_in_sentences_and_stands_in_the_guide() -> None:
    guide = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        text = " ".join(command.help.split())
        assert text[0].isupper(), name
        assert text.endswith("."), name
        assert f"replication {name}" in guide, name
        for parameter in command.params:
            if explained := getattr(parameter, "help", None):
                sentence, _, default = explained.partition(" [")
                assert sentence.endswith("."), (name, parameter.name)
                assert not default or default.startswith("default: "), (name, parameter.name)


def test_a_new_study_of_given_images_is_described_with_its_time(folder: Path, call: Call) -> None:
    generator = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for part, count in {"train": 40, "test": 20}.items():
        arrays[f"x_{part}"] = generator.integers(0, 255, (count, 8, 8), np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 4
    np.savez(folder / "images.npz", **arrays)
    status, stdout, stderr = call("new", "mine", "--npz", "images.npz")
    assert status == 0, stderr
    lines = stdout.splitlines()
    assert "mine/study.yaml" in lines
    assert "Data: 40 training and 20 test images of 8 × 8 pixels (1 channel), 4 classes." in lines
    assert any(line.startswith("Time: 18 training runs, about ") for line in lines)
    assert lines[-1] == "Next: make study STUDY=mine"
    # Or the name would belong to results, and the command could not be called again.
    assert not (folder / "results").exists()


def test_a_new_study_takes_its_images_from_one_place(folder: Path, call: Call) -> None:
    arguments = ("new", "mine", "--npz", "images.npz", "--torchvision", "SVHN")
    status, _, stderr = call(*arguments)
    check_refusal(status, stderr, "--npz and --torchvision: use only one")
    assert not (folder / "mine").exists()
    status, _, stderr = call("new", "mine", "--npz", "images.npz")
    check_refusal(status, stderr, "images.npz: no such file")
    assert not (folder / "mine").exists()


def test_images_in_the_folder_of_a_study_that_is_new_are_named(folder: Path, call: Call) -> None:
    (folder / "mine/images").mkdir(parents=True)
    status, _, stderr = call("new", "mine", "--images", "mine/images")
    check_refusal(status, stderr, "mine/images: lies in mine, which is to be written")
