"""Damaged cells, of one table and of all."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.project import CELLS, CLAIMS, Project, binary, replace


def of_another_version(file: Path) -> None:
    file.write_text("table,row\n", encoding="utf-8")


def with_a_text_for_a_value(file: Path) -> None:
    replace(file, r"\d+\.\d+", "low")


def with_a_line_twice(file: Path) -> None:
    replace(file, r"(small.*\n)", r"\1\1")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (Path.unlink, "no such file"),
        (binary, "damaged"),
        (of_another_version, "the columns are not table, row"),
        (with_a_text_for_a_value, ""),
    ],
    ids=["missing", "binary", "version", "text"],
)
@pytest.mark.parametrize(
    ("name", "arguments"), [("cells/small.csv", CELLS), ("cells.csv", CLAIMS)], ids=["part", "all"]
)
def test_damaged_cells_are_refused(
    name: str,
    arguments: list[str],
    damage: Callable[[Path], object],
    says: str,
    project: Project,
) -> None:
    damage(project.results / name)
    project.refuses(arguments, f"{name}: {says}", "build it by running snakemake")


def test_a_cell_that_is_there_twice_is_refused(project: Project) -> None:
    with_a_line_twice(project.results / "cells.csv")
    project.refuses(CLAIMS, "cells.csv: damaged", "build it by running snakemake")
