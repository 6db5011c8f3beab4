"""The tables of a claim's page: its cells, the data, the runs and the seeds behind it."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from replication.analysis.contrasts import CellValues
from replication.analysis.tested_data import describe_data_sets
from replication.config.claim_specs import CellKey, ClaimSpec
from replication.config.paper_claims import Claims
from replication.config.paper_names import network_name, paper_name, table_name
from replication.plan.claim_part import part_of_claim
from replication.plan.plan import Plan
from replication.plan.run import LABEL_OBJECTIVE
from replication.report.layout import size_in_words
from replication.report.published_results import Publications, commits_of
from replication.results.csv_files import split_members
from replication.wording import counted, escaped, markdown_table, ranges_in_words, signed

CORES = 2
"""The cores for which the time of a command is given."""


class ClaimRuns(NamedTuple):
    """The runs behind a claim at one scale.

    ``part`` is the part of the plan that the claim's command trains, ``lines`` the lines of
    ``runs.csv`` for the published runs, indexed by run, and ``core_hours`` what they took.
    """

    part: Plan
    lines: pd.DataFrame
    core_hours: float

    @property
    def wall_time(self) -> str:
        """The time of the runs on two cores, in words."""
        minutes = 60 * self.core_hours / CORES
        if minutes < 90:
            return counted(max(1, round(minutes)), "minute")
        return f"{minutes / 60:.1f} hours"


@cache
def runs_of_claim(publications: Publications, scale: str, name: str) -> ClaimRuns:
    """Return the runs that a claim rests on at a published scale.

    Raises:
        InputError: the scale does not have the claim's tables, or a csv file is damaged.
    """
    part = part_of_claim(publications.plan(scale), name)
    runs = publications.file(scale, "runs").set_index("run", drop=False)
    keys = {(cell.table, cell.row, cell.column) for cell in part.cells}
    seeds = {seed for cell in part.cells for seed in cell.members}
    members = _of_cells(publications.file(scale, "cells"), keys)
    members = members[members["seed"].isin(seeds)]
    pending = {run for entry in members["run"] for run in split_members(entry)}
    names: set[str] = set()
    while pending:
        names |= pending
        pending = {*runs.loc[sorted(pending), "teacher"].dropna()} - names
    lines = runs[runs.index.isin(names)]
    return ClaimRuns(part, lines, float(lines["seconds"].sum()) / 3600)


def cells_table(publications: Publications, claims: Claims, name: str) -> str:
    """Return the cells that a claim compares, with the paper's numbers and ours at each scale."""
    header = ["", "table", "row", "columns", "the paper", *_scale_headers(publications, name)]
    by_scale = [publications.file(scale, "cells") for scale in publications.scales_of(name)]
    rows = []
    for side, table, row, columns in _compared(claims.file.claims[name]):
        keys = {(table, row, column) for column in columns}
        printed = claims.reported(dict.fromkeys(keys, 1 / len(keys)))
        values = [_of_cells(cells, keys)["value"].mean() for cells in by_scale]
        numbers = [_number(value) for value in (printed, *values)]
        shown = ", ".join(escaped(paper_name(column)) for column in columns)
        rows.append([side, table_name(table), escaped(paper_name(row)), shown, *numbers])
    return markdown_table(header, rows)


def data_table(publications: Publications, claims: Claims, name: str) -> str:
    """Return what a claim was tested on at each scale: data, networks, seeds, commits."""
    header = [
        "scale",
        "data",
        "networks, with their parameters",
        "seeds",
        "training runs",
        "commits",
    ]
    rows = []
    for scale in publications.scales_of(name):
        behind = runs_of_claim(publications, scale, name)
        words = describe_data_sets(publications.plan(scale).scale)
        roles = claims.datasets(claims.file.claims[name].contrast())
        sizes = behind.lines.groupby("network", sort=False)["parameters"].first()
        networks = [
            f"{network_name(str(key))} ({size_in_words(parameters / 1e6)})"
            for key, parameters in sizes.items()
        ]
        seeds = sorted({seed for cell in behind.part.cells for seed in cell.members})
        rows.append(
            [
                f"`{scale}`",
                " and ".join(words[role] for role in roles),
                escaped("; ".join(networks)),
                f"{len(seeds)}: {ranges_in_words(seeds)}",
                f"{len(behind.lines)}",
                commits_of(behind.lines),
            ]
        )
    return markdown_table(header, rows)


def runs_table(lines: pd.DataFrame) -> str:
    """Return the runs behind a claim, a line for each kind: how many, their error and time."""
    header = ["network", "trained on", "generation", "runs", "mean", "seconds each", "device"]
    rows = []
    kinds = ["network", "objective", "variant", "generation"]
    for _, kind in lines.groupby(kinds, sort=False, dropna=False):
        network, objective, variant, generation = kind[kinds].iloc[0]
        text = objective if pd.isna(variant) else f"{objective}, {variant}"
        result = kind["error"].fillna(kind["test_perplexity"])
        unit = " %" if kind["error"].notna().all() else " (perplexity)"
        rows.append(
            [
                escaped(network_name(str(network))),
                "labels" if text == LABEL_OBJECTIVE else escaped(paper_name(text)),
                f"{generation}",
                f"{len(kind)}",
                f"{result.mean():.2f}{unit}",
                f"{kind['seconds'].mean():.0f}",
                ", ".join(kind["device"].dropna().unique()),
            ]
        )
    return markdown_table(header, rows)


def seeds_table(publications: Publications, scale: str, claims: Claims, name: str) -> str:
    """Return both sides of a claim and their difference for each seed."""
    claim = claims.file.claims[name]
    cells = CellValues(
        publications.file(scale, "cells"),
        publications.file(scale, "runs").set_index("run", drop=False),
    )
    compared = [*dict.fromkeys((*claim.contrast(), *claim.right.weights()))]
    sides = cells.combine([claim.left.contrast(), claim.right.contrast()], compared)
    (differences,) = cells.combine([claim.contrast()], compared)
    seeds = cells.seeds[np.flatnonzero(cells.common_seeds(compared))]
    rows = [
        [f"{seed}", f"{left:.2f}", f"{right:.2f}", signed(difference)]
        for seed, left, right, difference in zip(seeds, *sides, differences, strict=True)
    ]
    return markdown_table(["seed", "left side", "right side", "difference"], rows)


def _compared(claim: ClaimSpec) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Side, table, row and columns of every mean that a claim compares."""
    for side, spec in (("left", claim.left), ("right", claim.right)):
        for part, words in ((spec, side), (spec.minus, f"{side}, subtracted")):
            for row in part.rows if part else ():
                assert part is not None
                yield words, part.table, row, part.columns


def _of_cells(cells: pd.DataFrame, keys: set[CellKey]) -> pd.DataFrame:
    names = zip(cells["table"], cells["row"], cells["column"], strict=True)
    return cells[[key in keys for key in names]]


def _scale_headers(publications: Publications, name: str) -> list[str]:
    return [f"ours, `{scale}`" for scale in publications.scales_of(name)]


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.2f}"
