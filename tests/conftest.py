"""Fixtures that tests of several packages share, and the order of the tests."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

os.environ.setdefault("OMP_NUM_THREADS", "1")

from support.plans import BUILT
from support.project import Project, prepare_project
from support.small_results import copy_small_results, train_small_results
from support.workplace import Workplace

from replication.plan.plan import Plan

# A shell that starts a command in the background has it ignore SIGINT, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# nohup has a command and its children ignore SIGHUP.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# A make that a test calls would inherit the options of `make test`, and print more than for a user.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)

LONG_TIMEOUT = 1200
SLOW = ("workflow", "tests", "cluster", "verify", "report", "training", "networks", "analysis")
"""Folders with slow tests, the slowest first; `tests` itself has those of documents."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests, and mark the long ones."""
    for item in items:
        if item.path.parent.name == "cluster":
            item.add_marker(pytest.mark.long)
        if _uses_built(item) or item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT))
    items.sort(key=_place)


def _uses_built(item: pytest.Item) -> bool:
    return "built" in getattr(item, "fixturenames", ())


def _place(item: pytest.Item) -> tuple[bool, int]:
    """Slow folders come first, so that no process has a long module left at the end."""
    folder = item.path.parent.name
    return not _uses_built(item), SLOW.index(folder) if folder in SLOW else len(SLOW)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The default scale in a reduced form, built once; each process of pytest-xdist has a copy."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            building = shared.with_name("building")
            building.mkdir()
            place = Workplace(building)
            place.configure(BUILT)
            done = place.call()
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
            building.rename(shared)
    (own / "built").mkdir()
    return Workplace(shared).copy(own / "built")


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a teacher, its student and a language model, trained, and their tables."""
    return prepare_project(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def project(
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Project:
    """A copy of the prepared folder as the current directory."""
    return Project.copy(prepared, tmp_path / "project", monkeypatch, capfd)


@pytest.fixture(scope="session")
def small_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of three small tables, trained once; not to be changed."""
    return train_small_results(tmp_path_factory)


@pytest.fixture
def small_plan(small_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of a copy of the small results, which is the current directory."""
    return copy_small_results(small_results, tmp_path, monkeypatch)


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes a mapping as a scale file and gives its path."""

    def write(data: dict[str, Any], name: str = "scale.yaml") -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return path

    return write
