"""The console command ``replication``, same as ``python -m replication``."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from replication import forkserver
from replication.errors import InputError
from replication.interruption import AGAIN, Interrupted
from replication.plan import Plan
from replication.scale import DEFAULT, Scale
from replication.tables import TableSpec

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
# How the workflow tells its jobs which files it was given.
CONFIGFILES = "REPLICATION_CONFIGFILES"
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--configfile",
        envvar=CONFIGFILES,
        help=f"Scale file, repeatable; the last wins. [{DEFAULT}]",
    ),
]


@app.command()
def train(
    run: Annotated[str, typer.Argument(help="Id of the run: its folder below runs/.")],
    configfile: ConfigFiles = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the CPU.")] = 1,
) -> None:
    """Train one run; its teacher has to be trained already."""
    plan = Plan.read(configfile or [])
    found = plan.run(run)
    from replication.training.run import train as train_run

    record = train_run(plan, found, threads)
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in record["result"].items())
    print(f"{run}: {numbers}; {record['seconds']} s")


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="Table of the paper: 2 or table2.")],
    configfile: ConfigFiles = None,
) -> None:
    """Measure the cells of a table and write it as csv, Markdown, HTML and LaTeX."""
    plan = Plan.read(configfile or [])
    name = f"table{name}" if name.isdigit() else name
    plan.table_cells(name)
    from replication.table import build_table

    build_table(plan, name)
    print(plan.results / "tables" / f"{name}.md")


@app.command()
def cells(configfile: ConfigFiles = None) -> None:
    """Put the tables' measured cells together into cells.csv."""
    from replication.table import collect_cells

    plan = Plan.read(configfile or [])
    collect_cells(plan)
    print(plan.results / "cells.csv")


@app.command()
def claims(configfile: ConfigFiles = None) -> None:
    """Decide the paper's claims from cells.csv and write claims.csv and claims_power.csv."""
    plan = Plan.read(configfile or [])
    from replication.claims import build_claims

    build_claims(plan)
    print(plan.results / "claims.csv")


@app.command()
def plan(
    configfile: ConfigFiles = None,
    recipes: Annotated[
        bool, typer.Option("--recipes", help="As csv, with recipe and parameters of each.")
    ] = False,
) -> None:
    """List the runs of a scale, teachers first."""
    found = Plan.read(configfile or [])
    if not recipes:
        print("\n".join(found.runs))
        return
    from replication.listing import list_runs

    print(list_runs(found).to_csv(index=False, float_format="%.6g"), end="")


@app.command()
def schema(name: Annotated[str, typer.Argument(help="scale or table")]) -> None:
    """Print the JSON schema of a scale or table file, for editors."""
    models: dict[str, type[BaseModel]] = {"scale": Scale, "table": TableSpec}
    if name not in models:
        raise InputError(f"{name}: no such schema; there are: {', '.join(models)}")
    print(json.dumps(models[name].model_json_schema(), indent=2))


def run_command(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status.

    What the user can mend is one line and 1; a run that was stopped and can go on is 75.
    """
    try:
        app(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return AGAIN
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def main() -> None:
    """Run the command, by the process that stands by for training where there is one."""
    arguments = sys.argv[1:]
    status = forkserver.delegate(arguments) if arguments[:1] == ["train"] else None
    sys.exit(run_command(arguments) if status is None else status)


if __name__ == "__main__":
    main()
