"""Results in the suite's format, made from the paper's numbers and noise."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import save_file
from support.plans import ROOT, tiny_plan

from replication.analysis.claims import claims_of
from replication.analysis.collect import describe_planned_run, result_column
from replication.analysis.frames import frame_files
from replication.analysis.quality import summarise_quality
from replication.analysis.table_statistics import table_statistics
from replication.metrics import BINS
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.report.opened_results import TABLE_NAMES
from replication.results.csv_columns import CELL_AND_SEED_KEY
from replication.results.csv_files import join_members, split_members, write_csv_file
from replication.results.scale_file import write_scale
from replication.results.schema import CSV_FILES

SEEDS = 3
EPOCHS = 12
SPECS = tiny_plan(tables=TABLE_NAMES).tables
# Parameters in millions by row, in whichever table they are printed.
SIZES = {
    row: spec.params
    for table in SPECS.values()
    for row, spec in table.rows.items()
    if spec.params is not None
}
HISTORY = ["epoch", "learning_rate", "train_loss", "train_error", "test_error", "divergence"]


def plan_of(seeds: int = SEEDS) -> Plan:
    """The six tables at the tiny scale, with this number of seeds."""
    return tiny_plan(tables=TABLE_NAMES, seeds=list(range(seeds)))


def cells_and_runs(plan: Plan, noise: float = 0.25) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`cells.csv`, and `runs.csv` indexed by run.

    In each cell the paper's number, with one deviation per cell and one per seed; where the paper
    prints nothing, a student is as good as its teacher.
    """
    generator = np.random.default_rng(0)
    values: dict[tuple[tuple[Run, ...], str], float] = {}
    lines: list[tuple[object, ...]] = []
    of_runs: dict[str, dict[str, Any]] = {
        run.id: describe_planned_run(plan, run)
        | dict.fromkeys(["model_sha256", "predictions_sha256"], run.id)
        | {"precision": "float32", "parameters": 0}
        for run in plan.runs.values()
    }
    for cell in plan.cells:
        truth = cell.reported_teacher if cell.reported is None else cell.reported
        assert truth is not None
        own = generator.normal(0, noise)
        for seed, members in cell.members.items():
            value = truth + own + generator.normal(0, noise)
            value = values.setdefault((members, cell.part), value)
            names = join_members(run.id for run in members)
            lines.append((cell.table, cell.row, cell.column, seed, cell.metric, value, names))
            if len(members) == 1:
                of_runs[names][result_column(cell.metric)] = value
            size = SIZES[cell.row.removesuffix(" with shared ends")]
            of_runs[members[-1].id]["parameters"] = round(1000 * size)
    cells = pd.DataFrame(lines, columns=CSV_FILES["cells"].names)
    runs = pd.DataFrame([*of_runs.values()], columns=CSV_FILES["runs"].names)
    return cells, runs.set_index("run", drop=False)


