"""The part of a plan that one claim is measured on."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from replication.config.claim_specs import ClaimSpec
from replication.config.paper_claims import read_claims
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.plan.run import LABEL_OBJECTIVE, Run


def part_of_claim(plan: Plan, name: str, tables: Path = TABLES) -> Plan:
    """Return the plan with only those cells, seeds and runs that a claim is measured on.

    These are the cells that it compares, at the seeds that all of them have, and the label-trained
    networks of other tables that count as references beside its own, because they have the same
    network, data and recipe and exist for each of these seeds.

    Raises:
        InputError: there is no such claim, it is measured on ``quality.csv.gz``, the scale does not
            have all of its tables, or no seed has all of its cells.
    """
    claim = _find_claim(plan, name, tables)
    compared = dict.fromkeys((*claim.contrast(), *claim.right.weights()))
    if missing := [table for table, _, _ in compared if table not in plan.tables]:
        raise InputError(
            f"{name}: compares cells of {missing[0]}, which scale {plan.scale.scale} does not have;"
            f" add it to `tables` in the scale's file"
        )
    compared_cells = [
        cell for cell in plan.cells if (cell.table, cell.row, cell.column) in compared
    ]
    seeds = set.intersection(*({*cell.members} for cell in compared_cells))
    if not seeds:
        raise InputError(
            f"{name}: no seed of scale {plan.scale.scale} has all cells that the claim compares;"
            " give their rows a seed in common (`seeds`, `table_seeds`, `row_seeds`)"
        )
    cells = tuple(
        _at_seeds(cell, seeds)
        for cell in (*compared_cells, *_references(plan, compared_cells, seeds))
    )
    runs = {run.id: run for cell in cells for run in cell.needed()}
    names = {cell.table for cell in cells}
    specs = {table: spec for table, spec in plan.tables.items() if table in names}
    return replace(plan, tables=specs, cells=cells, runs=runs)


def _find_claim(plan: Plan, name: str, tables: Path) -> ClaimSpec:
    claims = read_claims(tables, plan.scale.study).file.claims
    if name not in claims:
        raise InputError(
            f"{name}: no such claim in {plan.claims_file}; available: {', '.join(claims)}"
        )
    if metric := claims[name].metric:
        raise InputError(
            f"{name}: is measured on `{metric}` of quality.csv.gz, which is not built for one claim"
            " alone; build the whole scale with snakemake"
        )
    return claims[name]


def _at_seeds(cell: Cell, seeds: set[int]) -> Cell:
    members = {seed: runs for seed, runs in cell.members.items() if seed in seeds}
    return replace(cell, members=members)


def _references(plan: Plan, compared_cells: Sequence[Cell], seeds: set[int]) -> Iterator[Cell]:
    """Label-trained cells of the plan that count beside the label-trained cells of a claim."""
    treatments = {_treatment(plan, run) for cell in compared_cells for run in _label_trained(cell)}
    by_reference: defaultdict[object, list[Cell]] = defaultdict(list)
    for cell in plan.cells:
        for run in _label_trained(cell)[:1]:
            if (treatment := _treatment(plan, run)) in treatments and cell not in compared_cells:
                by_reference[treatment, run.seed - plan.lineage_seeds[run.id]].append(cell)
    for cells in by_reference.values():
        if seeds <= {seed for cell in cells for seed in cell.members}:
            yield from cells


def _label_trained(cell: Cell) -> list[Run]:
    """The runs of a cell that shows one label-trained network for each seed; else none."""
    members = [runs[0] for runs in cell.members.values() if len(runs) == 1]
    return [run for run in members if run.objective == LABEL_OBJECTIVE]


def _treatment(plan: Plan, run: Run) -> tuple[str, str, str]:
    return run.dataset.name, run.network, plan.recipe_hash(run)
