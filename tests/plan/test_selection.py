"""Plans for chosen tables, rows and seeds."""

from pathlib import Path

import pytest
import yaml
from support.checks import refused
from support.plans import ROOT, TINY

from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.selection import parse_numbers, read_part

FILES = (Path("config/digits.yaml"), Path("tiny.yaml"))


@pytest.fixture(autouse=True)
def in_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("tables", "config"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")


def test_numbers_are_given_one_by_one_or_as_ranges() -> None:
    assert parse_numbers("--seeds", "0-2, 7,1") == [0, 1, 2, 7]
    for wrong in ("", "a", "3-1", "1,,2", "-1", "1.5", "0-99999999"):
        with pytest.raises(InputError, match="--seeds"):
            parse_numbers("--seeds", wrong)


def test_a_selection_has_its_tables_rows_and_seeds_and_the_teachers_they_need() -> None:
    plan = read_part(FILES, tables="2,table1", rows="densenet-9*", seeds="3-4")
    assert list(plan.tables) == ["table2", "table1"]
    assert {cell.row for cell in plan.cells} == {"densenet-90-60"}
    assert {run.seed % 1000 for run in plan.runs.values()} == {3, 4}
    assert len(plan.runs) == 2 * (8 + 2)
    for run in plan.runs.values():
        assert run.teacher is None or run.teacher.id in plan.runs


def test_a_named_table_without_a_matching_row_is_refused() -> None:
    with refused("--rows densenet-9*: no row of sensitivity matches; available: ", "BAN+L"):
        read_part(FILES, tables="2,sensitivity", rows="densenet-9*")
    assert {cell.table for cell in read_part(FILES, rows="densenet-9*").cells} >= {"table2"}


def test_seeds_of_a_selection_are_those_of_every_table(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("table_seeds: {table2: [0]}")
    plan = read_part([*FILES, own], tables="1,2", seeds="3-4")
    assert all([*cell.members] == [3, 4] for cell in plan.cells)


def test_without_a_selection_it_is_the_whole_scale() -> None:
    assert read_part(FILES).runs == Plan.read(FILES).runs
