"""The files that describe the environment agree with each other, and with what is installed."""

import importlib.metadata
import re
import tomllib
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from support.plans import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pin) == 2 for pin in pinned), "every line pins one version"
    return {normal(name): version for name, version in pinned}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_requirements_pin_what_pyproject_asks_for() -> None:
    asked = [
        *PROJECT["dependencies"],
        *PROJECT["optional-dependencies"]["test"],
        *PROJECT["optional-dependencies"]["cluster"],
        *PROJECT["optional-dependencies"]["site"],
    ]
    pinned = pins()
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pinned[normal(requirement.name)]), requirement


def test_conda_installs_the_same_pins_and_the_package_itself() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-r requirements.txt", "-e ."]
    (python,) = (e for e in environment["dependencies"] if str(e).startswith("python="))
    assert Requirement(f"x{PROJECT['requires-python']}").specifier.contains(
        python.removeprefix("python=")
    )
    assert environment["channels"][0] == "conda-forge"


def test_what_is_installed_is_what_is_pinned() -> None:
    installed = {normal(d.name): d.version for d in importlib.metadata.distributions()}
    wrong = {
        name: (version, installed.get(name))
        for name, version in pins().items()
        if installed.get(name, "").split("+")[0] != version
    }
    assert wrong == {}


@pytest.mark.parametrize("path", ["CITATION.cff", ".pre-commit-config.yaml"])
def test_the_yaml_of_the_repository_is_whole(path: str) -> None:
    assert yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_the_citation_has_this_version_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == importlib.metadata.version("born-again-networks")
    (paper,) = citation["references"]
    assert paper["title"] == "Born-Again Neural Networks"
    assert [author["family-names"] for author in paper["authors"]] == [
        "Furlanello", "Lipton", "Tschannen", "Itti", "Anandkumar",
    ]  # fmt: skip
