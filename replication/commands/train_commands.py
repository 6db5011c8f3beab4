"""The commands that the workflow calls for data sets and for runs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from replication.commands.options import ConfigFiles, ResultsRoot, read_plan_of
from replication.errors import InputError
from replication.files import write_text
from replication.plan.plan import RESULTS


def data(
    name: Annotated[
        str | None, typer.Argument(help="A data set; without it, all data sets of the scale.")
    ] = None,
    configfile: ConfigFiles = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the data set's description to this file, as JSON.")
    ] = None,
) -> None:
    """Download the data sets of a scale where they are missing, check them and describe them.

    A training never downloads anything; the workflow calls this command first.
    """
    plan = read_plan_of(configfile, RESULTS)
    datasets = {run.dataset.name: run.dataset for run in plan.runs.values()}
    if name is not None and name not in datasets:
        raise InputError(
            f"{name}: not a data set of scale {plan.scale.scale}; it uses {', '.join(datasets)}"
        )
    if output and name is None:
        raise InputError(f"--output {output}: describes one data set; name it before the options")
    from replication.data.prepare import prepare, remark_on
    from replication.data.prepared import describe_data
    from replication.results.prepared_data import runs_on_other_data
    from replication.training.own_parts import check_parts_on

    root, evaluate_on = plan.scale.data_root, plan.scale.evaluate_on
    for dataset in [datasets[name]] if name else datasets.values():
        prepared = prepare(dataset.name, root, dataset.sizes, evaluate_on)
        description = describe_data(dataset.name, prepared)
        counts = ", ".join(
            f"{key} {number:,}" for key, number in description.items() if isinstance(number, int)
        )
        size = f"{prepared.size}, " if prepared.size else ""
        print(f"{description['name']}: {size}{counts}; sha256 {description['sha256']}")
        for remark in remark_on(dataset.name, root, dataset.sizes, prepared):
            print(remark)
        # What is wrong with a network or its weights is reported here, not after other runs.
        check_parts_on(plan, dataset.name, prepared)
        if stale := runs_on_other_data(plan, dataset.name, description["sha256"]):
            print(
                f"{dataset.name}: {len(stale):,} finished runs were trained on data other than"
                " these and are stale; restore the data, or delete the run.json of each and run"
                f" snakemake again, which retrains them: {', '.join(run.id for run in stale)}"
            )
        if output:
            write_text(output, json.dumps(description, indent=2) + "\n")


def train(
    run: Annotated[str, typer.Argument(help="The run, as `replication plan --runs` lists it.")],
    configfile: ConfigFiles = None,
    threads: Annotated[
        int, typer.Option(min=1, max=1024, help="The number of CPU threads that it may use.")
    ] = 1,
    results: ResultsRoot = RESULTS,
) -> None:
    """Train one run, whose teacher must have been trained already.

    A run that was interrupted continues from its last checkpoint.
    """
    plan = read_plan_of(configfile, results)
    planned_run = plan.run(run)
    from replication.training.train_run import train as train_run

    record = train_run(plan, planned_run, threads)
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in record["result"].items())
    print(f"{run}: {numbers}; {record['seconds']} s")
