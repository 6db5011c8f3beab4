"""Any data set by name: loaded, and where that is allowed downloaded first; and described."""

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
    sizes: Mapping[str, Any],
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
    own_text = sizes.get("file") is not None
    if "source" in sizes or (name in IMAGE_DATASETS and not own_text):
        return load_images(name, root, evaluate_on=evaluate_on, download=download, **sizes)
    return load_corpus(name, root, download=download, **sizes)


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
