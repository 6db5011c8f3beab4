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

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from replication import metrics
from replication.analysis.cells_csv import CELL, COLUMNS, KEY, read_cells
from replication.analysis.measure import Average, Measurements, Predictions
from replication.analysis.summary import DIFFERENCES, LEVELS, cell_statistics
from replication.errors import InputError
from replication.plan.plan import Plan

BINS = [*KEY, "bin", "count", "confidence", "accuracy"]
SUMMARY = [*CELL, "metric", *LEVELS, "n", *DIFFERENCES]
ERROR = "error (%)"
"""How the metric of an image network's cell ends."""


def teacher_of(run: str) -> str | None:
    """The id of the run that agreement and KL of a cell's runs (``a``, ``a;b``) refer to.

    The direct teacher of a run, generation 0 of an ensemble; None for networks without teacher.
    """
    *_, last = run.split(";")
    dataset, first, *students = last.split("/")
    if not students:
        return None
    return f"{dataset}/{first}" if ";" in run else last.rpartition("/")[0]


def quality(
    members: Sequence[Predictions], teacher: Predictions | None, of: Average = "probabilities"
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """The metrics of one run or ensemble by name, and its reliability bins (15, 3)."""
    own, labels = _log_probabilities(members, of), torch.from_numpy(members[0]["labels"])
    bins = metrics.reliability(own, labels)
    found = {
        "nll": metrics.nll(own, labels),
        "brier": metrics.brier(own, labels),
        "ece": metrics.calibration_error(bins),
    }
    if teacher:
        theirs = _log_probabilities([teacher], of)
        found["agreement"] = metrics.agreement(own, theirs)
        found["kl"] = metrics.divergence(own, theirs)
    return found, bins.numpy()


def _log_probabilities(members: Sequence[Predictions], of: Average) -> torch.Tensor:
    """Log of the members' mean distribution (§3.1), or of that of their mean logits: (n, C).

    As logarithms, because a probability below 1e-308 is zero.
    """
    logits = torch.from_numpy(np.stack([it["logits"] for it in members])).double()
    if of == "logits":
        return logits.mean(0).log_softmax(-1)
    return logits.log_softmax(-1).logsumexp(0) - math.log(len(logits))


def measure_quality(plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The lines of ``quality.csv`` and of ``reliability.csv``.

    One per cell, seed and metric, with the columns of ``cells.csv``; one per cell, seed and bin
    that is not empty. Every run is read once.

    Raises:
        InputError: ``cells.csv`` or the predictions of one of its runs are missing or damaged, or
            those of a cell and its teacher are for different items.
    """
    found = read_cells(plan.results / "cells.csv")
    there = set(found[found["metric"].str.endswith(ERROR)].set_index(CELL).index)
    cells = [cell for cell in plan.cells if (cell.table, cell.row, cell.column) in there]
    lines, bins = [], []
    for seed in plan.seeds:
        # Lineages stay within a seed, so the predictions of one are in memory at a time.
        measurements = Measurements(plan)
        for place, cell in enumerate(cells):
            if seed not in cell.members:
                continue
            run = ";".join(member.id for member in cell.members[seed])
            above = teacher_of(run)
            members = [measurements.predicted(member) for member in cell.members[seed]]
            teacher = measurements.predicted(plan.run(above)) if above else None
            for it in (*members, *([teacher] if teacher else [])):
                if not np.array_equal(it["labels"], members[0]["labels"]):
                    raise InputError(
                        f"{run}: the predictions of its networks and of their teacher are for"
                        " different items; delete the wrong runs and call snakemake again"
                    )
            values, filled = quality(members, teacher, cell.average)
            key = (place, cell.table, cell.row, cell.column, seed)
            lines += [(*key, name, value, run) for name, value in values.items()]
            bins += [(*key, n, *row) for n, row in enumerate(filled.tolist(), 1) if row[0]]
    frames = [
        pd.DataFrame(rows, columns=["place", *columns])
        .sort_values("place", kind="stable", ignore_index=True)
        .astype({"seed": int})[columns]
        for rows, columns in ((lines, COLUMNS), (bins, BINS))
    ]
    return frames[0], frames[1].astype({"bin": int, "count": int})


def summarise_quality(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval over the seeds, and the paired difference to generation 0, by `SUMMARY`.

    `frame` is ``quality.csv``; one line per cell and metric, Table 2 first. Agreement and KL have
    no difference, because generation 0 has neither.
    """
    root_teacher = frame["run"].str.extract(r"([^/;]+/[^/;]+)/[^;]+$", expand=False)
    by_run = frame.drop_duplicates(["metric", "run"]).set_index(["metric", "run"])["value"]
    teachers = by_run.reindex(pd.MultiIndex.from_arrays([frame["metric"], root_teacher]))
    paired = frame.assign(teacher=teachers.to_numpy())
    lines = []
    for key, of_cell in paired.groupby([*CELL, "metric"], sort=False):
        seeds = of_cell["seed"].tolist()
        values = dict(zip(seeds, of_cell["value"].tolist(), strict=True))
        theirs = dict(zip(seeds, of_cell["teacher"].tolist(), strict=True))
        known = theirs if of_cell["teacher"].notna().all() else {}
        numbers = cell_statistics(values, known)
        lines.append({**dict(zip([*CELL, "metric"], key, strict=True)), **numbers})
    numeric = dict.fromkeys([*LEVELS, *DIFFERENCES], float)
    summary = pd.DataFrame(lines, columns=SUMMARY).astype(numeric)
    return summary.sort_values("table", key=lambda it: it != "table2", kind="stable")
