"""Options that several commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

from replication.config.scale import DEFAULT
from replication.plan.plan import Plan

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--configfile",
        help="A scale file. Repeat the option for several files; the last one wins."
        f" [default: {DEFAULT}]",
    ),
]
ResultsRoot = Annotated[
    Path, typer.Option("--results", help="The folder with the results of all scales.")
]
ResultsOfScale = Annotated[
    Path, typer.Argument(help="The results of one scale, such as results/digits.")
]


def read_plan_of(configfiles: list[Path] | None, results: Path) -> Plan:
    """The plan of the scale that these files describe, with its results below ``results``.

    Raises:
        InputError: a file is missing or invalid, or the scale cannot be planned.
    """
    return Plan.read(configfiles or [], root=results)
