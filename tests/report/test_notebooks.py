"""Notebooks are committed without outputs, run, and save the figures that are declared."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from support import synthetic_results
from support.plans import ROOT

from replication.report.notebook_catalogue import NOTEBOOKS
from replication.report.opened_results import TABLE_NAMES

FOLDER = ROOT / "notebooks"


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebooks_are_committed_without_outputs_and_as_snakemake_needs_them(
    notebook: str,
) -> None:
    path = FOLDER / f"{notebook}.ipynb"
    content = nbformat.read(path, as_version=4)
    nbformat.validate(content)
    assert content.metadata["language_info"]["name"] == "python"
    assert content.metadata["kernelspec"]["name"] == "python3"
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert code[0].metadata["tags"] == ["parameters"]
    assert len({cell.id for cell in content.cells}) == len(content.cells)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebooks_show_every_figure_that_is_declared(notebook: str) -> None:
    source = json.loads((FOLDER / f"{notebook}.ipynb").read_text())
    code = "".join("".join(cell["source"]) for cell in source["cells"])
    shown = set(re.findall(r'results\.show\(\s*"(\w+)"', code))
    assert shown == set(NOTEBOOKS[notebook].figures)


def _run(notebook: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a notebook's code as a script in `folder`; returns what it prints."""
    content = nbformat.read(FOLDER / f"{notebook}.ipynb", as_version=4)
    code = [cell.source for cell in content.cells if cell.cell_type == "code"]
    monkeypatch.chdir(folder)
    command = [sys.executable, "-c", "\n".join(code)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


@pytest.mark.long
def test_notebooks_save_the_declared_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = synthetic_results.write(tmp_path / "results" / "digits")
    (tmp_path / "notebooks").mkdir()
    for notebook in NOTEBOOKS:
        assert "Error" not in _run(notebook, tmp_path / "notebooks", monkeypatch)
    wanted = {
        f"{name}.{end}"
        for notebook in NOTEBOOKS.values()
        for name in notebook.figures
        for end in ("svg", "png")
    }
    assert {path.name for path in (folder / "figures").iterdir()} == wanted


def test_without_results_a_notebook_shows_published_ones_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = synthetic_results.write(tmp_path / "published" / "digits")
    before = set(folder.rglob("*"))
    (tmp_path / "notebooks").mkdir()
    printed = _run("claims", tmp_path / "notebooks", monkeypatch)
    assert printed.startswith("You have no results for scale digits; these are the published")
    assert "Error" not in printed
    assert set(folder.rglob("*")) == before


def test_the_tables_notebook_names_a_table_that_is_not_built_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = synthetic_results.write(tmp_path / "results" / "digits")
    for end in ("csv", "html"):
        (folder / f"tables/table4.{end}").unlink()
    printed = _run("tables", tmp_path, monkeypatch)
    assert "These results do not have Table 4; build it by running snakemake" in printed
    assert "Traceback" not in printed
    assert printed.count("HTML object") == len(TABLE_NAMES) - 1
