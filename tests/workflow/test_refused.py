"""Wrong input stops the workflow with one line."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.workplace import Workplace


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def assert_refused(done: subprocess.CompletedProcess[str], message: str) -> None:
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert message in output, output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"seeds": []}, "`seeds`: tuple should have at least 1 item"),
        ({"sedes": [1]}, "unknown key `sedes`; did you mean `seeds`?"),
        ({"tables": ["table9"]}, "table9.yaml: no such table"),
    ],
)
def test_a_wrong_scale(place: Workplace, config: dict[str, Any], message: str) -> None:
    place.configure(config)
    assert_refused(place.call("--dry-run"), message)


def test_a_scale_that_is_not_yaml(place: Workplace) -> None:
    (place.folder / "mine.yaml").write_text("seeds: [1", encoding="utf-8")
    assert_refused(place.call("--dry-run"), "Config file is not valid JSON or YAML")


def test_keys_on_the_command_line(place: Workplace) -> None:
    done = place.call("--dry-run", "--config", "seeds=[5]", default_files=False)
    assert_refused(done, "--config does not reach the jobs")


def test_results_that_are_not_a_folder(place: Workplace) -> None:
    (place.folder / "results").write_text("a file", encoding="utf-8")
    assert_refused(place.call("--dry-run", default_files=False), "results: not a writable folder")


def test_an_unknown_table(place: Workplace) -> None:
    assert_refused(place.call("--dry-run", "table9", default_files=False), "table9")


def test_conda_deployment(place: Workplace) -> None:
    done = place.call("--dry-run", "--software-deployment-method", "conda", default_files=False)
    assert_refused(done, "create the environment once with `conda env create`")
