"""Intervals of the primary claims over test items, beside those over seeds.

All seeds share one test set, so that an interval over seeds says nothing about other items.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.analysis.measure import combine
from replication.analysis.statistics import CONFIDENCE
from replication.config.datasets import ImageDataset, OwnImages
from replication.config.paper_claims import CellKey, Claims
from replication.data.sampling import pair_items
from replication.errors import InputError
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.results.run_record import read_predictions

COLUMNS = ["claim", "items", "paired_difference", "item_low", "item_high"]
DRAWS = 1000


def items_of(plan: Plan, dataset: ImageDataset | OwnImages) -> tuple[int, NDArray[np.int64]]:
    """How many single test items a data set has, and those of each test image: (1 or 2, n)."""
    evaluate_on, root = plan.scale.evaluate_on, plan.scale.data_root
    spec = dataset.spec(evaluate_on, root)
    if not spec.pairs:
        return spec.test, np.arange(spec.test)[None]
    single = dataset.model_copy(update={"test": None}).spec(evaluate_on, root)
    return single.test, pair_items(single.test, spec.test).numpy()


def bootstrap(
    values: NDArray[np.float64], items: NDArray[np.int64], total: int
) -> tuple[float, float]:
    """The 95 % percentile interval of the mean of n images' values, by resampling single items.

    An image counts as often as its items are drawn together; ``items`` is (1 or 2, n), below
    ``total``. Pairs that share an item are therefore not taken for independent.
    """
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(total, np.full(total, 1 / total), DRAWS)
    weights = np.prod([drawn[:, part] for part in items], axis=0)
    means = (weights @ values) / weights.sum(1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def item_intervals(plan: Plan, claims: Claims) -> pd.DataFrame:
    """A line for each primary claim on images, by `COLUMNS`; NaN where runs are missing.

    The difference is the mean over seeds of that between a student and its own teacher, in points.
    """
    cells = {(cell.table, cell.row, cell.column): cell for cell in plan.cells}
    wrong: dict[CellKey, NDArray[np.float64]] = {}
    lines = []
    for name in filter(claims.file.is_primary, claims.file.claims):
        contrast = claims.file.claims[name].contrast()
        roles = claims.datasets(contrast)
        dataset = plan.scale.datasets.get(min(roles))
        if len(roles) > 1 or not isinstance(dataset, ImageDataset | OwnImages):
            continue
        line: dict[str, object] = {"claim": name}
        lines.append(line)
        total, items = items_of(plan, dataset)
        try:
            for key in contrast:
                if key not in cells:
                    raise InputError(f"no cell {' / '.join(key)} at this scale")
                if key not in wrong:
                    wrong[key] = _wrong(plan, cells[key])
                if len(wrong[key]) != items.shape[-1]:
                    raise InputError(f"{' / '.join(key)}: predictions of another test set")
        except InputError:
            continue  # As empty cells, which have their reason below the table.
        values = np.asarray(sum(weight * wrong[key] for key, weight in contrast.items()))
        interval = bootstrap(values, items, total)
        line |= zip(COLUMNS[1:], (total, values.mean(), *interval), strict=True)
    return pd.DataFrame(lines, columns=COLUMNS)


def _wrong(plan: Plan, cell: Cell) -> NDArray[np.float64]:
    """How often each test image is classified wrongly, in percent of the seeds: (n,)."""
    found = []
    for members in cell.members.values():
        predictions = [read_predictions(plan.folder(run)) for run in members]
        mean = combine(np.stack([it["logits"] for it in predictions]), cell.average)
        found.append(mean.argmax(-1).numpy() != predictions[0]["labels"])
    return np.asarray(100 * np.mean(found, axis=0))
