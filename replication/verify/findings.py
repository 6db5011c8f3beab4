"""What a check of results has found."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from replication.errors import InputError

Records = Mapping[str, Mapping[str, Any]]
"""The readable records, by run id."""

CLOSE = 1e-9
"""Tolerance, relative and absolute, of numbers that another version of SciPy computes again."""


UNIFORM = {
    "precision": ("precision",),
    "device": ("device",),
    "threads": ("threads",),
    "torch": ("versions", "torch"),
    "commit of the code": ("code", "commit"),
}
"""What all runs of a scale should have in common, and where a record has it."""


@dataclass
class Findings:
    """Problems, remarks for the reader, and how much was checked."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    runs: int = 0
    cells: int = 0
    tables: int = 0
    recomputed: int = 0

    @property
    def counted(self) -> str:
        """How much was checked, in words."""
        checked = (
            f"{self.runs} runs, {self.cells} numbers of cells.csv, {self.tables} tables checked"
        )
        return checked + f", predictions of {self.recomputed} runs recomputed" * bool(
            self.recomputed
        )

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


def differences(
    found: object, wanted: object, path: str = ""
) -> Iterator[tuple[str, object, object]]:
    """Where nested plain values differ: path, value found, value wanted; None where it has none."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        for key in dict.fromkeys((*wanted, *found)):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(found.get(key), wanted.get(key), inner)
    elif not _same(found, wanted):
        yield path, found, wanted


def _same(found: object, wanted: object) -> bool:
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return bool(np.isclose(found, wanted, rtol=CLOSE, atol=CLOSE, equal_nan=True))
    return found == wanted


def remark_on_differences(records: Records, found: Findings) -> None:
    """Remark where runs were not trained with the same code on the same kind of machine."""
    for what, keys in UNIFORM.items():
        count = Counter(str(nested(record, *keys)) for record in records.values())
        if len(count) > 1:
            parts = ", ".join(f"{n} with {value}" for value, n in count.items())
            found.remarks.append(f"runs differ in {what}: {parts}")
    dirty = sum(bool(nested(record, "code", "dirty")) for record in records.values())
    if dirty:
        found.remarks.append(f"{dirty} runs were trained with uncommitted code")
