"""A data set is prepared once as a scale uses it; trainings map the arrays that this leaves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.checks import refused

from replication.data import prepare as preparation
from replication.data.images import ImageData
from replication.data.prepare import prepare, read
from replication.data.prepared import describe_data, load, used_folder
from replication.data.text import Corpus

PAIRS = {"items": 400, "pool": 2, "train": 576, "test": 2000, "balanced": True}
USED: list[tuple[str, dict[str, Any]]] = [
    ("digits", {"items": 300, "pool": 2, "balanced": True}),
    ("two_digit_numbers", PAIRS),
    ("python_reference", {"words": 50, "train": 900}),
]


@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
@pytest.mark.parametrize(("name", "sizes"), USED, ids=lambda value: str(value)[:20])
def test_prepared_data_have_the_bytes_of_those_that_are_read(
    name: str, sizes: dict[str, Any], evaluate_on: Any, tmp_path: Path
) -> None:
    expected = read(name, tmp_path, sizes, evaluate_on)
    prepare(name, tmp_path, sizes, evaluate_on)
    data = load(name, tmp_path, sizes, evaluate_on)
    assert describe_data(name, data) == describe_data(name, expected)
    assert data.facts == expected.facts
    assert {**data.arrays}.keys() == {**expected.arrays}.keys()
    for key, array in data.arrays.items():
        assert array.tobytes() == expected.arrays[key].tobytes()
        # As of memory that torch has allocated: other alignments may round differently.
        assert array.ctypes.data % 64 == 0
    if isinstance(data, Corpus):
        assert isinstance(expected, Corpus)
        assert data.vocabulary == expected.vocabulary


def test_prepared_data_are_mapped_and_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare("digits", tmp_path, {"train": 600})
    monkeypatch.setattr(preparation, "read", lambda *_: pytest.fail("read again"))
    data = load("digits", tmp_path, {"train": 600})
    (file,) = used_folder(tmp_path, "digits", {"train": 600}).glob("*-train-images.npy")
    mapped = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    (pages,) = [line[0].split("-") for line in mapped if line[-1] == str(file)]
    assert isinstance(data, ImageData)
    assert int(pages[0], 16) <= data.train.images.data_ptr() < int(pages[1], 16)
    assert data.to(torch.device("cpu")).train.images.data_ptr() == data.train.images.data_ptr()


def test_what_is_chosen_and_evaluated_on_has_a_folder_of_its_own(tmp_path: Path) -> None:
    for sizes, part in (({"train": 600}, "test"), ({"train": 600}, "validation"), ({}, "test")):
        prepare("digits", tmp_path, sizes, part)  # type: ignore[arg-type]
    assert len([*(tmp_path / "prepared").glob("digits-used-*")]) == 3
    assert load("digits", tmp_path, {}).counts["train"] == 1198


def test_data_that_are_prepared_again_are_written_only_if_they_differ(tmp_path: Path) -> None:
    file = tmp_path / "story.txt"
    file.write_text("a b a c a b a d e f", encoding="utf-8")
    sizes = {"words": 3, "file": file}
    prepare("story", tmp_path, sizes)
    folder = used_folder(tmp_path, "story", sizes)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    prepare("story", tmp_path, sizes)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    used = load("story", tmp_path, sizes)
    file.write_text("b b b a a c a b a d e f", encoding="utf-8")
    prepare("story", tmp_path, sizes)
    after = load("story", tmp_path, sizes)
    assert after.fingerprint != used.fingerprint
    assert not before.keys() & {path.name for path in folder.glob("*.npy")}
    # A training that has mapped the earlier arrays keeps them.
    assert isinstance(used, Corpus)
    assert used.train[0] == 0 or used.vocabulary[int(used.train[0])] == "a"


@pytest.mark.parametrize("damage", ["missing", "truncated", "another shape"])
def test_damaged_arrays_are_refused_and_prepared_again(damage: str, tmp_path: Path) -> None:
    expected = prepare("digits", tmp_path, {})
    (file,) = used_folder(tmp_path, "digits", {}).glob("*-train-images.npy")
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:1000])
    else:
        np.save(file, np.zeros((3, 1, 8, 8), np.float32))
    with refused(str(file), "and run `replication data`"):
        load("digits", tmp_path, {})
    prepare("digits", tmp_path, {})
    assert load("digits", tmp_path, {}).fingerprint == expected.fingerprint


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1}', '{"format": 0}'])
def test_a_damaged_description_is_as_none(content: str, tmp_path: Path) -> None:
    prepare("digits", tmp_path, {})
    (used_folder(tmp_path, "digits", {}) / "description.json").write_text(content)
    assert load("digits", tmp_path, {}).fingerprint == read("digits", tmp_path, {}).fingerprint


KILLED = """
import sys, time
from pathlib import Path
import numpy as np
from replication.data.prepare import prepare

save = np.save
def save_slowly(file, array):
    save(file, array)
    Path(sys.argv[1], "written").touch()
    time.sleep(60)

np.save = save_slowly
prepare("digits", sys.argv[1], {})
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_stopped_leaves_nothing_half_written(
    how: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stderr=subprocess.DEVNULL
    )
    while not (tmp_path / "written").exists():
        time.sleep(0.05)
    os.kill(process.pid, how)
    assert process.wait() != 0
    folder = used_folder(tmp_path, "digits", {})
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".new-")] == []
    assert load("digits", tmp_path, {}).counts["train"] == 1198
    prepare("digits", tmp_path, {})
    assert len([*folder.iterdir()]) == 5


def test_processes_that_prepare_the_same_data_wait_for_each_other(tmp_path: Path) -> None:
    code = (
        "import sys; from replication.data.prepare import prepare; prepare('digits', sys.argv[1],"
        " {})"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len([*used_folder(tmp_path, "digits", {}).iterdir()]) == 5
    assert load("digits", tmp_path, {}).counts["train"] == 1198


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "prepared").write_text("a file")
    with refused(str(tmp_path / "prepared"), "cannot be written", "`data_root`"):
        prepare("digits", tmp_path, {})
