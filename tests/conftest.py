"""Fixtures that tests of several packages share, and how tests are divided among processes."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

os.environ.setdefault("OMP_NUM_THREADS", "1")

from support.plans import BUILT
from support.project import Project, prepare_project
from support.workplace import Workplace

# A shell that starts a command in the background has it ignore SIGINT, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONG_TIMEOUT = 1200


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have pytest-xdist keep modules together, and first those that share the built workplace."""
    for item in items:
        built = "built" in getattr(item, "fixturenames", ())
        group = "built" if built else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
        if item.path.parent.name == "cluster":
            item.add_marker(pytest.mark.long)
        if built or item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT))
    items.sort(key=lambda item: "built" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The default scale in a reduced form, with everything built once."""
    place = Workplace(tmp_path_factory.mktemp("built"))
    place.configure(BUILT)
    done = place.call()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return place


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


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes a mapping as a scale file and gives its path."""

    def write(data: dict[str, Any], name: str = "scale.yaml") -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return path

    return write
