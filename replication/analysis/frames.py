"""What the figures of §3.2 show of the runs of Table 2: small frames in ``frames/``.

* ``learning_curves.csv``: by row, column and epoch, each metric's mean over the seeds, and their
  lowest and highest value;
* ``confidence_weights.csv``: by row and percent, percentiles of CWTM's weights and of those of
  equation 9, times the batch size, as means over the seeds;
* ``class_similarity.csv``: mean probability of each class by argmax, of the teacher's predictions
  for the test images of all seeds, as they are and permuted by DKPP.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from replication import files
from replication.errors import InputError
from replication.objectives import permute_dark_knowledge
from replication.plan.plan import Plan
from replication.results.csv_files import (
    csv_path,
    csv_text,
    is_one_run,
    read_csv,
    read_csv_file,
)
from replication.results.run_folder import CONFIDENCE_WEIGHTS, HISTORY
from replication.results.run_history import WEIGHT_COLUMNS
from replication.results.run_record import read_predictions

TABLE = "table2"
TEACHER = "densenet-90-60"
CURVES = ("train_loss", "train_error", "divergence", "ground_truth_share", "ban_cosine")
DIGITS = "%.5g"


def build_frames(plan: Plan) -> None:
    """Write the frames; raises InputError like `frame_files`, and if the scale has no Table 2."""
    plan.table_cells(TABLE)
    for file, text in frame_files(plan.results).items():
        files.write_text(file, text)


def frame_files(results: Path) -> dict[Path, str]:
    """The files of `build_frames` with their texts, from a folder ``results/<scale>``.

    Raises:
        InputError: the cells of Table 2, a history or predictions are missing or damaged.
    """
    cells = read_csv_file(results, "table_cells", table=TABLE)
    of_one_network = is_one_run(cells["run"])
    frames = {
        "learning_curves": _learning_curves(results, cells[of_one_network]),
        "confidence_weights": _confidence_weights(results, cells[cells["column"] == "cwtm"]),
        "class_similarity": _class_similarity(results, cells[cells["column"] == "teacher"]),
    }
    return {
        csv_path(results, name): csv_text(name, frame, DIGITS) for name, frame in frames.items()
    }


def _learning_curves(results: Path, cells: pd.DataFrame) -> pd.DataFrame:
    curves = _of_runs(results, cells, HISTORY, "epoch", *CURVES)
    groups = curves.groupby(["row", "column", "epoch"], sort=False)[[*CURVES]]
    lowest, highest = groups.min().add_suffix("_low"), groups.max().add_suffix("_high")
    return groups.mean().join([lowest, highest]).reset_index()


def _confidence_weights(results: Path, cells: pd.DataFrame) -> pd.DataFrame:
    weights = _of_runs(results, cells, CONFIDENCE_WEIGHTS, *WEIGHT_COLUMNS)
    return weights.groupby(["row", "percent"], sort=False)[WEIGHT_COLUMNS[1:]].mean().reset_index()


def _of_runs(results: Path, cells: pd.DataFrame, name: str, *columns: str) -> pd.DataFrame:
    """A csv file of the runs behind the cells, with their row and column."""
    frames = []
    for row, column, run in cells[["row", "column", "run"]].itertuples(index=False):
        file = results / "runs" / run / name
        frame = read_csv(file, "run snakemake again")
        if missing := [name for name in columns if name not in frame]:
            raise InputError(
                f"{file}: lacks {', '.join(missing)}, because another version wrote it; delete the"
                " run's run.json and run snakemake again"
            )
        frames.append(frame[[*columns]].assign(row=row, column=column))
    return pd.concat(frames) if frames else pd.DataFrame(columns=["row", "column", *columns])


def _class_similarity(results: Path, cells: pd.DataFrame) -> pd.DataFrame:
    runs = cells.loc[cells["row"] == TEACHER, "run"]
    logits = [read_predictions(results / "runs" / run)["logits"] for run in runs]
    if not logits:
        return pd.DataFrame(columns=["treatment", "argmax"])
    probabilities = softmax(np.concatenate(logits).astype(np.float64), axis=-1)
    generator = torch.Generator().manual_seed(0)
    permuted = permute_dark_knowledge(torch.from_numpy(probabilities), generator).numpy()
    both = {"ban": by_argmax(probabilities), "dkpp": by_argmax(permuted)}
    return pd.concat(
        [
            pd.DataFrame(means).rename_axis("argmax").reset_index().assign(treatment=treatment)
            for treatment, means in both.items()
        ]
    )


def by_argmax(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean distribution of the samples with the same argmax, (classes, classes); no diagonal.

    Takes probabilities (n, classes). A class that is nowhere the argmax has NaN.
    """
    members = np.eye(probabilities.shape[1])[probabilities.argmax(-1)]
    counts = members.sum(0)[:, None]
    means = members.T @ probabilities / np.where(counts, counts, np.nan)
    np.fill_diagonal(means, np.nan)
    return np.asarray(means)
