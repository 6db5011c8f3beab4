"""Fixtures: small scales whose runs take a fraction of a second."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

os.environ.setdefault("OMP_NUM_THREADS", "1")

from replication.errors import InputError
from replication.plan import Plan
from replication.scale import check_scale
from replication.schema import merge, read_yaml

ROOT = Path(__file__).resolve().parent.parent

TINY: dict[str, Any] = {
    "scale": "tiny",
    "seeds": [0],
    "device": "cpu",
    "precision": "float32",
    # After two epochs a network knows nothing yet.
    "teacher_at_chance": "allow",
    "datasets": {
        "cifar10": {"name": "digits", "train": 200, "test": 100},
        "cifar100": {"name": "two_digit_numbers", "train": 200, "test": 100},
    },
    "networks": {
        "wide_resnet": {"width_ratio": "1/8"},
        "densenet": {"width_ratio": "1/10"},
        "lstm": {"width_ratio": "1/100"},
        "cnn_lstm": {"width_ratio": "1/50"},
    },
    "images": {"epochs": 2, "milestones": [1]},
    "language": {"lstm": {"epochs": 1}, "cnn_lstm": {"epochs": 1}},
}


def tiny_plan(**keys: Any) -> Plan:
    """The default scale at a toy size, with these keys changed."""
    config = merge(merge(read_yaml(ROOT / "config" / "digits.yaml"), TINY), keys)
    return Plan.make(check_scale(config, "tiny"), ROOT / "tables")


def wait_until(done: Callable[[], Any], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.05)


BUILT = {**TINY, "seeds": [0, 1]}
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


def check_line(line: str, begins: str, says: str) -> None:
    """See that what was said is one line, how it begins and what it says."""
    assert line.startswith(begins), line
    assert says in line, line
    assert "\n" not in line


@contextmanager
def refused(begins: str, says: str) -> Iterator[None]:
    """See that what is done within is refused, in one line that begins so and says this."""
    with pytest.raises(InputError) as caught:
        yield
    check_line(str(caught.value), begins, says)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The default scale in a reduced form, everything built once."""
    place = Workplace(tmp_path_factory.mktemp("built"))
    place.configure(BUILT)
    done = place.call()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return place


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes a mapping as a scale file and gives its path."""

    def write(data: dict[str, Any], name: str = "scale.yaml") -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return path

    return write
