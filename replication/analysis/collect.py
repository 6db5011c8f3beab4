"""Collects the results of a scale's runs in ``cells.csv`` and ``runs.csv``.

Each table has its own part of both files, so that a single table can be built without the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch

from replication import metrics
from replication.analysis.measure import Measurements, Predictions
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.csv_files import csv_path, read_csv, read_csv_file, write_csv_file
from replication.results.run_folder import HISTORY, MODEL, PREDICTIONS, RETRAIN
from replication.results.schema import CSV_FILES

ENVIRONMENT = ["device", "precision", "threads"]
VERSIONS = ["python", "torch", "timm"]
CODE = ["commit", "dirty"]


def result_column(metric: str) -> str:
    """The column of ``runs.csv`` that has a cell's metric, such as ``test error (%)``."""
    return "error" if metric.endswith("error (%)") else metric.replace(" ", "_")


def describe_planned_run(plan: Plan, run: Run) -> dict[str, Any]:
    """What the plan says of a run, by the columns of ``runs.csv``."""
    return {
        "run": run.id,
        "dataset": run.dataset.name,
        "network": run.network,
        "objective": run.objective,
        "variant": run.variant,
        "generation": run.generation,
        "seed": run.seed,
        "lineage_seed": plan.lineage_seeds[run.id],
        "teacher": run.teacher.id if run.teacher else None,
        "root_teacher": run.root_teacher.id if run.teacher else None,
        "recipe_hash": plan.recipe_hash(run),
    }


def describe_finished_run(measurements: Measurements, run: Run) -> dict[str, Any]:
    """The line of a finished run in ``runs.csv``.

    Raises:
        InputError: the run is not trained, its files are damaged, or it is not the plan's.
    """
    plan, record = measurements.plan, measurements.record(run)
    line = describe_planned_run(plan, run)
    line |= {name: record.get(name) for name in [*ENVIRONMENT, "parameters", "seconds"]}
    line |= {result_column(metric): value for metric, value in record["result"].items()}
    line["nll"] = _negative_log_likelihood(measurements.predicted(run))
    line["train_error"] = last_train_error(plan, run)
    line |= {name: _entries(record, "versions").get(name) for name in VERSIONS}
    line |= {name: _entries(record, "code").get(name) for name in CODE}
    line["model_sha256"] = record["checksums"][MODEL]
    line["predictions_sha256"] = record["checksums"][PREDICTIONS]
    return line


def _entries(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The entries below a key of a record; none where the key holds something else."""
    entries = record.get(key)
    return entries if isinstance(entries, Mapping) else {}


def _negative_log_likelihood(predictions: Predictions) -> float:
    if "logits" not in predictions:
        return float(-torch.from_numpy(predictions["test"]).double().mean())
    logits = torch.from_numpy(predictions["logits"]).double()
    return metrics.nll(logits.log_softmax(-1), torch.from_numpy(predictions["labels"]))


def last_train_error(plan: Plan, run: Run) -> float | None:
    """Error on the training images in a run's last epoch, in percent; None for other networks.

    Raises:
        InputError: the run's history is missing or damaged.
    """
    history = read_csv(plan.folder(run) / HISTORY, RETRAIN)
    return history["train_error"].iloc[-1] if "train_error" in history else None


@dataclass(frozen=True)
class MeasuredTable:
    """The results of a table's runs.

    ``cells`` are the table's lines of ``cells.csv``, ``runs`` those of ``runs.csv`` for its runs
    and all of their teachers. ``reasons`` says for each empty cell, by row and column, why it has
    no lines.
    """

    cells: pd.DataFrame
    runs: pd.DataFrame
    reasons: dict[tuple[str, str], str]

    def write(self, plan: Plan, table: str) -> None:
        """Write ``cells/<table>.csv`` and ``cells/<table>.runs.csv``.

        Raises:
            InputError: a file cannot be written.
        """
        write_csv_file(plan.results, "table_cells", self.cells, table)
        write_csv_file(plan.results, "table_runs", self.runs, table)


def measure_table(plan: Plan, table: str) -> MeasuredTable:
    """Measure a table's cells and describe its runs, from the folders of the runs.

    A cell stays empty if one of its runs, or generation 0 of their lineage, is missing or damaged,
    or if its runs cannot be averaged. A run that is missing or damaged is left out.

    Raises:
        InputError: the scale does not have the table.
    """
    measurements = Measurements(plan)
    cells = plan.table_cells(table)
    finished_runs, problems = [], dict[str, InputError]()
    for run in plan.needed(table).values():
        try:
            finished_runs.append(describe_finished_run(measurements, run))
        except InputError as problem:
            problems[run.id] = problem
    lines: list[dict[str, object]] = []
    reasons = {}
    for cell in cells:
        try:
            for run in cell.runs():
                if run.id in problems:
                    raise problems[run.id]
            lines += measurements.rows(cell)
        except InputError as problem:
            reasons[cell.row, cell.column] = str(problem)
    measured_cells = pd.DataFrame(lines, columns=CSV_FILES["table_cells"].names)
    return MeasuredTable(measured_cells, frame_of_runs(finished_runs), reasons)


def frame_of_runs(lines: list[dict[str, Any]]) -> pd.DataFrame:
    """Lines of ``runs.csv`` as a frame with its columns; what a line lacks is empty."""
    return pd.DataFrame(lines, columns=CSV_FILES["runs"].names)


def collect(plan: Plan) -> pd.DataFrame:
    """Write ``cells.csv`` and ``runs.csv`` from the parts of the tables; returns the cells.

    Raises:
        InputError: a part is missing or damaged, two parts describe a run differently, or a file
            cannot be written.
    """
    cells = [read_csv_file(plan.results, "table_cells", table=name) for name in plan.tables]
    runs = [read_csv_file(plan.results, "table_runs", table=name) for name in plan.tables]
    all_runs = pd.concat(runs, ignore_index=True).drop_duplicates()
    if (repeated := all_runs["run"].duplicated()).any():
        raise InputError(
            f"{all_runs.loc[repeated, 'run'].iloc[0]}: two tables describe this run differently;"
            f" delete {csv_path(plan.results, 'table_runs', '*')} and run snakemake again"
        )
    write_csv_file(plan.results, "runs", all_runs)
    joined = pd.concat(cells, ignore_index=True)
    write_csv_file(plan.results, "cells", joined)
    return joined
