"""Preparation: one description for each data set, the same for every process."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.archives import cifar_archive
from support.checks import refused
from support.plans import ROOT

from replication.cli import run_command
from replication.data.prepare import prepare
from replication.data.prepared import describe_data, load


def test_the_description_has_names_counts_and_a_fingerprint() -> None:
    digits = describe_data("digits", load("digits", ROOT, {"train": 600}))
    counts = {key: digits[key] for key in ("name", "classes", "train", "evaluation")}
    assert counts == {"name": "digits", "classes": 10, "train": 600, "evaluation": 599}
    assert digits["sha256"] == load("digits", ROOT, {"train": 600}).fingerprint
    corpus = load("python_reference", ROOT, {"words": 50, "train": 900})
    words = describe_data("python_reference", corpus)
    assert (words["name"], words["words"], words["train"]) == ("python_reference", 50, 900)


def test_several_processes_prepare_a_data_set_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar_archive(tmp_path, "cifar10", monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        prepared = pool.map(lambda _: prepare("cifar10", tmp_path, {}), range(4))
        prints = [data.fingerprint for data in prepared]
    assert prints == [load("cifar10", tmp_path, {}).fingerprint] * 4


def test_the_home_of_an_unknown_user_is_refused() -> None:
    with refused("`data_root`: ~nobody-of-this-name/data", "write the path out"):
        load("digits", "~nobody-of-this-name/data", {})


def test_the_command_writes_the_description_of_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    output = tmp_path / "data" / "digits.json"
    assert run_command(["data", "digits", "--output", str(output)]) == 0
    description = json.loads(output.read_text(encoding="utf-8"))
    assert description["train"] == 300
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "digits: 4 × 4 × 1 (height × width × channels), classes 10, train 300, evaluation 1,497;"
        f" sha256 {description['sha256']}"
    ]


def test_a_data_set_that_the_scale_does_not_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert run_command(["data", "cifar10"]) == 1
    assert (
        "error: cifar10: not a data set of scale digits; it uses digits" in capsys.readouterr().err
    )
    assert run_command(["data", "--output", "x.json"]) == 1
    assert "name it before the options" in capsys.readouterr().err
