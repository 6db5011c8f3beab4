"""A folder in which Snakemake is called as a user would."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from support.plans import ROOT

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


class Workplace:
    """A folder with the repository's own files, in which Snakemake is called."""

    LINKED = ("Snakefile", "rules", "tables", "config", "notebooks", "profiles", "environment.yml")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in self.LINKED:
            (folder / name).symlink_to(ROOT / name)

    def configure(self, config: dict[str, Any], name: str = "mine.yaml") -> None:
        (self.folder / name).write_text(yaml.safe_dump(config), encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return ["snakemake", "--cores", "2", *arguments]

    def call(self, *arguments: str, mine: bool = True) -> subprocess.CompletedProcess[str]:
        files = ["--configfile", "config/digits.yaml", "mine.yaml"] if mine else []
        return subprocess.run(
            self.command(*arguments, *files),
            cwd=self.folder,
            env={**os.environ, "PATH": PATH},
            capture_output=True,
            text=True,
            check=False,
        )

    def jobs(self, *arguments: str, mine: bool = True) -> dict[str, int]:
        """What a dry run counts, by rule."""
        done = self.call("--dry-run", *arguments, mine=mine)
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        table = re.search(r"^job +count\n-.*\n((?:\S+ +\d+\n)+)", output, re.M)
        if table is None:
            assert "Nothing to be done" in output
            return {}
        return {name: int(n) for name, n in (line.split() for line in table[1].splitlines())}
