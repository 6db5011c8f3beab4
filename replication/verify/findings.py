"""What a check of results has found."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from replication.errors import InputError
from replication.wording import counted

Records = Mapping[str, Mapping[str, Any]]
"""The readable records, by run id."""
Check = Literal["recomputed", "checked against its checksum"]
"""How a file was checked: computed again from runs or csv files, or compared with a manifest."""

CLOSE = 1e-9
"""Tolerance, relative and absolute, of numbers that another version of SciPy computes again."""

UNIFORM = {
    "precision": "precision",
    "device": "device",
    "threads": "threads",
    "torch": "torch",
    "commit of the code": "commit",
}
"""What all runs of a scale should have in common, and its column in ``runs.csv``."""


@dataclass
class Findings:
    """Problems, notes for the reader, how each file was checked, and how much was checked.

    ``checks`` has the files of the results folder by their paths relative to it. ``runs`` counts
    runs, ``cells`` lines of ``cells.csv``, ``tables`` tables, and ``recomputed_runs`` the runs
    whose networks were run on the data again.
    """

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    checks: dict[str, Check] = field(default_factory=dict)
    runs: int = 0
    cells: int = 0
    tables: int = 0
    recomputed_runs: int = 0

    @property
    def summary(self) -> str:
        """How much was checked, in words."""
        runs, numbers = counted(self.runs, "run"), counted(self.cells, "number")
        text = f"{runs}, {numbers} of cells.csv, {counted(self.tables, 'table')} checked"
        if self.recomputed_runs:
            share = (
                f"{counted(self.recomputed_runs, 'run')} ({self.recomputed_runs / self.runs:.0%})"
            )
            text += f", predictions of {share} recomputed"
        return text

    @contextmanager
    def noting(self, place: str = "") -> Iterator[None]:
        """Note an `InputError` of a check as a problem and go on; ``place`` is put before it.

        What several checks meet is noted once.
        """
        try:
            yield
        except InputError as problem:
            if (line := f"{place}{problem}") not in self.problems:
                self.problems.append(line)

    def mark(self, file: Path, check: Check) -> None:
        """Record how a file, relative to the results folder, was checked; recomputing counts more.

        A file that was computed again and also has a checksum counts as computed again.
        """
        if self.checks.get(file.as_posix()) != "recomputed":
            self.checks[file.as_posix()] = check

    def files_by_check(self) -> dict[Check, str]:
        """The files that were checked in each way, in words."""
        files: dict[Check, list[str]] = {"recomputed": [], "checked against its checksum": []}
        for name, check in self.checks.items():
            files[check].append(name)
        return {check: describe_files(names) for check, names in files.items() if names}


def describe_files(names: Iterable[str]) -> str:
    """Names of files in a short form, such as ``tables/table2.{csv,md}``.

    The folders of runs are counted instead of named.
    """
    endings: dict[str, list[str]] = defaultdict(list)
    files_of_runs: Counter[str] = Counter()
    for name in sorted(names):
        stem, dot, ending = name.rpartition(".")
        if name.startswith("runs/"):
            files_of_runs[Path(name).name] += 1
        elif dot and "/" not in ending:
            endings[stem].append(ending)
        else:
            endings[name].append("")
    parts = [
        stem if ends == [""] else f"{stem}.{ends[0]}" if len(ends) == 1 else _braces(stem, ends)
        for stem, ends in endings.items()
    ]
    parts += [f"{count} of runs/**/{name}" for name, count in sorted(files_of_runs.items())]
    return ", ".join(parts)


def _braces(stem: str, endings: Iterable[str]) -> str:
    return f"{stem}.{{{','.join(endings)}}}"


def nested(value: object, *keys: str) -> Any:
    """The value under nested keys of a record, or None if one of them is missing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def differing_values(
    stored: object, expected: object, path: str = ""
) -> Iterator[tuple[str, object, object]]:
    """Where nested plain values differ: path, stored value, expected value; None for a gap."""
    if isinstance(stored, Mapping) and isinstance(expected, Mapping):
        for key in dict.fromkeys((*expected, *stored)):
            inner = f"{path}.{key}" if path else str(key)
            yield from differing_values(stored.get(key), expected.get(key), inner)
    elif not _same(stored, expected):
        yield path, stored, expected


def _same(stored: object, expected: object) -> bool:
    if isinstance(stored, int | float) and isinstance(expected, int | float):
        return bool(np.isclose(stored, expected, rtol=CLOSE, atol=CLOSE, equal_nan=True))
    return stored == expected


def remark_on_differences(runs: pd.DataFrame, findings: Findings) -> None:
    """Remark where the runs of ``runs.csv`` were not trained alike.

    They should have the same precision, device, threads, version of PyTorch and commit.
    """
    for description, column in UNIFORM.items():
        counts = runs[column].astype(object).fillna("unknown").map(str).value_counts()
        if len(counts) > 1:
            parts = ", ".join(f"{count} with {value}" for value, count in counts.items())
            findings.remarks.append(f"runs differ in {description}: {parts}")
    dirty = int(runs["dirty"].astype("boolean").fillna(False).sum())
    if dirty:
        findings.remarks.append(f"{counted(dirty, 'run')} trained with uncommitted code")
