"""Notebooks are published with their outputs, and without what differs between executions."""

import json
from pathlib import Path

import pytest
from support.checks import refused
from support.published_results import TIME, executed_notebook

from replication.publication.clean_notebooks import clean_notebook


def cleaned(folder: Path, notebook: object, scale: str = "fashion") -> str:
    file = folder / "it.ipynb"
    file.write_text(json.dumps(notebook), encoding="utf-8")
    return clean_notebook(file, scale)


def test_times_paths_and_the_cells_that_were_injected_are_left_out(tmp_path: Path) -> None:
    text = cleaned(tmp_path, executed_notebook())
    for part in (TIME, "/home", "papermill", "snakemake", "injected", "warning", "3.11"):
        assert part not in text
    assert text == cleaned(tmp_path, executed_notebook("/another/place"))
    notebook = json.loads(text)
    assert [cell.get("execution_count") for cell in notebook["cells"]] == [None, 1, 2]
    (output,) = notebook["cells"][2]["outputs"]
    assert output["data"] == {"text/plain": ["3"]}
    assert output["execution_count"] == 2
    # The parameter of what is shown, which an injected cell has overridden.
    assert 'scale = "fashion"\nresults = "results"' in notebook["cells"][1]["source"]


def test_cleaning_again_changes_nothing(tmp_path: Path) -> None:
    text = cleaned(tmp_path, executed_notebook())
    assert cleaned(tmp_path, json.loads(text)) == text


def test_a_table_is_kept_as_html_alone(tmp_path: Path) -> None:
    """Its plain text can hold an address in memory, which differs between executions."""
    notebook = executed_notebook()
    output = notebook["cells"][-1]["outputs"][-1]
    output["data"] = {"text/plain": ["<Table object at 0x7f21>"], "text/html": ["<p>3</p>"]}
    (output,) = json.loads(cleaned(tmp_path, notebook))["cells"][-1]["outputs"]
    assert output["data"] == {"text/html": ["<p>3</p>"]}


def test_a_failed_notebook_is_refused(tmp_path: Path) -> None:
    notebook = executed_notebook()
    notebook["cells"][-1]["outputs"].append({"output_type": "error", "ename": "KeyError"})
    with refused(f"{tmp_path}/it.ipynb: cell 2 has failed", "snakemake"):
        cleaned(tmp_path, notebook)


@pytest.mark.parametrize("notebook", [[], {}, {"cells": [1]}, {"cells": []}])
def test_something_else_is_refused(tmp_path: Path, notebook: object) -> None:
    with refused(f"{tmp_path}/it.ipynb: not an executed notebook", "delete it and build it by"):
        cleaned(tmp_path, notebook)
