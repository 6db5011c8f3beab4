"""The spread over seeds that the cells of a table share, for intervals from few seeds.

Two seeds leave one degree of freedom in a cell, and an interval of nine standard deviations on
either side. The cells of a table are trained alike, so their residuals together tell the spread
of each of them. docs/explanation/statistics.md shows how often such intervals cover the
truth.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from replication.analysis.statistics import Spread, Summary, summarise, variance

FEW_SEEDS = 5
"""From this number of seeds on, a cell's interval rests on its own spread."""
LARGEST_RATIO = 2.0
"""Largest ratio between the spreads of kinds of networks that are pooled."""

OWN, POOLED, POOLED_BY_KIND = "own", "pooled", "pooled by kind"
SPREADS = (OWN, POOLED, POOLED_BY_KIND)
"""What the interval of a cell rests on."""


class Samples(NamedTuple):
    """The values of one cell by seed, with the kind of its networks, such as their family.

    ``is_one_run``: all seeds show the same run, as those of a teacher from elsewhere do. Such a
    cell has no spread over seeds, and lends none to others.
    """

    kind: str
    values: Mapping[int, float]
    is_one_run: bool = False


class SpreadInterval(NamedTuple):
    """The summary of a cell, and which of `SPREADS` its interval rests on."""

    summary: Summary[float]
    spread: str


def summarise_together(cells: Sequence[Samples]) -> list[SpreadInterval]:
    """Summarise cells of one table and one metric, in their order; each has at least one value.

    Cells with fewer than five seeds share one spread: the root of the sum of their squared
    residuals over the sum of their degrees of freedom. Where the spreads of two kinds of networks
    differ by more than a factor of two, every kind has its own. Cells with the same values, because
    they show the same runs, count once. A cell that shows one run at all seeds has no interval.
    """
    few = [cell for cell in cells if _is_few(cell)]
    distinct = {tuple(sorted(cell.values.items())): cell for cell in few}
    kinds = sorted({cell.kind for cell in few})
    by_kind = {
        kind: _pool([cell for cell in distinct.values() if cell.kind == kind]) for kind in kinds
    }
    stds = [spread.std for spread in by_kind.values()]
    separate = len(stds) > 1 and max(stds) > LARGEST_RATIO * min(stds)
    together = _pool(list(distinct.values()))
    described = []
    for cell in cells:
        values = list(cell.values.values())
        if not _is_few(cell):
            described.append(SpreadInterval(summarise(values), OWN))
            continue
        spread = by_kind[cell.kind] if separate else together
        word = POOLED_BY_KIND if separate else POOLED
        described.append(SpreadInterval(summarise(values, spread), word))
    return described


def _is_few(cell: Samples) -> bool:
    """Whether a cell has too few seeds for an interval of its own, and one to speak of."""
    return 1 < len(cell.values) < FEW_SEEDS and not cell.is_one_run


def _pool(cells: Sequence[Samples]) -> Spread:
    """The common spread of cells; NaN where none has two seeds."""
    counts = [len(cell.values) - 1 for cell in cells]
    squares = [
        count * float(variance(list(cell.values.values())))
        for cell, count in zip(cells, counts, strict=True)
    ]
    freedom = sum(counts)
    return Spread(float(np.sqrt(sum(squares) / freedom)) if freedom else np.nan, freedom)


def describe_spread(spreads: Iterable[object]) -> str | None:
    """The sentence below a table that says what its intervals rest on, if not on own spreads.

    ``spreads`` is the column ``spread`` of the table.
    """
    words = set(spreads)
    if POOLED_BY_KIND in words:
        among = "the cells of the table with networks of the same kind"
    elif POOLED in words:
        among = "all cells of the table"
    else:
        return None
    return (
        f"With fewer than {FEW_SEEDS} seeds, the intervals use the spread over seeds pooled over"
        f" {among}, for means and for differences."
    )
