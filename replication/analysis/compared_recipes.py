"""Checks that two folders of results were trained by the same recipes, before they are compared.

What counts is the recipe of every run behind a number, as ``runs.csv`` has it: not the keys of the
scale's file, of which many determine no result, such as the folder that the file lies in.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from replication.errors import InputError
from replication.files import JSON_ERRORS
from replication.plan.plan import MACHINE, SCALE_FILE
from replication.results.csv_columns import CELL_KEY
from replication.results.csv_files import split_members
from replication.wording import first_of

NO_RESULT = {
    *("scale", "folder", "tables", "seeds", "table_seeds", "row_seeds"),
    *("exceptions", "teacher_at_chance", "logit_cache_limit_gib"),
    *MACHINE,
}
"""Keys of a scale that determine no run's result, and so explain no difference."""
SHOWN_KEYS = 3
"""Differing keys that are listed by name."""

RecipeChain = tuple[str, ...]
"""The recipes of a run's lineage by their hashes, generation 0 first and the run itself last."""


def check_recipes(
    results: Path,
    published: Path,
    cells: tuple[pd.DataFrame, pd.DataFrame],
    runs: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """Check that the cells that two folders have in common come from the same recipes.

    ``cells`` and ``runs`` are the ``cells.csv`` and ``runs.csv`` of both, the latter by run.

    Raises:
        InputError: a cell comes from other recipes, or from other averages of an ensemble.
    """
    own_recipes, published_recipes = (
        recipes_by_cell(folder, of_cells, of_runs)
        for folder, of_cells, of_runs in zip((results, published), cells, runs, strict=True)
    )
    common = [cell for cell in own_recipes if cell in published_recipes]
    differing = [cell for cell in common if own_recipes[cell] != published_recipes[cell]]
    scales = _read_scale_keys(results), _read_scale_keys(published)
    averages = [keys.get("decisions.ensemble", "probabilities") for keys in scales]
    if not differing and averages[0] != averages[1]:
        differing = [
            cell for cell in common if any(len(members) > 1 for members in own_recipes[cell])
        ]
    if differing:
        raise InputError(
            f"{results}: {len(differing)} of {len(common)} cells come from recipes that differ from"
            f" those in {published}, such as {', '.join(differing[0])} ({_explanation(*scales)});"
            " compare results of the same recipes"
        )


def recipes_by_cell(
    folder: Path, cells: pd.DataFrame, runs: pd.DataFrame
) -> dict[tuple[str, str, str], set[tuple[RecipeChain, ...]]]:
    """The recipes behind each cell by table, row and column: over its seeds, of every member.

    Raises:
        InputError: ``runs.csv`` lacks a run that a cell or another run names.
    """
    teachers, hashes = dict(runs["teacher"]), dict(runs["recipe_hash"])

    def chain(run: str) -> RecipeChain:
        if run not in hashes:
            raise InputError(
                f"{folder / 'runs.csv'}: has no run {run}, which another line or cells.csv names;"
                " build both again"
            )
        teacher = teachers[run]
        chain_of_teacher = chain(teacher) if isinstance(teacher, str) else ()
        return (*chain_of_teacher, hashes[run])

    recipes: dict[tuple[str, str, str], set[tuple[RecipeChain, ...]]] = {}
    lines = cells[[*CELL_KEY, "run"]].itertuples(index=False, name=None)
    for table, row, column, members in lines:
        chains = tuple(chain(run) for run in split_members(members))
        recipes.setdefault((table, row, column), set()).add(chains)
    return recipes


def _read_scale_keys(folder: Path) -> dict[str, Any]:
    """The keys of a folder's scale by their dotted names; none where its file cannot be read."""
    try:
        content = json.loads((folder / SCALE_FILE).read_text(encoding="utf-8"))
        return dict(_flattened(content))
    except JSON_ERRORS:
        return {}


def _flattened(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _explanation(own: Mapping[str, Any], published: Mapping[str, Any]) -> str:
    """The keys in which two scales differ, for the message."""
    names = [
        f"`{key}`"
        for key in dict.fromkeys((*own, *published))
        if own.get(key) != published.get(key) and key.partition(".")[0] not in NO_RESULT
    ]
    if not names:
        return (
            "their scales are equal, so a table, an objective's source or the version of the code"
            " must differ"
        )
    return f"their scales differ in {first_of(names, SHOWN_KEYS)}"
