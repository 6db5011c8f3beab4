"""Preparation of the data, the step before training: download, unpack, check, describe."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from replication.data.images import ImageData, load_images
from replication.data.specs import IMAGE_DATASETS
from replication.data.text import Corpus, load_corpus
from replication.errors import InputError


def load(
    name: str,
    root: str | Path,
    sizes: Mapping[str, int | None],
    evaluate_on: Literal["test", "validation"] = "test",
    download: bool = False,
) -> ImageData | Corpus:
    """Load a data set from a scale's `data_root`; ``sizes`` are arguments of its loading function.

    Raises:
        InputError: files are missing, damaged or cannot be downloaded, or the data set is smaller
            than requested.
    """
    try:
        root = Path(root).expanduser()
    except RuntimeError as error:
        raise InputError(f"`data_root`: {root}: {error}; write the path out") from None
    if name in IMAGE_DATASETS:
        return load_images(name, root, evaluate_on=evaluate_on, download=download, **sizes)
    return load_corpus(name, root, download=download, **sizes)


def describe(name: str, data: ImageData | Corpus) -> dict[str, Any]:
    """What a run records of its data: name, counts, and a SHA-256 of every item in order."""
    if isinstance(data, ImageData):
        return {
            "name": name,
            "classes": data.classes,
            "train": len(data.train.labels),
            "evaluation": len(data.evaluation.labels),
            "mean": data.mean,
            "std": data.std,
            "sha256": data.fingerprint,
        }
    return {
        "name": name,
        "words": len(data.vocabulary),
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
        "sha256": data.fingerprint,
    }


def prepare(
    name: str,
    root: str | Path,
    sizes: Mapping[str, int | None],
    evaluate_on: Literal["test", "validation"] = "test",
) -> dict[str, Any]:
    """Download and unpack a data set where it is missing, check it, and describe it.

    Processes that prepare the same data set wait for each other.

    Raises:
        InputError: as `load`.
    """
    return describe(name, load(name, root, sizes, evaluate_on, download=True))
