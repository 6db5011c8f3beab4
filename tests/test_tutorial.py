"""The tutorial is committed with its outputs, and runs from beginning to end."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from support.plans import ROOT
from support.workplace import PATH

from replication.report.notebook_catalogue import NOTEBOOKS

TUTORIAL = ROOT / "notebooks" / "tutorial.ipynb"
SMALL = {"train_images": 80, "epochs": 2, "seeds": 2}


def code_cells(file: Path) -> list[Any]:
    return [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]


def outputs(cells: list[Any], kind: str) -> list[str]:
    """Outputs of a kind: ``image/png`` and other types of data, or ``stderr`` and ``error``."""
    shown = [output for cell in cells for output in cell.outputs]
    return [
        str(output.get("data", {}).get(kind, output))
        for output in shown
        if kind in (*output.get("data", {}), output.get("name"), output.output_type)
    ]


def descriptions(cells: list[Any]) -> list[str]:
    """The alternative texts of the pictures that have one."""
    pictures = [out for cell in cells for out in cell.outputs if "image/png" in out.get("data", {})]
    return [out.metadata["image/png"]["alt"] for out in pictures if out.metadata.get("image/png")]


def printed(cell: Any) -> str:
    """What a cell has printed."""
    return "".join(output.text for output in cell.outputs)


def test_it_is_the_one_notebook_that_is_not_built_from_results() -> None:
    assert {file.stem for file in TUTORIAL.parent.glob("*.ipynb")} == {*NOTEBOOKS, "tutorial"}


def test_it_is_committed_with_the_outputs_of_one_execution() -> None:
    cells = code_cells(TUTORIAL)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    pictures = sum("\nshow(" in cell.source for cell in cells)
    assert len(outputs(cells, "image/png")) == len(descriptions(cells)) == pictures >= 6
    assert outputs(cells, "stderr") == outputs(cells, "error") == []
    assert "Next: make study STUDY=digit-study" in printed(cells[-1])


def test_it_names_no_place_of_the_machine_that_it_was_executed_on() -> None:
    text = TUTORIAL.read_text("utf-8")
    for place in (str(ROOT), str(Path.home()) + "/", "papermill", "iopub"):
        assert place not in text, place
    assert len(text) < 500_000


@pytest.mark.long
def test_it_runs_with_fewer_images_and_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import papermill

    monkeypatch.setenv("PATH", PATH)
    copy = tmp_path / "tutorial.ipynb"
    papermill.execute_notebook(
        str(TUTORIAL), str(copy), parameters=SMALL, cwd=str(TUTORIAL.parent), progress_bar=False
    )
    cells = code_cells(copy)
    assert descriptions(cells) == descriptions(code_cells(TUTORIAL))
    assert len(outputs(cells, "image/png")) == len(descriptions(cells))
    assert outputs(cells, "error") == []
    assert "Data: 80 training and 1,717 test images" in printed(cells[-1])
