"""Any data set by name: read from its files, prepared as a scale uses it, and remarked on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from replication.data.images import ImageData
from replication.data.own_images import remark_on_source
from replication.data.prepared import expand_root, used_folder
from replication.data.specs import IMAGE_DATASETS
from replication.data.text import Corpus, load_corpus
from replication.data.used_images import load_images
from replication.data.write_prepared import store


def prepare(
    name: str,
    root: str | Path,
    sizes: Mapping[str, Any],
    evaluate_on: Literal["test", "validation"] = "test",
) -> ImageData | Corpus:
    """Download a data set where it is missing, and prepare it as a scale uses it.

    `prepared.load` with the same arguments then maps the arrays that this leaves.

    Raises:
        InputError: as `read`, or the arrays cannot be written.
    """
    data = read(name, root, sizes, evaluate_on, download=True)
    store(used_folder(expand_root(root), name, sizes, evaluate_on), data)
    return data


def read(
    name: str,
    root: str | Path,
    sizes: Mapping[str, Any],
    evaluate_on: Literal["test", "validation"] = "test",
    download: bool = False,
) -> ImageData | Corpus:
    """Read a data set from its own files; ``sizes`` are arguments of its loading function.

    Args:
        name: the name of the data set.
        root: a scale's `data_root`, the folder of all data sets.
        sizes: how much of it is used, and of data of one's own where they are.
        evaluate_on: the part on which networks are evaluated.
        download: whether missing files may be downloaded, and whole data sets prepared.

    Raises:
        InputError: files are missing, damaged or cannot be downloaded, or the data set is smaller
            than requested.
    """
    root = expand_root(root)
    own_text = sizes.get("file") is not None
    if "source" in sizes or (name in IMAGE_DATASETS and not own_text):
        return load_images(name, root, evaluate_on=evaluate_on, download=download, **sizes)
    return load_corpus(name, root, download=download, **sizes)


def remark_on(
    name: str, root: str | Path, sizes: Mapping[str, Any], data: ImageData | Corpus
) -> list[str]:
    """What is unusual in a data set, which its owner should know, each in a sentence on one line.

    Args:
        name: the name of the data set.
        root: a scale's `data_root`.
        sizes: how much of it is used, as in `read`.
        data: what was prepared.
    """
    if not isinstance(data, ImageData):
        return []
    of_source = remark_on_source(sizes["source"], expand_root(root)) if "source" in sizes else []
    return of_source + [
        f"{name}: channel {number + 1} of {data.channels} is {data.mean[number]:.3g} in every pixel"
        " of every training image, so it is not scaled and carries nothing to learn from; you may"
        " want to leave it out"
        for number in data.constant_channels
    ]
