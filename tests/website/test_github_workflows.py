"""The workflow files for GitHub follow its schema, and call what the repository has."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.plans import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def check(file: Path) -> subprocess.CompletedProcess[str]:
    """Check a file against GitHub's schema, which comes with the package."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    command += ["vendor.github-workflows", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_follows_the_schema(file: Path) -> None:
    done = check(file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_refuses_an_unknown_key(tmp_path: Path) -> None:
    workflow = yaml.safe_load((WORKFLOWS[0]).read_text("utf-8"))
    workflow["jobs"]["checks"]["run-on"] = "ubuntu-latest"
    file = tmp_path / "wrong.yml"
    file.write_text(yaml.safe_dump(workflow), encoding="utf-8")
    assert check(file).returncode != 0


def test_checks_run_on_two_pythons_and_the_site_is_built() -> None:
    checks, site = (yaml.safe_load(file.read_text("utf-8")) for file in WORKFLOWS)
    job = checks["jobs"]["checks"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    assert "make site" in [step.get("run") for step in site["jobs"]["build"]["steps"]]
