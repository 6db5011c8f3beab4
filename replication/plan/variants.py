"""The variants of tables: the same runs with another network, recipe or decision."""

from collections.abc import Mapping
from pathlib import Path

from replication.config.paper_tables import TableSpec
from replication.config.scale import Scale, check_scale
from replication.config.yaml_model import merge, multiply
from replication.errors import InputError

VARIED = ("networks", "images", "language", "decisions")
"""Keys of a scale that a variant can change."""


def complete_variants(
    specs: Mapping[str, TableSpec], scale: Scale, files: Mapping[str, Path]
) -> dict[str, Scale]:
    """Each variant of the tables as a complete scale, by name.

    A variant that changes nothing at this scale is left out, so that it shares the scale's runs.
    ``files`` are those of the tables, for messages.

    Raises:
        InputError: a variant changes a key that all runs of a scale share, it has a wrong value, or
            two tables have different variants of one name.
    """
    complete: dict[str, Scale] = {}
    config = scale.model_dump(mode="json")
    for name, spec in specs.items():
        for variant, changes in spec.variants.items():
            source = f"{files[name]}: variant `{variant}`"
            values = {key: value for key, value in changes.items() if key != "multiply"}
            if fixed := [key for key in values if key not in VARIED]:
                raise InputError(
                    f"{source}: `{fixed[0]}` is the same for all runs of a scale; a variant can"
                    f" only change {', '.join(VARIED)}"
                )
            try:
                varied = {key: config[key] for key in VARIED}
                multiplied = multiply(varied, changes.get("multiply", {}))
            except InputError as error:
                raise InputError(f"{source}: `multiply`: {error}") from None
            changed = check_scale(merge(config, merge(multiplied, values)), source)
            if complete.setdefault(variant, changed) != changed:
                raise InputError(
                    f"{source}: another table has a different variant of this name; rename one"
                )
    return {variant: changed for variant, changed in complete.items() if changed != scale}
