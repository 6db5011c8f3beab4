"""The csv files in a run's folder: ``history.csv`` and ``confidence_weights.csv``."""

from collections.abc import Sequence
from pathlib import Path

from replication.files import write_text

EpochMetrics = dict[str, float | int | None]
"""The metrics of one epoch by column name; None where an epoch lacks one."""
WeightPercentiles = dict[str, float | int]
"""One percentile of the weights that a run gives its samples, by `WEIGHT_COLUMNS`."""
WEIGHT_COLUMNS = ["percent", "max", "true_class"]


def write_history(file: Path, history: Sequence[EpochMetrics]) -> None:
    """Write one line per epoch; missing metrics are left empty.

    Raises:
        InputError: the file cannot be written.
    """
    _write(file, list(history[0]), history)


def write_confidence_weights(file: Path, percentiles: Sequence[WeightPercentiles]) -> None:
    """Write one line per percentile; none for a run that does not weight its samples.

    Every run has the file, so that the workflow can expect it.

    Raises:
        InputError: the file cannot be written.
    """
    _write(file, WEIGHT_COLUMNS, percentiles)


def _write(
    file: Path,
    columns: Sequence[str],
    lines: Sequence[EpochMetrics] | Sequence[WeightPercentiles],
) -> None:
    texts = [[_format(line[column]) for column in columns] for line in lines]
    write_text(file, "".join(",".join(line) + "\n" for line in [columns, *texts]))


def _format(value: float | int | None) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
