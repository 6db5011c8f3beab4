"""Joins several results or publications of one recipe: other seeds, other tables, other machines.

All numbers of a row of a table at a seed come from one source, so that they are of the same
lineages: of the first source that has this row and seed, where the preferred sources come before
the others. A table can be pooled from sources that have trained different rows of it.

A planned run may have been trained in several sources. With the same bytes it is one run. With
different bytes, as from another processor, the sources can only be pooled if one of them is
preferred. Then the preferred run counts for every row and seed that its source has. The other one
stays beside it only if a row or seed that no preferred source has was measured from it or from its
students: a student keeps the teacher that it was trained by. `pooled_runs` names such a second run
apart from the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.publication.pool_sources import (
    Identity,
    PooledFolder,
    RowAndSeed,
    check_one_recipe,
    name_apart,
    pooled_scale,
    read_folder,
)
from replication.results.correctness import CellAndSeed
from replication.results.csv_columns import CELL_AND_SEED_KEY
from replication.results.csv_files import join_members, split_members
from replication.results.schema import CSV_FILES
from replication.verify.findings import CLOSE


@dataclass(frozen=True)
class Pooled:
    """Several sources as one: its plan, its csv files, and the source of each row and seed.

    ``correctness`` is None where a source that is used has none. ``notes`` says which rows gave way
    to others.
    """

    plan: Plan
    runs: pd.DataFrame
    cells: pd.DataFrame
    quality: pd.DataFrame
    reliability: pd.DataFrame
    correctness: dict[CellAndSeed, NDArray[np.bool_]] | None
    chosen: dict[RowAndSeed, PooledFolder]
    notes: list[str]


def pool(
    folders: Sequence[Path],
    name: str,
    prefer: Sequence[Path] = (),
    tables: Path = TABLES,
) -> Pooled:
    """Join folders of results or publications under the name of a new scale.

    Raises:
        InputError: there are fewer than two folders, one is incomplete or damaged, two have
            different recipes, or a run has different bytes and no source of it is preferred.
    """
    if len(folders) < 2:
        raise InputError("pool: name at least two folders of results or publications")
    if unknown := [folder for folder in prefer if folder not in folders]:
        raise InputError(f"--prefer {unknown[0]}: must be one of the folders that are pooled")
    sources = [read_folder(folder, tables) for folder in folders]
    check_one_recipe(sources)
    preferred = [source for folder in prefer for source in sources if source.folder == folder]
    _check_bytes(sources, preferred)
    scale = pooled_scale([source.plan for source in sources], name)
    plan = Plan.make(scale, tables)
    ordered = [*preferred, *(source for source in sources if source not in preferred)]
    chosen: dict[RowAndSeed, PooledFolder] = {}
    notes = []
    for source in ordered:
        yielded = []
        for block in source.blocks():
            if chosen.setdefault(block, source) is not source:
                _check_values(chosen[block], source, block)
                yielded.append(block)
        notes += _describe_yielded(source, yielded)
    return _join(plan, sources, chosen, notes)


def _describe_yielded(source: PooledFolder, blocks: Sequence[RowAndSeed]) -> list[str]:
    """A note on the tables, rows and seeds that are taken from another source."""
    seeds: dict[tuple[str, str], tuple[int, ...]] = {}
    for block in blocks:
        row = block.table, block.row
        seeds[row] = (*seeds.get(row, ()), block.seed)
    rows: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for (table, row_name), of_row in seeds.items():
        rows.setdefault((table, of_row), []).append(row_name)
    notes = []
    for (table, of_rows), names in rows.items():
        rows_with_seeds = [row for row, kept in source.plan.seeds_by_row(table).items() if kept]
        place = table if rows_with_seeds == names else f"{table}, {', '.join(names)}"
        notes.append(
            f"{source.folder}: {place}, seeds {', '.join(map(str, of_rows))}: taken from another"
            " folder that has them too"
        )
    return notes


def _check_bytes(sources: Sequence[PooledFolder], preferred: Sequence[PooledFolder]) -> None:
    """Refuse runs with different bytes in two sources of which none is preferred."""
    for first, second in combinations(sources, 2):
        if first in preferred or second in preferred:
            continue
        first_runs, second_runs = first.by_planned_run(), second.by_planned_run()
        different = [
            run
            for run in first_runs.keys() & second_runs.keys()
            if first_runs[run].isdisjoint(second_runs[run])
        ]
        if different:
            run = min(different, key=len)
            devices = " and ".join(source.device(run) for source in (first, second))
            others = len(different) - 1
            more = f", as {'has one' if others == 1 else f'have {others}'} more" if others else ""
            raise InputError(
                f"{run}: has different bytes in {first.folder / 'runs.csv'} and in"
                f" {second.folder / 'runs.csv'} (trained on {devices}){more}; say with --prefer"
                f" {first.folder} or --prefer {second.folder} whose runs count where both have a"
                " row and seed"
            )


def _check_values(first: PooledFolder, second: PooledFolder, block: RowAndSeed) -> None:
    """Refuse different values from the same runs."""
    first_values, second_values = first.values(block), second.values(block)
    for key in first_values.keys() & second_values.keys():
        (value, identities), (other_value, other_identities) = first_values[key], second_values[key]
        same = bool(np.isclose(value, other_value, rtol=CLOSE, atol=CLOSE))
        if identities == other_identities and not same:
            raise InputError(
                f"{second.folder / 'cells.csv'}: {', '.join(map(str, key))}: is {other_value}, but"
                f" {value} in {first.folder / 'cells.csv'} from the same runs; verify both folders"
            )


def _join(
    plan: Plan,
    sources: Sequence[PooledFolder],
    chosen: dict[RowAndSeed, PooledFolder],
    notes: list[str],
) -> Pooled:
    """The csv files of the chosen rows and seeds, in the order of the plan."""
    used = [source for source in sources if source in chosen.values()]
    names = pooled_runs(plan, chosen)
    place = {(cell.table, cell.row, cell.column): n for n, cell in enumerate(plan.cells)}
    frames = {}
    for name in ("cells", "quality", "reliability"):
        parts = []
        for source in used:
            frame: pd.DataFrame = getattr(source, name)
            blocks = map(RowAndSeed, frame["table"], frame["row"], frame["seed"])
            part = frame[[chosen[block] is source for block in blocks]]
            if "run" in part:
                part = part.assign(run=[_renamed(run, source, names) for run in part["run"]])
            parts.append(part)
        joined = pd.concat(parts, ignore_index=True)
        keys = joined[CELL_AND_SEED_KEY].itertuples(index=False, name=None)
        order = pd.Series([(place[key[:3]], key[3]) for key in keys], dtype=object)
        frames[name] = joined.loc[order.sort_values(kind="stable").index].reset_index(drop=True)
    correctness = None
    if all(source.correctness is not None for source in used):
        correctness = {
            key: bits
            for source in used
            for key, bits in (source.correctness or {}).items()
            if chosen[RowAndSeed(key[0], key[1], key[3])] is source
        }
        correctness = dict(sorted(correctness.items(), key=lambda item: place[item[0][:3]]))
    runs = _join_runs(used, names)
    return Pooled(plan, runs, **frames, correctness=correctness, chosen=chosen, notes=notes)


def pooled_runs(plan: Plan, chosen: Mapping[RowAndSeed, PooledFolder]) -> dict[Identity, str]:
    """The id of each run that is kept, in the order of the plan.

    A run keeps the id that the plan has for it. Where a planned run has two different networks,
    that of the first source in the order of ``chosen`` keeps it, and the others are named apart.
    """
    precedence = list({id(source): source for source in chosen.values()}.values())
    needed: dict[str, list[Identity]] = {run: [] for run in plan.runs}
    for source in precedence:
        for block, owner in chosen.items():
            if owner is source:
                for run in source.needed(block):
                    identity = source.identities[run]
                    if identity not in needed[identity.planned]:
                        needed[identity.planned].append(identity)
    return {
        identity: identity.planned if number == 0 else name_apart(identity)
        for identities in needed.values()
        for number, identity in enumerate(identities)
    }


def _renamed(run: str, source: PooledFolder, names: Mapping[Identity, str]) -> str:
    """The entry of a column ``run`` with the pooled ids."""
    return join_members(names[source.identities[member]] for member in split_members(run))


def _join_runs(used: Sequence[PooledFolder], names: Mapping[Identity, str]) -> pd.DataFrame:
    """The lines of ``runs.csv``: each run with its own device, versions and commit."""
    lines = {}
    for source in used:
        for line in source.runs.to_dict("records"):
            identity = source.identities[line["run"]]
            if identity in names and identity not in lines:
                ids = {
                    column: _renamed(line[column], source, names)
                    for column in ("run", "teacher", "root_teacher")
                    if isinstance(line[column], str)
                }
                lines[identity] = line | ids
    ordered = [lines[identity] for identity in names]
    return pd.DataFrame(ordered, columns=CSV_FILES["runs"].names)
