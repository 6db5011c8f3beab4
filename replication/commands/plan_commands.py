"""The commands that look ahead and watch: what a scale trains, and how far it has got."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from replication.commands.options import ConfigFiles, ResultsRoot, read_plan_of
from replication.plan.plan import RESULTS
from replication.plan.selection import parse_numbers, read_part
from replication.wording import counted


def plan(
    configfile: ConfigFiles = None,
    tables: Annotated[
        str | None, typer.Option(help="Plan only these tables, for example 1,2,sensitivity.")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(help="Plan only these rows, for example 'densenet-*,lstm'.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Plan these seeds instead of the scale's: 0-4,7.")
    ] = None,
    devices: Annotated[
        str, typer.Option(help="Print the least time with this many training runs at once.")
    ] = "1,8,64",
    tflops: Annotated[
        float | None,
        typer.Option(
            min=1e-6,
            help="The speed in 1e12 FLOPs per second, for an estimate before any run is finished.",
        ),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="Print only the names of the runs, teachers first.")
    ] = False,
    recipes: Annotated[
        bool, typer.Option("--recipes", help="Print the recipe of every run as csv instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the costs as JSON.")] = False,
    results: ResultsRoot = RESULTS,
) -> None:
    """Show the runs of a scale: how many are done, what they cost and how long the rest takes."""
    selected = read_part(configfile or [], tables, rows, seeds, results)
    if runs:
        print("\n".join(selected.runs))
        return
    if recipes:
        from replication.sweep.listing import list_runs

        print(list_runs(selected).to_csv(index=False, float_format="%.6g"), end="")
        return
    from replication.sweep.costs import summarise_costs
    from replication.sweep.overview import console, render_costs

    at_once = parse_numbers("--devices", devices)
    with console().status("reading the folders of the runs and counting FLOPs"):
        costs = summarise_costs(selected, at_once, tflops)
    if as_json:
        print(json.dumps(asdict(costs), indent=2))
    else:
        console().print(render_costs(costs))


def status(
    configfile: ConfigFiles = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print the status once instead of updating it.")
    ] = False,
    results: ResultsRoot = RESULTS,
) -> None:
    """Monitor a sweep: filled cells, runs in training, failures, and the time that is left.

    The command reads the folders of the runs, which may be on another machine, and writes nothing.
    Press Ctrl-C to end it.
    """
    from replication.sweep.overview import show_status

    show_status(read_plan_of(configfile, results), once)


def check(configfile: ConfigFiles = None, results: ResultsRoot = RESULTS) -> None:
    """Check what can be checked before the first training; Snakemake does so whenever it starts.

    Claims have to fit the tables; notebooks need their kernels; objectives of your own are imported
    and called on random logits; networks are built for the shape of the data, as far as it is
    known, with the weights and the optimiser that they are given. Runs that are done are left out.
    """
    from replication.training.own_parts import check_parts
    from replication.workflow.preflight import check_before_training, runs_to_check

    planned = read_plan_of(configfile, results)
    check_before_training(planned, None)
    runs = runs_to_check(planned)
    check_parts(planned, runs)
    tried = (
        f"; tried the networks, losses or weights of {counted(len(runs), 'run')}" if runs else ""
    )
    print(f"scale {planned.scale.scale}: no mistakes found{tried}")
