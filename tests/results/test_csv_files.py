"""Csv files are read and written as the schema describes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from replication.errors import InputError
from replication.results.csv_files import (
    csv_path,
    join_members,
    read_cells,
    read_csv_file,
    read_runs,
    split_members,
    write_csv_file,
)
from replication.results.schema import CSV_FILES

CELLS = pd.DataFrame(
    [("table1", "1", "teacher", 0, "test error (%)", 1.25, "a"),
     ("table1", "1", "ens*2", 0, "test error (%)", 1.0, "b;c")],
    columns=CSV_FILES["cells"].names,
)  # fmt: skip


def test_names_of_rows_stay_text_and_numbers_numbers(tmp_path: Path) -> None:
    write_csv_file(tmp_path, "cells", CELLS)
    cells = read_cells(tmp_path)
    pd.testing.assert_frame_equal(cells, CELLS)


@pytest.mark.parametrize("name", ["NA", "null", "nan", "None", "n/a", "NULL", "2024", "1e3", "08"])
def test_a_row_may_be_called_like_a_missing_value_or_a_number(name: str, tmp_path: Path) -> None:
    cells = CELLS.assign(row=name, table=name)
    write_csv_file(tmp_path, "cells", cells)
    pd.testing.assert_frame_equal(read_cells(tmp_path), cells)


def test_a_table_has_a_file_of_its_own(tmp_path: Path) -> None:
    write_csv_file(tmp_path, "table_cells", CELLS, table="table1")
    assert csv_path(tmp_path, "table_cells", "table1") == tmp_path / "cells/table1.csv"
    assert len(read_csv_file(tmp_path, "table_cells", table="table1")) == 2


def test_runs_have_missing_integers_and_flags(tmp_path: Path) -> None:
    line: dict[str, Any] = dict.fromkeys(CSV_FILES["runs"].names)
    line |= dict.fromkeys(("dataset", "network", "objective", "recipe_hash", "precision"), "x")
    line |= {"generation": 0, "seed": 1000, "lineage_seed": 0, "parameters": 12}
    line |= dict.fromkeys(("model_sha256", "predictions_sha256"), "0")
    frame = pd.DataFrame([line | {"run": "a", "dirty": True}, line | {"run": "b", "threads": 2}])
    write_csv_file(tmp_path, "runs", frame)
    runs = read_runs(tmp_path)
    assert runs.index.tolist() == ["a", "b"]
    assert runs.loc["a", "dirty"]
    assert pd.isna(runs.loc["b", "dirty"])
    assert pd.isna(runs.loc["a", "threads"])
    assert (runs.loc["b", "threads"], runs.loc["b", "seed"]) == (2, 1000)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text[:-1], "damaged (empty or truncated)"),
        (lambda text: "", "damaged"),
        (lambda text: text.replace("seed", "sied"), "the columns are not table, row"),
        (
            lambda text: text.replace("1.25", "low"),
            "`value` has an entry that is not a valid number",
        ),
        (lambda text: text.replace("1.25", ""), "a line without `value`"),
        (
            lambda text: text.replace(",0,", ",0.5,"),
            "`seed` has an entry that is not a valid integer",
        ),
        (lambda text: text + text.splitlines()[1] + "\n", "table1, 1, teacher, 0 is listed twice"),
    ],
)
def test_a_damaged_file_is_one_line_that_says_what_to_do(
    damage: Callable[[str], str], says: str, tmp_path: Path
) -> None:
    write_csv_file(tmp_path, "cells", CELLS)
    file = tmp_path / "cells.csv"
    file.write_text(damage(file.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_cells(tmp_path, "build it again")
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert says in message
    assert message.endswith("build it again")
    assert message.isprintable()


def test_a_column_without_a_description_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="colour"):
        write_csv_file(tmp_path, "cells", CELLS.assign(colour="red"))


def test_every_key_is_made_of_columns_and_every_source_is_a_file() -> None:
    for name, description in CSV_FILES.items():
        assert set(description.key) <= set(description.names), name
        assert len(set(description.names)) == len(description.names), name
        assert set(description.from_files) <= set(CSV_FILES), name
        assert description.from_runs or description.from_files, name


def test_members_of_an_ensemble() -> None:
    assert split_members(join_members(["a", "b"])) == ["a", "b"]
    assert split_members("a") == ["a"]
