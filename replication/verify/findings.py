"""What a check of results has found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Records = Mapping[str, Mapping[str, Any]]
"""The records that could be read, by the ids of their runs."""


@dataclass
class Findings:
    """What does not fit, what a reader should know, and how much was looked at."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    runs: int = 0
    cells: int = 0
    tables: int = 0

    @property
    def counted(self) -> str:
        """How much was looked at, in words."""
        return f"{self.runs} runs, {self.cells} numbers of cells.csv, {self.tables} tables checked"


def within(value: object, *keys: str) -> Any:
    """What stands in a record under keys, or None where somebody wrote something else there."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
