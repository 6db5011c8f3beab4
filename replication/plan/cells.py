"""The cells of a table and the runs behind each: lineages, ensembles, seeds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from replication.architectures.catalogue import kind_of
from replication.config.decisions import Average
from replication.config.paper_tables import TableSpec
from replication.config.scale import Scale
from replication.plan.run import GIVEN, Run


@dataclass(frozen=True)
class Cell:
    """A cell of a table: for each seed its run, or the members of its ensemble.

    ``members`` is empty where the scale does not train the cell's row.
    """

    table: str
    row: str
    column: str
    metric: str
    part: str
    members: dict[int, tuple[Run, ...]] = field(hash=False)
    reported: float | None = None
    reported_teacher: float | None = None
    params_reported: float | None = None
    average: Average = "probabilities"

    @property
    def reported_difference(self) -> float | None:
        """The paper's difference from the teacher; None without a teacher or a printed number."""
        if self.reported is None or self.reported_teacher is None:
            return None
        return self.reported - self.reported_teacher

    def teacher(self, seed: int) -> Run | None:
        """Generation 0 of the cell's lineage; None where the cell is generation 0 itself."""
        runs = self.members[seed]
        return runs[-1].root_teacher if runs[-1].teacher else None

    def runs(self) -> Iterator[Run]:
        """Every run that the cell's numbers are computed from, including generation 0."""
        for seed, members in self.members.items():
            teacher = self.teacher(seed)
            yield from (*members, teacher) if teacher else members

    def needed(self) -> Iterator[Run]:
        """The cell's runs and all of their teachers, teachers first."""
        for run in self.runs():
            yield from run.with_lineage


def cells_of(
    name: str, table: TableSpec, scale: Scale, variants: dict[str, Scale]
) -> Iterator[Cell]:
    """The cells of a table in the paper's order.

    ``variants`` are scales by name; a variant that is not among them is the scale itself.
    """
    for row, spec in table.rows.items():
        for column in table.columns:
            if table.is_dash(row, column):
                continue
            text = kind_of(table.network(row, column)) == "language"
            part = table.cell(row, column).part if text else scale.evaluate_on
            varied = variants.get(table.cell(row, column).variant or "", scale)
            columns = table.cell(row, column).ensemble or (column,)
            yield Cell(
                table=name,
                row=row,
                column=column,
                metric=f"{part} perplexity" if text else f"{part} error (%)",
                part=part,
                members={
                    seed: tuple(
                        _run(table, row, member, seed, scale, variants) for member in columns
                    )
                    for seed in scale.seeds_of(name, row)
                },
                reported=table.reported(row, column),
                reported_teacher=reported_teacher(table, row, column),
                params_reported=spec.params,
                average=varied.decisions.ensemble,
            )


def reported_teacher(table: TableSpec, row: str, column: str) -> float | None:
    """The number that the paper prints for generation 0 of a cell's lineage, if it has one."""
    start = current = (row, (table.cell(row, column).ensemble or (column,))[-1])
    while teacher := table.teacher(*current):
        current = (teacher.row, teacher.column)
    return None if current == start else table.reported(*current)


def _run(
    table: TableSpec, row: str, column: str, seed: int, scale: Scale, variants: dict[str, Scale]
) -> Run:
    """The run of a cell for a seed, with its teachers; ``variants`` as in `cells_of`."""
    cell, teacher = table.cell(row, column), table.teacher(row, column)
    if cell.weights:
        # One network for all seeds.
        return Run(
            dataset=scale.datasets[table.role(row)],
            network=table.network(row, column),
            arguments=json.dumps(table.arguments(row, column), sort_keys=True),
            objective=GIVEN,
            seed=0,
            weights=cell.weights,
            normalisation=cell.normalisation,
        )
    assert cell.objective is not None  # read_table checks that teachers and members are trained
    teacher_run = (
        _run(table, teacher.row, teacher.column, seed, scale, variants) if teacher else None
    )
    return Run(
        dataset=scale.datasets[table.role(row)],
        network=table.network(row, column),
        arguments=json.dumps(table.arguments(row, column), sort_keys=True),
        objective=cell.objective.name,
        parameters=cell.objective.parameters,
        seed=seed + cell.seed_offset,
        teacher=teacher_run,
        share_ends=cell.share_ends,
        variant=cell.variant if cell.variant in variants else None,
    )
