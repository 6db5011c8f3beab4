"""What a check of results has found."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from replication.errors import InputError

Records = Mapping[str, Mapping[str, Any]]
"""The readable records, by run id."""

# Relative tolerance for errors and perplexities, computed from predictions again.
CLOSE = 1e-6


@dataclass
class Findings:
    """Problems, remarks for the reader, and how much was checked."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    runs: int = 0
    cells: int = 0
    tables: int = 0

    @property
    def counted(self) -> str:
        """How much was checked, in words."""
        return f"{self.runs} runs, {self.cells} numbers of cells.csv, {self.tables} tables checked"

    @contextmanager
    def noting(self, where: str = "") -> Iterator[None]:
        """Note an `InputError` of a check as a problem and go on."""
        try:
            yield
        except InputError as problem:
            self.problems.append(f"{where}{problem}")


def nested(value: object, *keys: str) -> Any:
    """The value under nested keys of a record, or None if one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
