"""A scale that trains some rows of a table only, and what is published and pooled of it."""

from pathlib import Path

import pytest
from support.plans import ROOT, TINY
from support.published_results import SOURCES
from support.workplace import Workplace

from replication.publication.publish import publish
from replication.publication.write_pooled import write_pool
from replication.results.csv_files import read_cells

ROWS = ["densenet-112-33", "densenet-90-60"]
UNTRAINED_ROWS = ["densenet-80-80", "densenet-80-120"]


@pytest.mark.long
def test_rows_that_are_built_one_after_another_are_pooled_as_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(tmp_path)
    for source in set(SOURCES) - set(place.LINKED):
        (tmp_path / source).symlink_to(ROOT / source)
    monkeypatch.chdir(tmp_path)
    for name, trained in {"small": ROWS[:1], "others": ROWS[1:]}.items():
        seeds = {row: [0] if row in trained else [] for row in [*ROWS, *UNTRAINED_ROWS]}
        place.configure(
            {**TINY, "scale": name, "tables": ["table2"], "row_seeds": {"table2": seeds}}
        )
        place.build()
        _, findings = publish(Path("results", name))
        assert findings.problems == []
        assert set(read_cells(Path("published", name))["row"]) == set(trained)
    to, findings, notes = write_pool(
        [Path("published/small"), Path("published/others")], "both", notebooks=False
    )
    assert findings.problems == []
    assert set(read_cells(to)["row"]) == set(ROWS)
    assert f"frames/learning_curves.csv, {ROWS[0]}: copied from published/small" in " ".join(notes)
    text = (to / "tables/table2.md").read_text("utf-8")
    assert "Not trained at this scale: DenseNet-80-80, DenseNet-80-120." in text
