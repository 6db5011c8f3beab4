"""What notebooks read: a damaged file is named with what to do about it."""

from collections.abc import Callable

import pytest
from support.project import Project, make_folder

from replication.errors import InputError
from replication.report.opened_results import Results

Damage = Callable[[Project], object]
Read = Callable[[Results], object]

REFUSED: dict[str, tuple[Damage, Read, tuple[str, ...]]] = {
    "table of another version": (
        lambda p: (p.results / "tables/small.csv").write_text("table,value\n"),
        lambda r: r.table("small"),
        ("tables/small.csv: the columns are not table, row, column", "delete it"),
    ),
    "claims' numbers a folder": (
        lambda p: make_folder(p.results / "claims_power.csv"),
        lambda r: r.claims_power(),
        ("claims_power.csv: damaged", "delete it"),
    ),
    "frames that are not there": (
        lambda p: None,
        lambda r: r.learning_curves(),
        ("frames/learning_curves.csv: no such file", "build it"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_file_is_one_line_with_a_hint(name: str, project: Project) -> None:
    damage, read, says = REFUSED[name]
    damage(project)
    with pytest.raises(InputError) as caught:
        read(Results(project.results))
    message = str(caught.value)
    assert message.isprintable()
    assert all(part in message for part in says), message
