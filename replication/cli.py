"""The commands of ``replication``; each takes the scale that its ``--configfile`` options name."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from replication.config.paper_tables import TableSpec
from replication.config.scale import Scale
from replication.errors import InputError
from replication.files import write_text
from replication.plan.plan import RESULTS, SCALE_FILE, Plan
from replication.plan.selection import parse_numbers, read_part, table_name
from replication.publication.commands import (
    ConfigFiles,
    Results,
    compare,
    derive,
    export,
    pool,
    publish,
    summary,
    verify,
)
from replication.runtime.signals import EXIT_RESUMABLE, Interrupted

app = typer.Typer(
    help="Replicates Born-Again Neural Networks (Furlanello et al., ICML 2018).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (verify, publish, derive, pool, compare, summary, export):
    app.command()(command)


@app.command()
def train(
    run: Annotated[str, typer.Argument(help="Id of the run: its folder below runs/.")],
    configfile: ConfigFiles = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads of the CPU.")] = 1,
    results: Results = RESULTS,
) -> None:
    """Train one run; its teacher has to be trained already."""
    plan = Plan.read(configfile or [], root=results)
    found = plan.run(run)
    from replication.training.run import train as train_run

    record = train_run(plan, found, threads)
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in record["result"].items())
    print(f"{run}: {numbers}; {record['seconds']} s")


@app.command()
def table(
    names: Annotated[list[str], typer.Argument(help="Tables of the paper: 2 or table2.")],
    configfile: ConfigFiles = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Succeed although cells stay empty.")
    ] = False,
    results: Results = RESULTS,
) -> None:
    """Measure the cells of tables and write them as csv, Markdown, HTML and LaTeX.

    A cell whose runs are incomplete stays empty, and the table says why.
    """
    plan, empty = Plan.read(configfile or [], root=results), 0
    names = [table_name(name) for name in names]
    for name in names:
        plan.table_cells(name)
    from replication.report.tables import build_and_report

    for name in names:
        empty += build_and_report(plan, name)
        # Flushed, so that a log shows it before the error.
        print(plan.results / "tables" / f"{name}.md", flush=True)
    if empty and not allow_missing:
        raise InputError(
            f"{empty} cells stay empty for the reasons above; fix them and call again, or accept"
            " them with --allow-missing"
        )


@app.command()
def scale(configfile: ConfigFiles = None, results: Results = RESULTS) -> None:
    """Write scale.json, which says what the results beside it were planned by."""
    plan = Plan.read(configfile or [], root=results)
    plan.write_scale()
    print(plan.results / SCALE_FILE)


@app.command()
def collect(configfile: ConfigFiles = None, results: Results = RESULTS) -> None:
    """Collect the measured cells of all tables in cells.csv, and their runs in runs.csv."""
    from replication.analysis.collect import collect

    plan = Plan.read(configfile or [], root=results)
    collect(plan)
    print(plan.results / "cells.csv")


@app.command()
def quality(configfile: ConfigFiles = None, results: Results = RESULTS) -> None:
    """Measure likelihood, calibration and agreement of the image cells of cells.csv."""
    from replication.report.quality import build_quality

    plan = Plan.read(configfile or [], root=results)
    build_quality(plan)
    print(plan.results / "tables" / "quality.md")


@app.command()
def frames(configfile: ConfigFiles = None, results: Results = RESULTS) -> None:
    """Average over seeds what the figures of dark knowledge draw of the runs of Table 2."""
    plan = Plan.read(configfile or [], root=results)
    from replication.analysis.frames import build_frames

    build_frames(plan)
    print(plan.results / "frames")


@app.command()
def claims(configfile: ConfigFiles = None, results: Results = RESULTS) -> None:
    """Test the paper's claims on cells.csv and quality.csv; write claims.csv and its numbers."""
    plan = Plan.read(configfile or [], root=results)
    from replication.analysis.claims import build_claims

    build_claims(plan)
    print(plan.results / "claims.csv")


