"""What a claim was tested on, in words that are made from the data sets of the scale."""

from collections.abc import Iterable, Mapping

from replication.config.datasets import AnyDataset, ImageDataset, OwnImages, TextDataset
from replication.config.scale import Scale


def describe_data_sets(scale: Scale) -> dict[str, str]:
    """What stands in for each of the paper's data sets at a scale, in plain words.

    For example ``pairs of Fashion-MNIST items, 7×14 pixels``. Made from the scale alone, without
    the data, so that a publication can be checked anywhere.
    """
    return {role: _describe(dataset, scale) for role, dataset in scale.datasets.items()}


def _describe(dataset: AnyDataset, scale: Scale) -> str:
    """A data set's name, with the size of its images or the number of its training words."""
    if isinstance(dataset, ImageDataset):
        image_spec = dataset.spec(scale.evaluate_on)
        _, height, width = image_spec.shape
        return f"{image_spec.label}, {height}×{width} pixels"
    if isinstance(dataset, TextDataset):
        text_spec = dataset.spec(scale.evaluate_on)
        return f"{text_spec.label}, {text_spec.train:,} words for training"
    if isinstance(dataset, OwnImages) and dataset.size:
        height, width = (side // dataset.pool for side in dataset.size)
        return f"{dataset.name}, {height}×{width} pixels"
    return dataset.name


def tested_on(data_sets: Mapping[str, str], roles: Iterable[str]) -> str:
    """What a claim on these data sets of the paper was tested on; their names if unknown."""
    return " and ".join(data_sets.get(role, role) for role in roles)
