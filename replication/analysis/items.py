"""Intervals of the primary claims over test items, beside those over seeds.

All seeds share one test set, so an interval over seeds says nothing about other items. Which items
each cell classifies correctly is recorded in ``correct.safetensors``; no predictions are needed.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.analysis.statistics import CONFIDENCE
from replication.config.claim_specs import CellKey, Weights
from replication.config.datasets import ImageDataset, OwnImages
from replication.config.paper_claims import Claims
from replication.config.scale import Scale
from replication.data.sampling import pair_items
from replication.results.correctness import Correctness
from replication.results.schema import CSV_FILES

DRAWS = 1000
"""Number of bootstrap resamples."""

CorrectBySeed = Mapping[CellKey, Mapping[int, NDArray[np.bool_]]]
"""Which test images (n,) a cell classifies correctly, by cell and seed."""


def items_of(
    scale: Scale, dataset: ImageDataset | OwnImages, images: int
) -> tuple[int, NDArray[np.int64]]:
    """How many single test items there are, and those of each test image: (1 or 2, images).

    Every image is an item of its own, unless the data set puts two items side by side.
    """
    if not isinstance(dataset, ImageDataset) or not dataset.spec(scale.evaluate_on).pairs:
        return images, np.arange(images)[None]
    single = dataset.model_copy(update={"test": None}).spec(scale.evaluate_on)
    return single.test, pair_items(single.test, images).numpy()


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


def difference_by_item(contrast: Weights, correct: CorrectBySeed) -> NDArray[np.float64] | None:
    """The weighted sum of cells' errors for each test image (n,), in percent, over the seeds.

    It is the mean over the seeds that all of the cells have, of each student with its own teacher.
    None where the cells have no seed in common, or different test images.
    """
    by_seed = [correct.get(cell, {}) for cell in contrast]
    common = sorted(set.intersection(*({*seeds} for seeds in by_seed)))
    sizes = {len(bits) for seeds in by_seed for bits in seeds.values()}
    if not common or len(sizes) > 1:
        return None
    wrong = [100 * np.mean([~seeds[seed] for seed in common], axis=0) for seeds in by_seed]
    return np.asarray(np.array([*contrast.values()]) @ wrong)


def item_intervals(scale: Scale, claims: Claims, correctness: Correctness) -> pd.DataFrame:
    """A line of ``claims_items.csv`` for each primary claim on errors of image networks.

    The difference is the mean over seeds of that between a student and its own teacher, in points.
    It is NaN where cells are not measured.

    Args:
        scale: what stands in for the paper's data sets.
        claims: the claims of the scale.
        correctness: which test images each cell classifies correctly, by cell and seed.
    """
    correct: dict[CellKey, dict[int, NDArray[np.bool_]]] = {}
    for (table, row, column, seed), bits in correctness.items():
        correct.setdefault((table, row, column), {})[seed] = bits
    lines = []
    for name in filter(claims.file.is_primary, claims.file.claims):
        if claims.file.claims[name].metric:
            continue
        contrast = claims.file.claims[name].contrast()
        roles = claims.datasets(contrast)
        dataset = scale.datasets.get(roles[0])
        if len(roles) > 1 or not isinstance(dataset, ImageDataset | OwnImages):
            continue
        line: dict[str, object] = {"claim": name}
        lines.append(line)
        values = difference_by_item(contrast, correct)
        if values is None:
            continue
        total, items = items_of(scale, dataset, len(values))
        low, high = bootstrap(values, items, total)
        line |= {"items": total, "paired_difference": values.mean()}
        line |= {"item_low": low, "item_high": high}
    return pd.DataFrame(lines, columns=CSV_FILES["claims_items"].names)
