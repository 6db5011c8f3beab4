"""The file ``runs.csv`` of published results: one line per run, instead of its folder."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from replication import metrics
from replication.analysis.cells_csv import read_csv
from replication.analysis.measure import Measurements, Predictions
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_folder import HISTORY, MODEL, PREDICTIONS, RETRAIN

FILE = "runs.csv"
PLANNED = ["run", "recipe_hash", "dataset", "network", "objective", "generation", "seed", "teacher"]
"""What the plan says of a run."""
RESULTS = ["error", "validation_perplexity", "test_perplexity", "nll", "train_error"]
SUMS = ["model_sha256", "predictions_sha256"]
ENVIRONMENT = ["device", "precision", "threads", "python", "torch", "timm", "commit", "dirty"]
COLUMNS = [*PLANNED, *RESULTS, "parameters", "seconds", *ENVIRONMENT, *SUMS]
TEXTS = dict.fromkeys((*PLANNED, *ENVIRONMENT, *SUMS), str) | {"generation": int, "seed": int}


def result_column(metric: str) -> str:
    """The column that has a cell's metric, such as ``test error (%)``."""
    return "error" if metric.endswith("error (%)") else metric.replace(" ", "_")


def planned(plan: Plan, run: Run) -> dict[str, Any]:
    """A run's line as far as the plan knows it, by `PLANNED`."""
    return {
        "run": run.id,
        "recipe_hash": plan.recipe_hash(run),
        "dataset": run.dataset.name,
        "network": run.network,
        "objective": run.objective,
        "generation": run.generation,
        "seed": run.seed,
        "teacher": run.teacher.id if run.teacher else None,
    }


def collect_runs(plan: Plan) -> pd.DataFrame:
    """The lines of all runs of a plan, by `COLUMNS`, from their folders.

    ``error`` is in percent, ``nll`` in nats per test item or word, ``train_error`` that of the last
    epoch in percent. Raises InputError if a run is not trained, or its files are damaged.
    """
    measurements = Measurements(plan)
    lines = []
    for run in plan.runs.values():
        record = measurements.record(run)
        code, versions = record.get("code") or {}, record.get("versions") or {}
        line = planned(plan, run) | {name: record.get(name) for name in ENVIRONMENT}
        line |= {result_column(metric): value for metric, value in record["result"].items()}
        line["nll"] = _nll(measurements.predicted(run))
        line["train_error"] = _train_error(plan, run)
        line |= {name: record.get(name) for name in ("parameters", "seconds")}
        line |= {name: versions.get(name) for name in ("python", "torch", "timm")}
        line |= {name: code.get(name) for name in ("commit", "dirty")}
        line |= zip(SUMS, (record["checksums"][it] for it in (MODEL, PREDICTIONS)), strict=True)
        lines.append(line)
        # Lineages follow each other, but nothing here needs two predictions at a time.
        measurements.predictions.clear()
    return pd.DataFrame(lines, columns=COLUMNS)


def _nll(predictions: Predictions) -> float:
    if "logits" not in predictions:
        return float(-torch.from_numpy(predictions["test"]).double().mean())
    logits = torch.from_numpy(predictions["logits"]).double()
    return metrics.nll(logits.log_softmax(-1), torch.from_numpy(predictions["labels"]))


def _train_error(plan: Plan, run: Run) -> float | None:
    history = read_csv(plan.folder(run) / HISTORY, RETRAIN)
    return history["train_error"].iloc[-1] if "train_error" in history else None


def read_runs(file: Path) -> pd.DataFrame:
    """Read ``runs.csv``, by run; raises InputError if it is missing or damaged."""
    hint = "publish the results again: replication publish"
    runs = read_csv(file, hint, dtype=TEXTS)
    if list(runs.columns) != COLUMNS:
        raise InputError(f"{file}: the columns are not {', '.join(COLUMNS)}; {hint}")
    if runs["run"].isna().any() or runs["run"].duplicated().any():
        raise InputError(f"{file}: damaged (a run is listed twice, or has no name); {hint}")
    return runs.set_index("run", drop=False)
