"""A part of a plan: some of its tables, rows or seeds, or others than the scale names."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from replication.config.scale import check_scale, read_config
from replication.errors import InputError
from replication.plan.plan import RESULTS, Plan

MANY = 10_000
"""Longest range that is no slip of the keyboard."""


def read_part(
    files: Sequence[Path],
    tables: str | None = None,
    rows: str | None = None,
    seeds: str | None = None,
    root: Path = RESULTS,
) -> Plan:
    """Plan a scale as `Plan.read`, with these tables, rows and seeds instead of its own.

    Each is a list with commas: tables by name or number, rows by name with ``*`` for any text,
    seeds as numbers and ranges such as ``0-19``.

    Raises:
        InputError: as ``Plan.read``; no row is called so; or seeds are no numbers.
    """
    config = read_config(files)
    if tables:
        config["tables"] = [table_name(name) for name in _listed(tables)]
    if seeds:
        config["seeds"] = parse_numbers("--seeds", seeds)
    source = " + ".join(map(str, files)) or "default scale"
    plan = Plan.make(check_scale(config, source), root=root)
    return _with_rows(plan, _listed(rows)) if rows else plan


def table_name(name: str) -> str:
    """A table by its number in the paper or by its name."""
    return f"table{name}" if name.isdigit() else name


def parse_numbers(option: str, text: str) -> list[int]:
    """Numbers and ranges, both ends included, each once: ``0-4,7``; ``option`` is what has them.

    Raises:
        InputError: it is something else, or nothing.
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part.strip())
        numbers = range(int(match[1]), int(match[2] or match[1]) + 1) if match else range(0)
        if not 0 < len(numbers) <= MANY:
            raise InputError(f"{option} {text}: numbers and ranges are wanted, such as 0-4,7")
        found += numbers
    return list(dict.fromkeys(found))


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _with_rows(plan: Plan, patterns: Sequence[str]) -> Plan:
    names = dict.fromkeys(cell.row for cell in plan.cells)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"--rows {pattern}: no such row; there are: {', '.join(names)}")
    cells = tuple(
        cell for cell in plan.cells if any(fnmatchcase(cell.row, pattern) for pattern in patterns)
    )
    wanted = {
        member.id: member for cell in cells for run in cell.runs() for member in (*run.lineage, run)
    }
    runs = {name: run for name, run in plan.runs.items() if name in wanted}
    return replace(plan, cells=cells, runs=runs)
