"""Results in the suite's format, made from the paper's numbers and noise."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file
from support.plans import ROOT, planned_runs, tiny_plan

from replication.analysis.claims import decide_claims
from replication.analysis.frames import frame_files
from replication.analysis.measure import Average, Measurements
from replication.analysis.quality import summarise_quality
from replication.analysis.summary import summary_lines
from replication.config.paper_claims import read_claims
from replication.metrics import BINS
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.report.results import TABLE_NAMES
from replication.report.tables import measure_cell
from replication.results.schema import CELL_AND_SEED_KEY as KEY

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


class Synthetic(Measurements):
    """The paper's number in each cell, with one deviation per cell and one per seed."""

    def __init__(self, plan: Plan, noise: float) -> None:
        super().__init__(plan)
        generator = np.random.default_rng(0)
        self.values: dict[tuple[tuple[Run, ...], str], float] = {}
        for cell in plan.cells:
            # Where the paper prints nothing, a student is as good as its teacher.
            truth = cell.reported_teacher if cell.reported is None else cell.reported
            assert truth is not None
            own = generator.normal(0, noise)
            for members in cell.members.values():
                value = truth + own + generator.normal(0, noise)
                self.values.setdefault((members, cell.part), value)

    def check_alike(self, cell: Cell) -> None:
        """Synthetic numbers have no records."""

    def value(self, members: Sequence[Run], part: str, of: Average = "probabilities") -> float:
        return self.values[tuple(members), part]

    def parameters(self, cell: Cell) -> int:
        return round(1000 * SIZES[cell.row.removesuffix(" with shared ends")])


def results(
    seeds: int = SEEDS, noise: float = 0.25
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """`cells.csv`, and by name `tables/table<k>.csv`."""
    plan = tiny_plan(tables=TABLE_NAMES, seeds=list(range(seeds)))
    synthetic = Synthetic(plan, noise)
    measured = {cell: measure_cell(cell, synthetic) for cell in plan.cells}
    frames = {
        name: pd.DataFrame(summary_lines([measured[cell][1] for cell in plan.table_cells(name)]))
        for name in plan.tables
    }
    return pd.DataFrame(list(chain.from_iterable(rows for rows, _ in measured.values()))), frames


def runs(seeds: int = SEEDS) -> pd.DataFrame:
    """The lines of `runs.csv` that belong to `results`, by run."""
    return planned_runs(tiny_plan(tables=TABLE_NAMES, seeds=list(range(seeds))))


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
    found = {}
    for column, sharpness in (("max", 12), ("true_class", 6)):
        confidence = generator.beta(sharpness, 1, 500)
        found[column] = np.percentile(confidence / confidence.mean(), percent)
    return pd.DataFrame({"percent": percent, **found})


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
    """`quality.csv` and `reliability.csv` of these cells: noise around a curve."""
    generator = np.random.default_rng(2)
    cells = cells[cells["metric"] == "test error (%)"]
    frames = [
        cells.assign(metric=name, value=level + generator.normal(0, 0.1 * level, len(cells)))
        for name, level in (("nll", 0.7), ("brier", 0.3), ("ece", 6.0))
    ]
    confidence = (np.arange(BINS) + 0.5) / BINS
    bins = cells[KEY].merge(pd.DataFrame({"bin": np.arange(1, BINS + 1)}), how="cross")
    bins["count"] = 5 * bins["bin"]
    bins["confidence"] = confidence[bins["bin"] - 1]
    bins["accuracy"] = (bins["confidence"] ** 0.8 + generator.normal(0, 0.02, len(bins))).clip(0, 1)
    return pd.concat(frames, ignore_index=True), bins


def write(folder: Path, seeds: int = SEEDS, samples: int = 60, side: int = 4) -> Path:
    """Write a scale's results: cells, claims, the six tables, and files of table 2's runs."""
    generator = np.random.default_rng(1)
    (folder / "tables").mkdir(parents=True)
    cells, frames = results(seeds)
    cells.to_csv(folder / "cells.csv", index=False)
    (folder / "cells").mkdir()
    cells.query("table == 'table2'").to_csv(folder / "cells/table2.csv", index=False)
    measured, bins = quality(cells)
    described = runs(seeds)
    # What only a training can tell, and no synthetic result needs.
    trained = {"parameters": 1, "precision": "float32", "model_sha256": "0"}
    trained["predictions_sha256"] = "0"
    described.assign(**trained).to_csv(folder / "runs.csv", index=False)
    claims, numbers = decide_claims(read_claims(ROOT / "tables"), cells, described, measured)
    claims.to_csv(folder / "claims.csv", index=False)
    numbers.to_csv(folder / "claims_power.csv", index=False)
    measured.to_csv(folder / "quality.csv", index=False)
    bins.to_csv(folder / "reliability.csv", index=False)
    frames["quality"] = summarise_quality(measured, described)
    for name, frame in frames.items():
        frame.to_csv(folder / f"tables/{name}.csv", index=False)
        (folder / f"tables/{name}.html").write_text(f"<table><caption>{name}</caption></table>\n")
    for cell in cells.query("table == 'table2'").to_dict("records"):
        run = folder / "runs" / cell["run"]
        if ";" in cell["run"]:
            continue
        run.mkdir(parents=True, exist_ok=True)
        _history(cell["column"], generator).to_csv(run / "history.csv", index=False)
        if cell["column"] == "teacher":
            save_file(_predictions(samples, side, generator), run / "predictions.safetensors")
        if cell["column"] == "cwtm":
            _weights(generator).to_csv(run / "confidence_weights.csv", index=False)
    (folder / "frames").mkdir()
    for file, text in frame_files(folder).items():
        file.write_text(text)
    return folder
