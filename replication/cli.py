"""The console command ``replication``, same as ``python -m replication``."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from replication.errors import InputError
from replication.plan import Plan
from replication.scale import DEFAULT, Scale
from replication.tables import TableSpec

app = typer.Typer(
    help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--configfile", help=f"Scale file, repeatable; the last wins. [{DEFAULT}]"),
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
def plan(configfile: ConfigFiles = None) -> None:
    """List the runs of a scale, teachers first."""
    for run in Plan.read(configfile or []).runs:
        print(run)


@app.command()
def schema(name: Annotated[str, typer.Argument(help="scale or table")]) -> None:
    """Print the JSON schema of a scale or table file, for editors."""
    models = {"scale": Scale, "table": TableSpec}
    if name not in models:
        raise InputError(f"{name}: no such schema; there are: {', '.join(models)}")
    print(json.dumps(models[name].model_json_schema(), indent=2))


def main() -> None:
    """Run the command; what the user can mend is one line and exit code 1."""
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
