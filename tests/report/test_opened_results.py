"""What notebooks read: files are opened, and a missing one is named with the command."""

from pathlib import Path

import pytest
from support import synthetic_results

from replication.errors import InputError
from replication.report import figures
from replication.report.opened_results import Results, open_results


@pytest.mark.parametrize("missing", ["cells.csv", "tables/table3.csv"])
def test_a_missing_file_is_one_line_with_its_name_and_the_command(
    tmp_path: Path, missing: str
) -> None:
    opened = Results(synthetic_results.write(tmp_path / "fashion"))
    (opened.folder / missing).unlink()
    with pytest.raises(InputError) as caught:
        figures.sweeps(opened.tables(), opened.cells())
    message = str(caught.value)
    assert missing in message
    assert "build it by running snakemake with the file of its scale" in message
    assert "\n" not in message


def test_a_table_that_a_publication_lacks_is_looked_for_in_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = synthetic_results.write(tmp_path / "published/digits")
    monkeypatch.chdir(tmp_path)
    assert open_results("digits", "results", "table2").published
    (folder / "tables/table2.csv").unlink()
    with pytest.raises(InputError) as caught:
        open_results("digits", "results", "table2")
    assert str(caught.value) == (
        "published/digits/tables/table2.csv: no such file; look for it in the publications that"
        " docs/results.md lists"
    )


def test_a_damaged_file_is_one_line_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text("")
    with pytest.raises(InputError, match=r"cells\.csv: damaged"):
        Results(tmp_path).cells()


def test_results_are_found_beside_and_above_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("results/digits", "published/digits", "published/fashion", "notebooks"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "cells.csv").touch()
    for folder in (".", "notebooks"):
        monkeypatch.chdir(tmp_path / folder)
        own, published = (Results.find("results", scale) for scale in ("digits", "fashion"))
        assert own.folder.resolve() == tmp_path / "results/digits"
        assert not own.published
        assert published.folder.resolve() == tmp_path / "published/fashion"
        assert published.published
        assert Results.find("published", "digits").published
        assert Results.find(tmp_path / "published", "digits").published
        assert not Results.find(tmp_path / "results", "digits").published
    assert Results.find("results", "paper").folder == Path("results/paper")


def test_figures_of_published_results_are_shown_and_not_saved(tmp_path: Path) -> None:
    folder = synthetic_results.write(tmp_path / "published/digits")
    for published in (True, False):
        opened = Results(folder, published=published)
        image = opened.show("sweeps", figures.sweeps(opened.tables(), opened.cells()))
        assert image.data.startswith(b"\x89PNG")
        assert (folder / "figures/sweeps.png").exists() is not published
