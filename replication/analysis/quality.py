"""What predictions are worth besides their error: likelihood, calibration, agreement.

For the cells of image networks in ``cells.csv``, from the saved predictions:

* ``nll``: negative log-likelihood of the labels, in nats;
* ``brier``: Brier score, the sum over the classes, from 0 to 2;
* ``ece``: expected calibration error with 15 bins, in percent;
* ``agreement``: test items with the teacher's prediction, in percent;
* ``kl``: KL(teacher || student) per test item, in nats.

The last two compare a run with its direct teacher, which it imitates, and an ensemble with
generation 0 of its lineage. Label-trained networks have none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from replication import metrics
from replication.analysis.measure import Measurements, Predictions, combine
from replication.analysis.summary import (
    CellSamples,
    network_kind,
    show_one_run,
    statistics_of_cells,
)
from replication.config.decisions import Average
from replication.ensemble import average_logits, log_average
from replication.errors import InputError
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.correctness import CellAndSeed, write_correctness
from replication.results.csv_columns import CELL_KEY, DIFFERENCES, LEVELS
from replication.results.csv_files import (
    join_members,
    read_cells,
    root_teachers,
    split_members,
    write_csv_file,
)
from replication.results.schema import CSV_FILES

SIX_DIGITS = "%.6g"
"""Format of ``reliability.csv.gz``, whose counts of correct images follow from six digits."""
ERROR = "error (%)"
"""How the metric of an image network's cell ends."""


def reference_of(members: Sequence[Run]) -> Run | None:
    """The run that agreement and KL of a cell's runs refer to.

    The direct teacher of a single run, generation 0 of an ensemble; None without a teacher.
    """
    last = members[-1]
    if last.teacher is None:
        return None
    return last.teacher if len(members) == 1 else last.root_teacher


