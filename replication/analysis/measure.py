"""From predictions to tidy rows: one line per cell and seed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from replication import files, metrics
from replication.config.decisions import Average
from replication.ensemble import average, average_logits
from replication.errors import InputError
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.csv_files import join_members
from replication.results.prepared_data import data_problem
from replication.results.run_folder import PREDICTIONS, RECORD, RETRAIN
from replication.results.run_record import check_teacher, read_predictions, read_record

Predictions = dict[str, NDArray[Any]]


class Measurements:
    """Measures runs and ensembles from the files in their folders, each read once.

    A run is measured only if its folder agrees with the plan: the recipe is the plan's, and the
    checksums of predictions and teacher are those in ``run.json``. All runs of a cell must have the
    same data and precision, which the recipe does not fix.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.records: dict[str, dict[str, Any]] = {}
        self.predictions: dict[str, Predictions] = {}

    def record(self, run: Run) -> dict[str, Any]:
        """A run's ``run.json``; raises InputError if it is missing, damaged, or not the plan's."""
        if run.id not in self.records:
            folder = self.plan.folder(run)
            record = read_record(folder)
            if record["recipe_hash"] != self.plan.recipe_hash(run):
                raise InputError(
                    f"{folder}: trained with another recipe; delete its {RECORD} and run"
                    " snakemake again"
                )
            if problem := data_problem(self.plan, run, record):
                raise InputError(problem)
            if run.teacher:
                check_teacher(folder, record, self.record(run.teacher))
            self.records[run.id] = record
        return self.records[run.id]

    def predicted(self, run: Run) -> Predictions:
        """A run's predictions; raises like `record`, or if they are not those of ``run.json``."""
        if run.id not in self.predictions:
            folder = self.plan.folder(run)
            predictions, file = read_predictions(folder), folder / PREDICTIONS
            if files.checksum(file, RETRAIN) != self.record(run)["checksums"][PREDICTIONS]:
                raise InputError(f"{file}: the checksum is not the one in {RECORD}; {RETRAIN}")
            self.predictions[run.id] = predictions
        return self.predictions[run.id]

    def value(self, members: Sequence[Run], part: str, mean_of: Average = "probabilities") -> float:
        """Error in percent or perplexity of a run, or of an ensemble of several (§3.1).

        ``part`` is the part of a text, ``mean_of`` what the members are averaged by.
        """
        return measure([self.predicted(run) for run in members], part, mean_of)

    def rows(self, cell: Cell) -> list[dict[str, object]]:
        """A cell's lines in ``cells.csv``, one per seed; raises like `record` and `check_alike`."""
        self.check_alike(cell)
        return [
            {
                "table": cell.table,
                "row": cell.row,
                "column": cell.column,
                "seed": seed,
                "metric": cell.metric,
                "value": self.value(members, cell.part, cell.average),
                "run": join_members(run.id for run in members),
            }
            for seed, members in cell.members.items()
        ]

    def check_alike(self, cell: Cell) -> None:
        """Raise InputError if a cell's runs and their teachers differ in data or in precision."""
        runs = [run for shown in cell.runs() for run in shown.with_lineage]
        records = [self.record(run) for run in runs]
        for what, values in {
            "data": [record["dataset"]["sha256"] for record in records],
            "precision": [record["precision"] for record in records],
        }.items():
            first_runs: dict[str, Run] = {}
            for value, run in zip(values, runs, strict=True):
                first_runs.setdefault(value, run)
            if len(first_runs) > 1:
                two = " and ".join(f"{value} in {run.id}" for value, run in first_runs.items())
                raise InputError(
                    f"cannot average runs with different {what} ({two}); delete the wrong ones and"
                    " run snakemake again"
                )


def measure(members: Sequence[Predictions], part: str, mean_of: Average = "probabilities") -> float:
    """Error in percent of the predictions of one or several runs, or perplexity of one."""
    if "logits" in members[0]:
        return error(
            np.stack([member["logits"] for member in members]), members[0]["labels"], mean_of
        )
    return perplexity(members[0][part])


def error(logits: NDArray[Any], labels: NDArray[Any], mean_of: Average = "probabilities") -> float:
    """Share of wrong predictions in percent: logits (members, n, C), labels (n,)."""
    return metrics.error(combine(logits, mean_of), torch.from_numpy(labels))


def combine(logits: NDArray[Any], mean_of: Average = "probabilities") -> torch.Tensor:
    """What several members predict: the mean of their distributions (§3.1), or of their logits.

    Takes logits (members, n, C), returns (n, C).
    """
    members = torch.from_numpy(logits).double()
    return average(members) if mean_of == "probabilities" else average_logits(members)


def perplexity(log_likelihoods: NDArray[Any]) -> float:
    """exp of the mean negative log-likelihood of a word, in nats."""
    return metrics.perplexity(torch.from_numpy(log_likelihoods))
