"""What a publication keeps of a study, so that it can be planned where the study is not.

The folder ``study`` of a publication holds its tables, claims and objectives, and a file that
describes what is too large to be published: weights from elsewhere, and data of one's own.
"""

import json
from pathlib import Path
from typing import Any

from replication.config.datasets import AnyDataset, OwnImages, OwnText, Part
from replication.data.prepared import used
from replication.data.specs import ImageSpec, TextSpec
from replication.files import JSON_ERRORS

STUDY = "study"
"""The folder of a publication with the files of its study."""
DESCRIPTIONS = "descriptions.json"
"""The file in it that describes weights by their path, files that networks start from by
`initial_weights.initial_key`, and data sets by their name."""


def described(study: Path | None, kind: str, key: str) -> Any:
    """What a publication says of weights or data; None if it says nothing or is no publication.

    ``kind`` is ``weights``, ``initial_weights`` or ``datasets``.
    """
    try:
        content = json.loads(((study or Path()) / DESCRIPTIONS).read_text(encoding="utf-8"))
        return content[kind].get(key)
    except JSON_ERRORS:
        return None


def describe_dataset_spec(spec: ImageSpec | TextSpec) -> dict[str, Any]:
    """The sizes of a whole data set, for `described_spec`."""
    if isinstance(spec, TextSpec):
        parts = {"train": spec.train, "validation": spec.validation, "test": spec.test}
        return {"words": spec.words, **parts}
    return {
        "classes": spec.classes,
        "shape": list(spec.shape),
        "train": spec.train,
        "test": spec.test,
    }


def described_spec(
    study: Path | None, dataset: AnyDataset, evaluate_on: Part
) -> ImageSpec | TextSpec | None:
    """The sizes of data of one's own, as they are used, by what a publication says of them."""
    sizes = described(study, "datasets", dataset.name)
    try:
        if isinstance(dataset, OwnText):
            return TextSpec(dataset.name, "", **sizes)
        if isinstance(dataset, OwnImages):
            channels, height, width = sizes["shape"]
            counts = {key: sizes[key] for key in ("classes", "train", "test")}
            whole = ImageSpec(dataset.name, "", shape=(channels, height, width), **counts)
            chosen = {key: dataset.sizes[key] for key in ("train", "test", "pool", "balanced")}
            return used(whole, evaluate_on=evaluate_on, **chosen)
    except (LookupError, TypeError, ValueError):
        pass
    return None
