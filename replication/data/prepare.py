"""Any data set by name: loaded, and where that is allowed downloaded first; and described."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from replication.data.images import ImageData, load_images
from replication.data.specs import IMAGE_DATASETS, expand_root
from replication.data.text import Corpus, load_corpus


def load(
    name: str,
    root: str | Path,
    sizes: Mapping[str, Any],
    evaluate_on: Literal["test", "validation"] = "test",
    download: bool = False,
) -> ImageData | Corpus:
    """Load a data set from a scale's `data_root`; ``sizes`` are arguments of its loading function.

    Raises:
        InputError: files are missing, damaged or cannot be downloaded, or the data set is smaller
            than requested.
    """
    root = expand_root(root)
    own_text = sizes.get("file") is not None
    if "source" in sizes or (name in IMAGE_DATASETS and not own_text):
        return load_images(name, root, evaluate_on=evaluate_on, download=download, **sizes)
    return load_corpus(name, root, download=download, **sizes)


def remark_on(name: str, data: ImageData | Corpus) -> list[str]:
    """What is unusual in a data set and its owner should know, each in a sentence on one line."""
    if not isinstance(data, ImageData):
        return []
    return [
        f"{name}: channel {number + 1} of {data.channels} is {data.mean[number]:.3g} in every pixel"
        " of every training image, so it is not scaled and carries nothing to learn from; you may"
        " want to leave it out"
        for number in data.constant_channels
    ]


def describe(name: str, data: ImageData | Corpus) -> dict[str, Any]:
    """What a run records of its data: name, counts, and a SHA-256 of every item in order."""
    counts: dict[str, Any]
    if isinstance(data, ImageData):
        parts = {"train": len(data.train.labels), "evaluation": len(data.evaluation.labels)}
        counts = {"classes": data.classes, **parts, "mean": data.mean, "std": data.std}
    else:
        streams = {part: len(getattr(data, part)) for part in ("train", "validation", "test")}
        counts = {"words": len(data.vocabulary), **streams}
    return {"name": name, **counts, "sha256": data.fingerprint}
