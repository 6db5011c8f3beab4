"""Checks the seeds of a plan: that they are those of its tables and rows, and independent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from replication.config.paper_tables import TableSpec, find_tables
from replication.config.scale import Scale
from replication.errors import InputError
from replication.plan.cells import Cell
from replication.plan.run import Run


def check_seed_keys(scale: Scale, tables: Path) -> None:
    """Check that there is a table for each entry of ``table_seeds`` and ``row_seeds``.

    ``tables`` is the folder of the suite's tables.

    Raises:
        InputError: there is no such table.
    """
    for key in ("table_seeds", "row_seeds"):
        for name in getattr(scale, key):
            if not (find_tables(name, scale.study, tables) / f"{name}.yaml").is_file():
                raise InputError(
                    f"scale {scale.scale}: `{key}`: no table `{name}`; correct the name"
                )


def check_row_seeds(scale: Scale, name: str, table: TableSpec) -> None:
    """Check that a table has the rows whose seeds are given, and a row that is trained.

    Raises:
        InputError: there is no such row, or no row has a seed.
    """
    of_rows = scale.row_seeds.get(name, {})
    for row in of_rows:
        if row not in table.rows:
            raise InputError(
                f"scale {scale.scale}: `row_seeds.{name}`: no row `{row}`; available:"
                f" {', '.join(table.rows)}"
            )
    if not any(scale.seeds_of(name, row) for row in table.rows):
        raise InputError(
            f"scale {scale.scale}: `row_seeds.{name}`: no row has a seed; give one a seed, or"
            f" leave `{name}` out of `tables`"
        )


@dataclass(frozen=True)
class _Use:
    """A run as the cell that defines it uses it: for which seed, and with which offset."""

    cell: Cell
    run: Run
    seed: int
    offset: int


def check_seeds(
    cells: Sequence[Cell], tables: Mapping[str, TableSpec], files: Mapping[str, Path]
) -> None:
    """Check that every run serves one seed; ``files`` are those of the tables by name.

    With a ``seed_offset`` of 1, the run of seed 0 in one column would be the run of seed 1 in
    another. The numbers of different seeds would then depend on each other, although every
    interval and every test takes them as independent.

    Raises:
        InputError: a run serves two seeds; the line names both cells and the smallest offset that
            keeps them apart.
    """
    uses = [
        _Use(cell, run, seed, tables[cell.table].cell(cell.row, cell.column).seed_offset)
        for cell in cells
        if tables[cell.table].cell(cell.row, cell.column).objective
        for seed, (run,) in cell.members.items()
    ]
    by_run: dict[str, _Use] = {}
    for use in uses:
        first = by_run.setdefault(use.run.id, use)
        if first.seed != use.seed:
            moved, other = (use, first) if use.offset else (first, use)
            raise InputError(
                f"{files[moved.cell.table]}: cell `{moved.cell.row}` / `{moved.cell.column}`:"
                f" with its `seed_offset` of {moved.offset}, its run of seed {moved.seed} is the"
                f" run of seed {other.seed} of `{other.cell.row}` / `{other.cell.column}` in"
                f" {files[other.cell.table]}, so the seeds are not independent; the smallest"
                f" offset that works is {_smallest_offset(moved, uses)}"
            )


def _smallest_offset(moved: _Use, uses: Sequence[_Use]) -> int:
    """The smallest offset with which no other cell has a run of the moved cell."""
    treatment = replace(moved.run, seed=0)
    taken = {
        use.run.seed
        for use in uses
        if replace(use.run, seed=0) == treatment
        and (use.cell.table, use.cell.row, use.cell.column)
        != (moved.cell.table, moved.cell.row, moved.cell.column)
    }
    seeds = moved.cell.members
    return next(offset for offset in count(1) if taken.isdisjoint(seed + offset for seed in seeds))
