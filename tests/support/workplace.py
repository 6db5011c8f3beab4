"""A folder in which Snakemake is called as a user calls it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import yaml
from support.plans import ROOT

from benchmarks.tiny import LINKED

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
FILES = ("--configfile", "config/digits.yaml", "mine.yaml")


class Workplace:
    """A folder with the repository's own files, in which Snakemake is called."""

    LINKED = LINKED

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in self.LINKED:
            if not (folder / name).exists():
                (folder / name).symlink_to(ROOT / name)

    def copy(self, folder: Path) -> Self:
        """A workplace with the same configuration, results and metadata, to be changed freely."""
        other = type(self)(folder)
        for name in ("results", ".snakemake"):
            shutil.copytree(self.folder / name, folder / name)
        shutil.copy(self.folder / "mine.yaml", folder)
        return other

    def configure(self, config: dict[str, Any], name: str = "mine.yaml") -> None:
        (self.folder / name).write_text(yaml.safe_dump(config), encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return ["snakemake", "--cores", "2", *arguments]

    def call(
        self, *arguments: str, default_files: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments, *(FILES if default_files else ())),
            cwd=self.folder,
            env={**os.environ, "PATH": PATH, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, *arguments: str) -> str:
        """Call Snakemake, which has to succeed; returns what it printed."""
        done = self.call(*arguments)
        output = done.stdout + done.stderr
        assert done.returncode == 0, output[-6000:]
        return output

    def jobs(self, *arguments: str, default_files: bool = True) -> dict[str, int]:
        """The number of jobs that a dry run plans, by rule."""
        done = self.call("--dry-run", *arguments, default_files=default_files)
        return count_jobs(done)


def count_jobs(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The number of jobs that Snakemake says it plans, by rule."""
    output = done.stdout + (done.stderr or "")
    assert done.returncode == 0, output
    table = re.search(r"^job +count\n-.*\n((?:\S+ +\d+\n)+)", output, re.M)
    if table is None:
        assert "Nothing to be done" in output
        return {}
    return {name: int(n) for name, n in (line.split() for line in table[1].splitlines())}
