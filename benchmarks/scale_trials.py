"""Prints the table of trials from which the sizes and the recipe of a scale were chosen.

``python -m benchmarks.scale_trials`` prints the table that docs/explanation/fair-test.md has for
`cifar`, from docs/data/cifar_trials.csv. A line of that file is one label-trained network:

* ``dataset``, ``network``, ``width``, ``parameters``: what was trained; the width is the growth of
  a DenseNet, and the channels of the first group or stage of a residual network;
* ``train_images``: how many, the same number of every class;
* ``epochs``, ``batch_size``, ``learning_rate``, ``milestones``: the recipe, whose other keys are
  those of config/cifar.yaml; the rate is multiplied by ``gamma`` after each milestone;
* ``seed``;
* ``train_error``, ``validation_error``: in percent, of the last epoch and of the held-out images;
* ``validation_nll``: mean negative log-likelihood of the held-out images in nats;
* ``cpu_seconds``: processor time of the one thread that trained;
* ``epochs_done``: how many epochs were trained; fewer than ``epochs`` where a trial was stopped,
  which then has no validation error.
"""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from replication.wording import markdown_table

TRIALS = Path("docs/data/cifar_trials.csv")
HEADER = [
    "data set",
    "network",
    "width",
    "parameters",
    "images",
    "epochs",
    "batch",
    "rate",
    "milestones",
    "seed",
    "train error %",
    "validation error %",
    "validation NLL",
    "CPU seconds",
]


def read_trials(file: Path = TRIALS) -> pd.DataFrame:
    """The trials in the order in which they were run, one line each."""
    return pd.read_csv(file, dtype={"milestones": str}).fillna({"milestones": ""})


def trials_table(trials: pd.DataFrame) -> str:
    """The trials as a Markdown table, one line each."""
    return markdown_table(HEADER, map(_cells, trials.to_dict("records"))) + "\n"


def _cells(trial: Mapping[Hashable, Any]) -> list[str]:
    epochs, done = trial["epochs"], trial["epochs_done"]
    validation = [
        "–" if pd.isna(trial[column]) else f"{trial[column]:{digits}}"
        for column, digits in (("validation_error", ".1f"), ("validation_nll", ".2f"))
    ]
    return [
        str(trial["dataset"]),
        str(trial["network"]),
        str(trial["width"]),
        f"{trial['parameters']:,}",
        f"{trial['train_images']:,}",
        str(epochs) if done == epochs else f"{done} of {epochs}",
        str(trial["batch_size"]),
        f"{trial['learning_rate']:g}",
        ", ".join(str(trial["milestones"]).split()),
        str(trial["seed"]),
        f"{trial['train_error']:.1f}",
        *validation,
        f"{trial['cpu_seconds']:.0f}",
    ]


if __name__ == "__main__":
    print(trials_table(read_trials()), end="")