def quality(
    members: Sequence[Predictions],
    teacher: Predictions | None,
    mean_of: Average = "probabilities",
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """The metrics of one run or ensemble by name, and its reliability bins (15, 3).

    Args:
        members: the predictions of the run, or of each member of the ensemble: logits (n, C) and
            labels (n,) of the same n test images.
        teacher: those of its teacher, for agreement (%) and KL(teacher ‖ student) in nats.
        mean_of: what the members are averaged by.

    Returns:
        NLL in nats, the Brier score, ECE in percent, and what the teacher is compared with; and
        for each bin of confidence its count, mean confidence and accuracy.
    """
    log_probabilities = _log_probabilities(members, mean_of)
    labels = torch.from_numpy(members[0]["labels"])
    bins = metrics.reliability(log_probabilities, labels)
    values = {
        "nll": metrics.nll(log_probabilities, labels),
        "brier": metrics.brier(log_probabilities, labels),
        "ece": metrics.calibration_error(bins),
    }
    if teacher:
        teacher_log_probabilities = _log_probabilities([teacher], mean_of)
        values["agreement"] = metrics.agreement(log_probabilities, teacher_log_probabilities)
        values["kl"] = metrics.divergence(log_probabilities, teacher_log_probabilities)
    return values, bins.numpy()


def _log_probabilities(members: Sequence[Predictions], mean_of: Average) -> torch.Tensor:
    """Log of the members' mean distribution (§3.1), or of that of their mean logits: (n, C)."""
    logits = torch.from_numpy(np.stack([member["logits"] for member in members])).double()
    if mean_of == "logits":
        return average_logits(logits).log_softmax(-1)
    return log_average(logits)


@dataclass(frozen=True)
class QualityFrames:
    """The lines of ``quality.csv.gz`` and ``reliability.csv.gz``, and what each cell gets right."""

    quality: pd.DataFrame
    reliability: pd.DataFrame
    correctness: dict[CellAndSeed, NDArray[np.bool_]]


def write_quality(plan: Plan) -> QualityFrames:
    """Write ``quality.csv.gz``, ``reliability.csv.gz`` and ``correct.safetensors``.

    Raises:
        InputError: as `measure_quality`, or a file cannot be written.
    """
    frames = measure_quality(plan)
    write_csv_file(plan.results, "quality", frames.quality)
    write_csv_file(plan.results, "reliability", frames.reliability, float_format=SIX_DIGITS)
    write_correctness(plan.results, frames.correctness)
    return frames


def measure_quality(plan: Plan) -> QualityFrames:
    """Measure the image cells in ``cells.csv`` from the predictions of their runs.

    Every run is read once.

    Raises:
        InputError: ``cells.csv`` or the predictions of one of its runs are missing or damaged, or
            those of a cell and its teacher are for different items.
    """
    measured_cells = read_cells(plan.results)
    on_images = measured_cells["metric"].str.endswith(ERROR)
    names = set(measured_cells[on_images].set_index(CELL_KEY).index)
    cells = [cell for cell in plan.cells if (cell.table, cell.row, cell.column) in names]
    lines, bins = [], []
    correctness: dict[tuple[int, CellAndSeed], NDArray[np.bool_]] = {}
    for seed in plan.seeds:
        # Lineages stay within a seed, so the predictions of one are in memory at a time.
        measurements = Measurements(plan)
        for place, cell in enumerate(cells):
            if seed not in cell.members:
                continue
            members, teacher = _read_predictions(measurements, cell, seed)
            run = join_members(member.id for member in cell.members[seed])
            values, filled = quality(members, teacher, cell.average)
            key = (cell.table, cell.row, cell.column, seed)
            lines += [(place, *key, name, value, run) for name, value in values.items()]
            bins += [(place, *key, n, *row) for n, row in enumerate(filled.tolist(), 1) if row[0]]
            logits = np.stack([member["logits"] for member in members])
            predicted = combine(logits, cell.average).argmax(-1).numpy()
            correctness[place, key] = predicted == members[0]["labels"]
    quality_frame, reliability_frame = (
        pd.DataFrame(rows, columns=["place", *CSV_FILES[name].names])
        .sort_values("place", kind="stable", ignore_index=True)
        .astype({"seed": int})[CSV_FILES[name].names]
        for name, rows in (("quality", lines), ("reliability", bins))
    )
    return QualityFrames(
        quality_frame,
        reliability_frame.astype({"bin": int, "count": int}),
        {key: correctness[place, key] for place, key in sorted(correctness)},
    )


def _read_predictions(
    measurements: Measurements, cell: Cell, seed: int
) -> tuple[list[Predictions], Predictions | None]:
    """The predictions of a cell's runs and of the run that they are compared with."""
    runs = cell.members[seed]
    members = [measurements.predicted(run) for run in runs]
    reference = reference_of(runs)
    teacher = measurements.predicted(reference) if reference else None
    for predictions in (*members, *([teacher] if teacher else [])):
        if not np.array_equal(predictions["labels"], members[0]["labels"]):
            raise InputError(
                f"{join_members(run.id for run in runs)}: the predictions of its networks and of"
                " their teacher are for different items; delete the wrong runs and run snakemake"
                " again"
            )
    return members, teacher


def summarise_quality(frame: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval over the seeds, and the paired difference from generation 0.

    `frame` is ``quality.csv.gz`` and `runs` is ``runs.csv``, indexed by run. Returns the lines of
    ``tables/quality.csv``: one per cell and metric, Table 2 first. Agreement and KL have no
    difference, because generation 0 has neither.
    """
    by_run = frame.drop_duplicates(["metric", "run"]).set_index(["metric", "run"])["value"]
    pairs = pd.MultiIndex.from_arrays([frame["metric"], root_teachers(frame["run"], runs)])
    paired = frame.assign(teacher=by_run.reindex(pairs).to_numpy())
    key = [*CELL_KEY, "metric"]
    samples = {
        tuple(map(str, names)): _samples(of_cell, runs)
        for names, of_cell in paired.groupby(key, sort=False)
    }
    statistics: dict[tuple[str, ...], dict[str, Any]] = {}
    for table, metric in dict.fromkeys((names[0], names[-1]) for names in samples):
        # The cells of one table share the spread of a metric.
        cells = [names for names in samples if (names[0], names[-1]) == (table, metric)]
        numbers = statistics_of_cells([samples[names] for names in cells])
        statistics |= zip(cells, numbers, strict=True)
    lines = [dict(zip(key, names, strict=True)) | statistics[names] for names in samples]
    numeric = dict.fromkeys([*LEVELS, *DIFFERENCES], float)
    summary = pd.DataFrame(lines, columns=CSV_FILES["quality_table"].names).astype(numeric)
    return summary.sort_values("table", key=lambda tables: tables != "table2", kind="stable")


def _samples(of_cell: pd.DataFrame, runs: pd.DataFrame) -> CellSamples:
    """The values of one cell and metric by seed, and its teachers' if all of them are known."""
    members = split_members(of_cell["run"].iloc[0])
    seeds = of_cell["seed"].tolist()
    values = dict(zip(seeds, of_cell["value"].tolist(), strict=True))
    teachers = dict(zip(seeds, of_cell["teacher"].tolist(), strict=True))
    return CellSamples(
        network_kind(str(runs["network"][members[-1]]), len(members)),
        values,
        teachers if of_cell["teacher"].notna().all() else {},
        show_one_run(of_cell),
    )
