"""A plan for chosen tables, rows and seeds."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from replication.errors import InputError
from replication.plan.plan import RESULTS, Plan

LONGEST_RANGE = 10_000
"""Longest range of seeds; a longer one is a typo."""


def read_part(
    files: Sequence[Path],
    tables: str | None = None,
    rows: str | None = None,
    seeds: str | None = None,
    root: Path = RESULTS,
) -> Plan:
    """Plan a scale like `Plan.read`, with these tables, rows and seeds instead of its own.

    Each is a comma-separated list: tables by name or number, rows by name with ``*`` for any text,
    seeds as numbers and ranges such as ``0-19``.

    Raises:
        InputError: a file is wrong, or there is no such table, row or seed.
    """
    keys: dict[str, Any] = {}
    if tables:
        keys["tables"] = [full_table_name(name) for name in _listed(tables)]
    if seeds:
        keys |= {"seeds": parse_numbers("--seeds", seeds), "table_seeds": {}, "row_seeds": {}}
    plan = Plan.read(files, root=root, keys=keys)
    return _with_rows(plan, _listed(rows), keys.get("tables", [])) if rows else plan


def full_table_name(name: str) -> str:
    """A table by its number in the paper or by its name."""
    return f"table{name}" if name.isdigit() else name


def parse_numbers(option: str, text: str) -> list[int]:
    """Parse numbers and inclusive ranges such as ``0-4,7``; an error names the ``option``."""
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part.strip())
        part_numbers = range(int(match[1]), int(match[2] or match[1]) + 1) if match else range(0)
        if not 0 < len(part_numbers) <= LONGEST_RANGE:
            raise InputError(f"{option} {text}: give numbers and ranges such as 0-4,7")
        numbers += part_numbers
    return list(dict.fromkeys(numbers))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _with_rows(plan: Plan, patterns: Sequence[str], named_tables: Sequence[str]) -> Plan:
    """The plan of the rows that match; each pattern and each named table has at least one."""
    names = dict.fromkeys(cell.row for cell in plan.cells)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"--rows {pattern}: no such row; available: {', '.join(names)}")
    cells = tuple(
        cell for cell in plan.cells if any(fnmatchcase(cell.row, pattern) for pattern in patterns)
    )
    for table in named_tables:
        if not any(cell.table == table for cell in cells):
            of_table = dict.fromkeys(cell.row for cell in plan.cells if cell.table == table)
            raise InputError(
                f"--rows {','.join(patterns)}: no row of {table} matches; available:"
                f" {', '.join(of_table)}"
            )
    needed = {run.id for cell in cells for run in cell.needed()}
    runs = {name: run for name, run in plan.runs.items() if name in needed}
    return replace(plan, cells=cells, runs=runs)
