"""A run's ``history.csv``: one line of metrics per epoch."""

from collections.abc import Sequence
from pathlib import Path

from replication.files import write_text

EpochMetrics = dict[str, float | int | None]
"""The metrics of one epoch by column name; None where an epoch lacks one."""


def write_history(file: Path, history: Sequence[EpochMetrics]) -> None:
    """Write one line per epoch, or per other entry; missing metrics are left empty.

    Raises:
        InputError: the file cannot be written.
    """
    columns = list(history[0])
    lines = [[_cell(metrics[column]) for column in columns] for metrics in history]
    write_text(file, "".join(",".join(line) + "\n" for line in [columns, *lines]))


def _cell(value: float | int | None) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
