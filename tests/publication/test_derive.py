"""`replication derive` writes again what follows from the csv files, with and without runs."""

import shutil
from pathlib import Path

import pytest
from support.checks import refused
from support.plans import ROOT
from support.project import contents
from support.published_results import change_lines, copy_published, publish_small_results

from replication.cli import run_command
from replication.plan.plan import Plan
from replication.publication import execute_notebooks
from replication.publication.derive import derive
from replication.report.notebook_catalogue import NOTEBOOKS
from replication.results.correctness import CORRECT
from replication.verify.verification import verify

DERIVED = [
    *("tables/table3.csv", "tables/treatments.md", "tables/table6.tex", "tables/quality.html"),
    *("claims.csv", "claims_power.csv", "claims_items.csv", "criteria.html", "README.md"),
]


@pytest.fixture
def place(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of a publication."""
    copy_published(publish_small_results(tmp_path_factory), tmp_path, monkeypatch)
    return Path("published/tiny")


def test_what_is_derived_from_a_publication_has_the_same_bytes_as_before(place: Path) -> None:
    before = contents(place)
    assert derive(place, notebooks=False) == []
    for name in DERIVED:
        (place / name).unlink()
    shutil.copyfile(place / "criteria.csv", "criteria.csv")
    change_lines(place / "criteria.csv", lambda lines: lines.assign(train_error=1.5, fit="met"))
    changed = derive(place, notebooks=False)
    assert {*changed} >= {place / name for name in DERIVED}
    assert contents(place) == before


def test_results_are_derived_without_the_folders_of_their_runs(finished_plan: Plan) -> None:
    results = finished_plan.results
    before = contents(results / "tables") | {"claims": (results / "claims.csv").read_bytes()}
    shutil.rmtree(results / "runs")
    for file in (results / "tables").iterdir():
        file.unlink()
    (results / "claims.csv").unlink()
    derive(results, notebooks=False)
    assert (
        contents(results / "tables") | {"claims": (results / "claims.csv").read_bytes()} == before
    )


def test_a_change_of_the_rules_changes_verdicts_and_checksums(place: Path) -> None:
    claims = Path("tables/claims.yaml")
    text = claims.read_text(encoding="utf-8")
    section = next(line for line in text.splitlines() if line.strip().startswith("section:"))
    claims.write_text(text.replace(section, f"{section}9"), encoding="utf-8")
    assert any("claims.csv" in problem for problem in verify(place).problems)
    assert run_command(["derive", str(place), "--no-notebooks"]) == 0
    assert verify(place).problems == []


def test_a_changed_measurement_is_not_hidden_by_new_checksums(place: Path) -> None:
    change_lines(place / "cells.csv", lambda lines: lines.assign(value=1.0))
    crate = (place / "ro-crate-metadata.json").read_bytes()
    with refused(f"{place / 'cells.csv'}: is not the file", "nothing was derived"):
        derive(place, notebooks=False)
    assert (place / "ro-crate-metadata.json").read_bytes() == crate


def test_without_the_items_their_intervals_are_kept_and_only_checked_by_checksum(
    place: Path,
) -> None:
    (place / CORRECT).unlink()
    kept = (place / "claims_items.csv").read_bytes()
    with refused(f"{place / CORRECT}: no such file", "nothing was derived"):
        derive(place, notebooks=False)
    (place / "ro-crate-metadata.json").unlink()
    derive(place, notebooks=False)
    assert (place / "claims_items.csv").read_bytes() == kept


def test_a_folder_without_csv_files_is_refused(tmp_path: Path) -> None:
    with refused(f"{tmp_path}", "lacks cells.csv or runs.csv to derive from"):
        derive(tmp_path)


@pytest.mark.long
def test_notebooks_are_executed_on_the_folder_itself(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it lies, and with figures as SVG alone; one notebook stands for all."""
    shutil.move(place, "elsewhere")
    Path("notebooks").symlink_to(ROOT / "notebooks")
    one = {"claims": NOTEBOOKS["claims"]}
    monkeypatch.setattr(execute_notebooks, "shown_notebooks", lambda tables: one)
    derive(Path("elsewhere"))
    notebook = Path("elsewhere/notebooks/claims.ipynb").read_text(encoding="utf-8")
    assert "../figures/claims.svg" in notebook
    assert "image/png" not in notebook
    assert str(Path.cwd()) not in notebook
    assert [file.name for file in Path("elsewhere/figures").iterdir()] == ["claims.svg"]
    assert verify(Path("elsewhere")).problems == []
