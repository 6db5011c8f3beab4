"""The folders that are pooled: what each holds, and whether their runs are of one recipe."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Optional

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.analysis.collect import describe_planned_run
from replication.analysis.compared_recipes import NO_RESULT
from replication.config.scale import Scale, check_scale
from replication.errors import InputError
from replication.plan.plan import SCALE_FILE, Plan, read_scale
from replication.results.correctness import CORRECT, CellAndSeed, read_correctness
from replication.results.csv_columns import CELL_AND_SEED_KEY
from replication.results.csv_files import read_cells, read_csv_file, read_runs, split_members
from replication.verify.findings import differing_values
from replication.verify.planned_lines import (
    Key,
    find_planned_ids,
    keys_of,
    line_problems,
    planned_cells,
    planned_quality,
)

FINISH = "finish or publish these results again"
FREE = NO_RESULT - {"exceptions"}
"""Keys of a scale that may differ; exceptions decide which claims are tested."""


class RowAndSeed(NamedTuple):
    """A row of a table at one seed: what is taken as a whole from one folder."""

    table: str
    row: str
    seed: int


class Identity(NamedTuple):
    """A trained network: the planned run that it is, its bytes, and its teacher's identity."""

    planned: str
    model_sha256: str
    predictions_sha256: str
    teacher: Optional["Identity"]


def name_apart(identity: Identity) -> str:
    """An id for a second network of a planned run; the same network always gets the same."""
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:8]
    return f"{identity.planned}#{digest}"


@dataclass(frozen=True, eq=False)
class PooledFolder:
    """A folder of results or a publication with its plan and its csv files."""

    folder: Path
    plan: Plan
    runs: pd.DataFrame
    cells: pd.DataFrame
    quality: pd.DataFrame
    reliability: pd.DataFrame
    correctness: dict[CellAndSeed, NDArray[np.bool_]] | None

    @cached_property
    def identities(self) -> dict[str, Identity]:
        """The network of each run in ``runs.csv``, by its id there."""
        planned = find_planned_ids(self.plan, self.runs)
        lines: Mapping[Any, Mapping[Any, Any]] = self.runs.to_dict("index")
        identities: dict[str, Identity] = {}

        def identify(run: str) -> Identity:
            if run not in identities:
                line = lines[run]
                teacher = None if pd.isna(line["teacher"]) else identify(line["teacher"])
                sums = line["model_sha256"], line["predictions_sha256"]
                identities[run] = Identity(planned[run], *sums, teacher)
            return identities[run]

        return {run: identify(run) for run in lines}

    def by_planned_run(self) -> dict[str, set[Identity]]:
        """The networks of each planned run."""
        networks: dict[str, set[Identity]] = {}
        for identity in self.identities.values():
            networks.setdefault(identity.planned, set()).add(identity)
        return networks

    def device(self, planned: str) -> str:
        """The device that a planned run was trained on."""
        run = next(run for run, network in self.identities.items() if network.planned == planned)
        return str(self.runs.loc[run, "device"])

    def blocks(self) -> list[RowAndSeed]:
        """The rows of tables that the folder has, each with its seeds."""
        return [
            RowAndSeed(table, row, seed)
            for table in self.plan.tables
            for row, seeds in self.plan.seeds_by_row(table).items()
            for seed in seeds
        ]

    @cached_property
    def _lines(self) -> dict[RowAndSeed, list[Key]]:
        """Key, value and run of the lines of ``cells.csv``, by table, row and seed."""
        lines: dict[RowAndSeed, list[Key]] = {}
        for line in keys_of(self.cells, [*CELL_AND_SEED_KEY, "value", "run"]):
            table, row, _, seed = line[:4]
            lines.setdefault(RowAndSeed(table, row, seed), []).append(line)
        return lines

    def values(self, block: RowAndSeed) -> dict[Key, tuple[float, list[Identity]]]:
        """The value of each cell of a row at a seed, and the networks that it is from."""
        return {
            line[:4]: (line[4], [self.identities[run] for run in split_members(line[5])])
            for line in self._lines[block]
        }

    def needed(self, block: RowAndSeed) -> Iterator[str]:
        """The runs behind a row at a seed and all of their teachers, teachers first."""
        for line in self._lines[block]:
            for run in split_members(line[5]):
                yield from self._with_lineage(run)

    def _with_lineage(self, run: str) -> list[str]:
        teacher = self._teachers[run]
        return [*(self._with_lineage(teacher) if teacher else []), run]

    @cached_property
    def _teachers(self) -> dict[str, str | None]:
        """The direct teacher of each run, if it has one."""
        teachers = zip(self.runs["run"], self.runs["teacher"], strict=True)
        return {run: teacher if isinstance(teacher, str) else None for run, teacher in teachers}


