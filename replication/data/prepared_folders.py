"""Where prepared data lie: folders below ``<data_root>/prepared``, named after what is in them.

Importing this module loads no numpy, because Snakemake does so at every start.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from replication.data.specs import Source
from replication.errors import InputError


def expand_root(root: str | Path) -> Path:
    """The folder of all data sets, where ``~`` is a home; raises InputError for an unknown one."""
    try:
        return Path(root).expanduser()
    except RuntimeError as error:
        raise InputError(f"`data_root`: {root}: {error}; write the path out") from None


def own_folder(source: Source, root: Path) -> Path:
    """The folder of prepared images of one's own, in the folder of all data sets."""
    digest = hashlib.sha256(repr(_placed(source, root)).encode(errors="surrogateescape"))
    return root / "prepared" / f"{source.name}-{digest.hexdigest()[:12]}"


def used_folder(
    root: Path,
    name: str,
    sizes: Mapping[str, Any],
    evaluate_on: Literal["test", "validation"] = "test",
) -> Path:
    """The folder of a data set as a scale uses it, by what is chosen of which files.

    The arguments are those of `load`. Whether the files have changed since, only preparing the data
    again can tell; trainings use what was prepared.
    """
    chosen = name, sorted((key, _placed(value, root)) for key, value in sizes.items()), evaluate_on
    digest = hashlib.sha256(repr(chosen).encode(errors="surrogateescape")).hexdigest()[:12]
    return root / "prepared" / f"{name}-used-{digest}"


def _placed(value: Any, root: Path) -> Any:
    """A choice with the place of a source or file as seen from the folder of all data sets.

    So other files have others, and a study that is moved or copied with its data keeps its own.
    """
    if isinstance(value, Source) and value.kind != "torchvision":
        return replace(value, place=_seen_from(root, value.place))
    return _seen_from(root, value) if isinstance(value, Path) else value


def _seen_from(root: Path, place: str | Path) -> str:
    return os.path.relpath(os.path.abspath(place), os.path.abspath(root))
