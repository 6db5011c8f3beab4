"""``make`` finds a Python that runs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.plans import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the Makefile, and with the only programs that are on the PATH."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("sh", "make", "test", "echo"):
        program = shutil.which(name)
        assert program
        (tmp_path / "bin" / name).symlink_to(program)
    return tmp_path


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(folder / "bin"), "HOME": str(folder)}
    command = [str(folder / "bin" / "make"), "SHELL=" + str(folder / "bin/sh"), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def chosen(folder: Path, *arguments: str) -> str:
    return call(folder, "--eval", "show: ; @echo [$(PYTHON)]", "show", *arguments).stdout.strip()


def add_python(folder: Path, version: str, runs: bool) -> None:
    """A Python that runs, or a name on the PATH that stands for none."""
    file = folder / "bin" / f"python{version}"
    exits = f'exec {sys.executable} "$@"' if runs else "exit 127"
    file.write_text(f"#!/bin/sh\n{exits}\n")
    file.chmod(0o755)


def test_the_newest_python_that_runs_is_taken(folder: Path) -> None:
    add_python(folder, "3.11", runs=True)
    assert chosen(folder) == "[python3.11]"
    add_python(folder, "3.13", runs=True)
    add_python(folder, "3.14", runs=False)
    assert chosen(folder) == "[python3.13]"
    assert chosen(folder, "PYTHON=python3.11") == "[python3.11]"


def test_a_python_that_is_named_has_to_run(folder: Path) -> None:
    add_python(folder, "3.13", runs=False)
    (folder / "requirements.txt").touch()
    (folder / "pyproject.toml").touch()
    without = call(folder, "environment")
    assert without.returncode != 0
    assert "error: no Python from 3.11 to 3.14 runs here" in without.stdout
    named = call(folder, "environment", "PYTHON=python3.13")
    assert named.returncode != 0
    assert "error: python3.13 does not run here" in named.stdout
    assert not (folder / ".venv").exists()


def test_a_study_that_is_not_there_is_named(folder: Path) -> None:
    for name in ("requirements.txt", "pyproject.toml", ".venv/installed"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    without = call(folder, "study")
    assert without.returncode != 0
    assert "error: name the folder of the study: make study STUDY=my-study" in without.stdout
    missing = call(folder, "study", "STUDY=mine")
    assert missing.returncode != 0
    assert "error: mine/study.yaml: no such file; create it with: replication new" in missing.stdout