@app.command()
def data(
    name: Annotated[str | None, typer.Argument(help="A data set; all of the scale's.")] = None,
    configfile: ConfigFiles = None,
    output: Annotated[Path | None, typer.Option(help="Write its description as JSON.")] = None,
) -> None:
    """Download the data sets of a scale where they are missing, check and describe them.

    Training never downloads; the workflow runs this step first.
    """
    plan = Plan.read(configfile or [])
    datasets = {run.dataset.name: run.dataset for run in plan.runs.values()}
    if name is not None and name not in datasets:
        raise InputError(
            f"{name}: no data set of scale {plan.scale.scale}; it uses {', '.join(datasets)}"
        )
    if output and name is None:
        raise InputError(f"--output {output}: describes one data set; name it before the options")
    from replication.data.prepare import describe, load

    for dataset in [datasets[name]] if name else datasets.values():
        loaded = load(
            dataset.name, plan.scale.data_root, dataset.sizes, plan.scale.evaluate_on, download=True
        )
        found = describe(dataset.name, loaded)
        counts = ", ".join(f"{key} {n:,}" for key, n in found.items() if isinstance(n, int))
        print(f"{found['name']}: {counts}; sha256 {found['sha256']}")
        if output:
            write_text(output, json.dumps(found, indent=2) + "\n")


@app.command()
def plan(
    configfile: ConfigFiles = None,
    tables: Annotated[str | None, typer.Option(help="Only these tables: 1,2,sensitivity.")] = None,
    rows: Annotated[str | None, typer.Option(help="Only these rows: 'densenet-*,lstm'.")] = None,
    seeds: Annotated[str | None, typer.Option(help="These seeds instead: 0-4,7.")] = None,
    devices: Annotated[str, typer.Option(help="Time with so many runs at once.")] = "1,8,64",
    tflops: Annotated[
        float | None, typer.Option(min=1e-6, help="TFLOP/s, for hours before any run is finished.")
    ] = None,
    runs: Annotated[bool, typer.Option("--runs", help="List the runs' ids instead.")] = False,
    recipes: Annotated[bool, typer.Option("--recipes", help="List the recipes as csv.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the costs as JSON.")] = False,
    results: Results = RESULTS,
) -> None:
    """Show the runs of a scale: how many are done, what they cost and how long the rest takes."""
    found = read_part(configfile or [], tables, rows, seeds, results)
    if runs:
        print("\n".join(found.runs))
        return
    if recipes:
        from replication.sweep.listing import list_runs

        print(list_runs(found).to_csv(index=False, float_format="%.6g"), end="")
        return
    from replication.sweep.costs import summarise_costs
    from replication.sweep.overview import console, render_costs

    at_once = parse_numbers("--devices", devices)
    with console().status("reading run folders, counting FLOPs"):
        costs = summarise_costs(found, at_once, tflops)
    if as_json:
        print(json.dumps(asdict(costs), indent=2))
    else:
        console().print(render_costs(costs))


@app.command()
def criteria(
    configfile: ConfigFiles = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write criteria.csv and criteria.html too.")
    ] = False,
    results: Results = RESULTS,
) -> None:
    """Show whether a scale is a fair test of the paper.

    Networks' sizes are known before any run; errors and divergences are those of finished runs.
    """
    plan = Plan.read(configfile or [], root=results)
    from replication.report.criteria_page import render_criteria
    from replication.sweep.criteria import measure_criteria, write_criteria
    from replication.sweep.overview import console

    found = measure_criteria(plan)
    if write:
        write_criteria(plan, found)
    console().print(render_criteria(found))


@app.command()
def status(
    configfile: ConfigFiles = None,
    once: Annotated[bool, typer.Option("--once", help="Print once and exit.")] = False,
    results: Results = RESULTS,
) -> None:
    """Monitor a sweep: filled cells, runs in training, failures, time left. Ctrl-C ends it.

    Reads the run folders, also those of other machines, and writes nothing.
    """
    from replication.sweep.overview import show_status

    show_status(Plan.read(configfile or [], root=results), once)


@app.command()
def new(folder: Annotated[Path, typer.Argument(help="Folder of the study.")]) -> None:
    """Begin a study of your own: a folder with data, networks, objectives and claims to edit."""
    from replication.config.new_study import create_study

    for file in create_study(folder):
        print(file)


@app.command()
def schema(name: Annotated[str, typer.Argument(help="scale or table")]) -> None:
    """Print the JSON schema of a scale or table file, for editors."""
    models: dict[str, type[BaseModel]] = {"scale": Scale, "table": TableSpec}
    if name not in models:
        raise InputError(f"{name}: no such schema; there are: {', '.join(models)}")
    print(json.dumps(models[name].model_json_schema(), indent=2))


def run_command(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status.

    An error that the user can correct prints one line, or with ``REPLICATION_TRACEBACK=1`` a
    traceback, and returns 1; a run that was stopped and can be resumed returns 75.
    """
    try:
        app(arguments)
    except InputError as error:
        if os.environ.get("REPLICATION_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return EXIT_RESUMABLE
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0