def results(
    seeds: int = SEEDS, noise: float = 0.25
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """`cells.csv`, and by name `tables/table<k>.csv`."""
    plan = plan_of(seeds)
    cells, runs = cells_and_runs(plan, noise)
    frames = {name: table_statistics(plan, name, cells, runs) for name in plan.tables}
    return cells, frames


def runs(seeds: int = SEEDS) -> pd.DataFrame:
    """`runs.csv` of `results`, indexed by run."""
    return cells_and_runs(plan_of(seeds))[1]


def _history(column: str, generator: np.random.Generator) -> pd.DataFrame:
    epoch = np.arange(1, EPOCHS + 1)
    cosine = {"ban+l": 0.95, "cwtm": 0.8, "dkpp": 0.85}.get(column, 1.0)
    truth = 0.55 + 0.3 * np.exp(-epoch / 4) * (0.5 if column == "dkpp" else 1)
    truth = truth + generator.normal(0, 0.01, EPOCHS)
    blank = dict.fromkeys(HISTORY, 0.0)
    return pd.DataFrame(blank, index=epoch).assign(
        epoch=epoch,
        ground_truth_share=truth,
        dark_knowledge_share=1 - truth,
        ban_cosine=cosine - 0.2 * (1 - cosine) * epoch / EPOCHS,
    )


def _weights(generator: np.random.Generator) -> pd.DataFrame:
    """Percentiles of weights: most images have a sure teacher, few an unsure one."""
    percent = np.arange(101)
    weights = {}
    for column, sharpness in (("max", 12), ("true_class", 6)):
        confidence = generator.beta(sharpness, 1, 500)
        weights[column] = np.percentile(confidence / confidence.mean(), percent)
    return pd.DataFrame({"percent": percent, **weights})


def _predictions(n: int, side: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Logits over side² classes, pairs of digits: classes that share a digit are similar."""
    labels = generator.integers(0, side * side, n)
    classes = np.arange(side * side)
    tens = labels[:, None] // side == classes // side
    units = labels[:, None] % side == classes % side
    signal = generator.gamma(3.0, 0.8, (n, 1)) * (tens.astype(float) + units)
    logits = signal + generator.normal(0, 1, (n, side * side))
    return {"logits": logits.astype(np.float32), "labels": labels}


def quality(cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`quality.csv.gz` and `reliability.csv.gz` of these cells: noise around a curve."""
    generator = np.random.default_rng(2)
    cells = cells[cells["metric"] == "test error (%)"]
    frames = [
        cells.assign(metric=name, value=level + generator.normal(0, 0.1 * level, len(cells)))
        for name, level in (("nll", 0.7), ("brier", 0.3), ("ece", 6.0))
    ]
    confidence = (np.arange(BINS) + 0.5) / BINS
    bins = cells[CELL_AND_SEED_KEY].merge(
        pd.DataFrame({"bin": np.arange(1, BINS + 1)}), how="cross"
    )
    bins["count"] = 5 * bins["bin"]
    bins["confidence"] = confidence[bins["bin"] - 1]
    bins["accuracy"] = (bins["confidence"] ** 0.8 + generator.normal(0, 0.02, len(bins))).clip(0, 1)
    return pd.concat(frames, ignore_index=True), bins


def write(folder: Path, seeds: int = SEEDS, samples: int = 60, side: int = 4) -> Path:
    """Write a scale's results: cells, runs, claims, tables, and files of table 2's runs."""
    generator = np.random.default_rng(1)
    plan = plan_of(seeds)
    plan = replace(plan, results=folder)
    cells, runs = cells_and_runs(plan)
    write_csv_file(folder, "cells", cells)
    write_csv_file(folder, "runs", runs)
    for name in plan.tables:
        of_table = cells[cells["table"] == name]
        write_csv_file(folder, "table_cells", of_table, name)
        write_csv_file(folder, "table_runs", runs.loc[[*plan.needed(name)]], name)
        write_csv_file(folder, "table", table_statistics(plan, name, of_table, runs), name)
        html = f"<table><caption>{name}</caption></table>\n"
        (folder / f"tables/{name}.html").write_text(html)
    measured, bins = quality(cells)
    write_csv_file(folder, "quality", measured)
    write_csv_file(folder, "reliability", bins)
    write_csv_file(folder, "quality_table", summarise_quality(measured, runs))
    (folder / "tables/quality.html").write_text("<table><caption>quality</caption></table>\n")
    write_scale(plan)
    claims, numbers = claims_of(plan, ROOT / "tables")
    write_csv_file(folder, "claims", claims)
    write_csv_file(folder, "claims_power", numbers)
    _write_runs(folder, cells[cells["table"] == "table2"], samples, side, generator)
    (folder / "frames").mkdir()
    for file, text in frame_files(folder).items():
        file.write_text(text)
    return folder


def _write_runs(
    folder: Path, cells: pd.DataFrame, samples: int, side: int, generator: np.random.Generator
) -> None:
    """Write the files in the folders of these cells' runs that the frames are made from."""
    for column, names in cells[["column", "run"]].itertuples(index=False):
        if len(split_members(names)) > 1:
            continue
        run = folder / "runs" / names
        run.mkdir(parents=True, exist_ok=True)
        _history(column, generator).to_csv(run / "history.csv", index=False)
        if column == "teacher":
            save_file(_predictions(samples, side, generator), run / "predictions.safetensors")
        if column == "cwtm":
            _weights(generator).to_csv(run / "confidence_weights.csv", index=False)
