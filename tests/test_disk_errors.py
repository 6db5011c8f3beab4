"""Full and read-only disks: one line, nothing lost, and the next call goes on."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.archives import cifar_archive
from support.project import (
    CELLS,
    FILES,
    TABLE,
    TEACHER,
    TRAIN_TEACHER,
    Project,
    check_refusal,
    contents,
)

from replication.data.used_images import load_images
from replication.errors import InputError
from replication.files import ABANDONED_SECONDS, checksum, write_atomically, write_text

PAGE = 4096
MODEL, PREDICTIONS = "model.safetensors", "predictions.safetensors"


@pytest.fixture
def disk(
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Project]:
    """The prepared folder on a disk of its own of 32 MiB, as the current directory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield Project.copy(prepared, folder, monkeypatch, capfd)
    finally:
        monkeypatch.chdir(tmp_path)
        # Lazily: teacher logits may still be mapped.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(project: Project, free: int) -> Path:
    """Fill the disk but for so many bytes; the file to delete for room."""
    state = os.statvfs(project.folder)
    filler = project / "filler"
    filler.write_bytes(b"x" * (state.f_bavail * state.f_bsize - free))
    return filler


def delete(project: Project, *names: str) -> int:
    """Delete files of the teacher; how many bytes of disk they took."""
    sizes = [project.of(TEACHER, name).stat().st_blocks * 512 for name in names]
    for name in names:
        project.of(TEACHER, name).unlink()
    return sum(sizes)


# What is called, which file does not fit, and how much room there is beside the lock's page.
FULL: dict[str, tuple[list[str], str, Callable[[Project], int]]] = {
    "checkpoint": (TRAIN_TEACHER, f"{TEACHER}/checkpoint.pt", lambda p: 0),
    "table": (
        TABLE,
        "tables/small.html",
        lambda p: (p.results / "tables/small.html").stat().st_blocks * 512 - 2 * PAGE,
    ),
    "collected": (CELLS, "results/tiny/runs.csv", lambda p: -PAGE),
}


@pytest.mark.parametrize("what", FULL)
def test_a_full_disk_loses_nothing_and_the_next_call_goes_on(what: str, disk: Project) -> None:
    arguments, file, room = FULL[what]
    disk.override(checkpoint={"epochs": 0})
    filler = fill(disk, room(disk) + PAGE)
    disk.refuses(arguments, f"{file}: cannot be written", "No space left on device", "disk space")
    filler.unlink()
    assert disk.call(arguments)[0] == 0


def test_two_writers_with_one_process_id_do_not_mix_their_bytes(tmp_path: Path) -> None:
    # As in two containers on a shared disk: while one writes, the other writes the same file.
    file = tmp_path / "a.txt"
    parts: list[Path] = []

    def write_slowly(part: Path) -> None:
        parts.append(part)
        part.write_text("first", encoding="utf-8")
        write_text(file, "second")
        assert part.read_text(encoding="utf-8") == "first"

    write_atomically(file, write_slowly)
    assert file.read_text(encoding="utf-8") == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert str(os.getpid()) not in parts[0].name.split(".")


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_file_can_be_read_by_those_whom_the_umask_allows(
    umask: int, mode: int, tmp_path: Path
) -> None:
    file, before = tmp_path / MODEL, os.umask(umask)
    try:
        write_atomically(file, lambda part: save_file({"weight": np.zeros(1)}, part))
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == mode


def test_what_a_killed_process_left_is_deleted_when_it_is_a_day_old(tmp_path: Path) -> None:
    old, young, other = (
        tmp_path / name for name in (".a.txt.1.part", ".a.txt.2.part", ".b.1.part")
    )
    for part in (old, young, other):
        part.write_bytes(b"half")
    for part in (old, other):
        os.utime(part, (0, time.time() - ABANDONED_SECONDS - 60))
    write_text(tmp_path / "a.txt", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", young.name, other.name}


def test_a_file_that_cannot_be_read_has_the_callers_advice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a: cannot be read \(No such file.*\); look for it$"):
        checksum(tmp_path / "a", "look for it")


def make_read_only(disk: Project) -> None:
    remount = ["mount", "-o", "remount,ro", str(disk.folder)]
    if subprocess.run(remount, check=False, capture_output=True).returncode:
        pytest.skip("a disk cannot be made read-only here")


def test_a_read_only_folder_is_named_and_can_be_planned_in(disk: Project) -> None:
    make_read_only(disk)
    before = contents(disk.folder)
    status, stderr = disk.call(TRAIN_TEACHER)
    check_refusal(status, stderr, "results/tiny/", "Read-only file system", "write permission")
    assert contents(disk.folder) == before
    assert disk.call(["plan", *FILES])[0] == 0


def test_data_are_read_from_a_read_only_folder(disk: Project) -> None:
    (disk / "data").mkdir()
    cifar_archive(disk / "data", "cifar10", disk.monkeypatch)
    load_images("cifar10", disk / "data", download=True)
    make_read_only(disk)
    before = contents(disk.folder)
    data = load_images("cifar10", disk / "data")
    assert (len(data.train.labels), len(data.evaluation.labels)) == (50, 20)
    assert contents(disk.folder) == before