def read_folder(folder: Path, tables: Path) -> PooledFolder:
    """Read a folder that is to be pooled.

    Raises:
        InputError: a file is missing or damaged, a line that the scale plans is missing, or a run
            has a recipe other than the scale's.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name folders of results or publications")
    plan = Plan.make(read_scale(folder / SCALE_FILE), tables)
    has_correctness = (folder / CORRECT).is_file()
    source = PooledFolder(
        folder,
        plan,
        read_runs(folder, FINISH),
        read_cells(folder, FINISH),
        read_csv_file(folder, "quality", FINISH),
        read_csv_file(folder, "reliability", FINISH),
        read_correctness(folder, FINISH) if has_correctness else None,
    )
    _check_lines(source)
    return source


def _check_lines(source: PooledFolder) -> None:
    """Raise InputError if the csv files are not those of a finished scale, or a recipe differs."""
    plan, folder = source.plan, source.folder
    lines = {line["run"]: line for line in source.runs.to_dict("records")}
    for name, run in plan.runs.items():
        expected = describe_planned_run(plan, run)
        if name in lines and lines[name]["recipe_hash"] != expected["recipe_hash"]:
            raise InputError(
                f"{folder / 'runs.csv'}: {name}: its recipe is {lines[name]['recipe_hash']}, but"
                f" that of {folder / SCALE_FILE} is {expected['recipe_hash']}; train it again with"
                " this scale, or leave this folder out"
            )
    problems = {
        "cells.csv": line_problems(planned_cells(plan), keys_of(source.cells, CELL_AND_SEED_KEY)),
        "quality.csv.gz": line_problems(
            planned_quality(plan), keys_of(source.quality, [*CELL_AND_SEED_KEY, "metric"])
        ),
        "runs.csv": line_problems(
            {(run,): seed for run, seed in plan.lineage_seeds.items()},
            [(run,) for run in dict.fromkeys(find_planned_ids(plan, source.runs).values())],
        ),
    }
    for name, of_file in problems.items():
        for problem in of_file:
            raise InputError(f"{folder / name}: {problem}; {FINISH} before they are pooled")


def check_one_recipe(sources: Sequence[PooledFolder]) -> None:
    """Check that all sources are of one recipe.

    Raises:
        InputError: two have scales that differ in more than tables and seeds, or a run with two
            recipes.
    """
    for first, second in pairwise(sources):
        config, other_config = (
            source.plan.scale.model_dump(mode="json", exclude=FREE) for source in (first, second)
        )
        unlike = [
            f"`{key}` is {value} in {first.folder / SCALE_FILE} and {other} in"
            f" {second.folder / SCALE_FILE}"
            for key, value, other in differing_values(config, other_config)
        ]
        advice = "only results of one recipe can be pooled, so leave one of these folders out"
        hashes = [dict(source.runs["recipe_hash"]) for source in (first, second)]
        for run in hashes[0]:
            if hashes[0][run] != hashes[1].get(run, hashes[0][run]):
                why = f": {unlike[0]}" if unlike else ""
                raise InputError(
                    f"{run}: has the recipe {hashes[0][run]} in {first.folder / 'runs.csv'} and"
                    f" {hashes[1][run]} in {second.folder / 'runs.csv'}{why}; {advice}"
                )
        if unlike:
            raise InputError(f"{unlike[0]}; {advice}")


def pooled_scale(plans: Sequence[Plan], name: str) -> Scale:
    """The first plan's scale under another name, with the tables, rows and seeds of all plans.

    ``seeds`` are those that most tables have, ``table_seeds`` those of the other tables, and
    ``row_seeds`` those of rows that have others than most rows of their table.
    """
    seeds: dict[str, dict[str, set[int]]] = {}
    for plan in plans:
        for table in plan.tables:
            for row, of_row in plan.seeds_by_row(table).items():
                seeds.setdefault(table, {}).setdefault(row, set()).update(of_row)
    by_table, row_seeds = {}, {}
    for table, by_row in seeds.items():
        sorted_seeds = {row: tuple(sorted(of_row)) for row, of_row in by_row.items()}
        by_table[table] = _most_common(filter(None, sorted_seeds.values()))
        if rows := _others(sorted_seeds, by_table[table]):
            row_seeds[table] = rows
    usual = _most_common(by_table.values())
    config = plans[0].scale.model_dump(mode="json")
    keys = {"tables": [*seeds], "seeds": usual, "table_seeds": _others(by_table, usual)}
    keys |= {"scale": name, "row_seeds": row_seeds}
    return check_scale({**config, **keys}, f"pool --scale {name}")


def _most_common(seeds: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    ((usual, _),) = Counter(seeds).most_common(1)
    return usual


def _others(seeds: Mapping[str, tuple[int, ...]], usual: tuple[int, ...]) -> dict[str, Any]:
    """The tables or rows whose seeds are not the usual ones."""
    return {name: chosen for name, chosen in seeds.items() if chosen != usual}
