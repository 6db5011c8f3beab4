"""Merges scale files: a later one overrides an earlier one."""

from collections.abc import Mapping
from typing import Any

from replication.config.yaml_model import merge
from replication.data.specs import TEXT_DATASETS

PLACES_OF_DATA = ("folder", "npz", "torchvision", "text")
"""Keys that say where data of one's own are, each for a different kind of data set."""


def merge_scales(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two scales key by key; a data set of another kind replaces the whole entry.

    So ``datasets: {cifar100: {folder: …}}`` can replace a data set that the base gives by its name,
    whose other keys may have no meaning for images of one's own.
    """
    merged = merge(base, override)
    before, after = base.get("datasets"), override.get("datasets")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for role, entry in after.items():
            kind = _kind_of_entry(entry)
            if kind and kind != _kind_of_entry(before.get(role)):
                merged["datasets"][role] = entry
    return merged


def _kind_of_entry(entry: object) -> str | None:
    """The kind of a data set by its keys; None for an entry that only changes other keys."""
    if not isinstance(entry, Mapping):
        return None
    kinds = [key for key in (*PLACES_OF_DATA, "name") if key in entry]
    if kinds == ["name"]:
        return "text by name" if entry["name"] in TEXT_DATASETS else "images by name"
    return kinds[0] if kinds else None
