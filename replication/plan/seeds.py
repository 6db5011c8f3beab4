"""Checks that the seeds of a plan are independent: that no run serves two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from replication.config.paper_tables import TableSpec
from replication.errors import InputError
from replication.plan.cells import Cell
from replication.plan.run import Run


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
                f" {files[other.cell.table]}, so that seeds are not independent; the smallest"
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
