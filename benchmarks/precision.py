"""Compares errors of runs in bfloat16 with those of the same runs in float32.

``python -m benchmarks precision FLOAT32 BFLOAT16`` reads two folders of results that were trained
with the same scale but for ``precision``, and writes docs/data/precision.csv, one line for each run
that both have:

* ``dataset``, ``network``, ``teacher``: what was trained, and the network of its teacher;
* ``objective``, ``generation``, ``seed``;
* ``float32``, ``bfloat16``: the test errors in percent.

``python -m benchmarks.precision`` prints the table that docs/appendix/speed.md has, from that file.
"""

from pathlib import Path

import pandas as pd

from replication.analysis.statistics import Summary, summarise, verdict
from replication.config.paper_names import network_name, paper_name
from replication.errors import InputError
from replication.results.csv_files import read_runs
from replication.wording import markdown_table, with_interval

PAIRS = Path("docs/data/precision.csv")
PRECISIONS = ["float32", "bfloat16"]
KEY = ["dataset", "network", "teacher", "objective", "generation", "seed"]
HEADER = [
    "network",
    "trained on",
    "n",
    "float32 (%)",
    "bfloat16 (%)",
    "bfloat16 − float32",
    "student − teacher, float32",
    "student − teacher, bfloat16",
]


def pair_runs(float32: Path, bfloat16: Path) -> pd.DataFrame:
    """Return the runs that two folders of results have in common, with both errors in percent.

    Raises:
        InputError: there is none, a ``runs.csv`` is missing or damaged, or a folder has runs of a
            precision other than the one it was given for.
    """
    both = [
        _read_errors(folder, precision)
        for folder, precision in zip((float32, bfloat16), PRECISIONS, strict=True)
    ]
    pairs = both[0].merge(both[1], on=KEY)
    if pairs.empty:
        raise InputError(f"{float32} and {bfloat16} have no finished run on images in common")
    return pairs.sort_values(KEY, ignore_index=True, na_position="first")


def _read_errors(folder: Path, precision: str) -> pd.DataFrame:
    """What each run of an image network is, and its test error in percent."""
    runs = read_runs(folder)
    for run, other in runs["precision"].items():
        if other != precision:
            raise InputError(f"{folder}: {run}: was trained in {other}, not in {precision}")
    runs["teacher"] = runs["teacher"].map(runs["network"])
    images = runs[runs["error"].notna()]
    return images[[*KEY, "error"]].rename(columns={"error": precision})


def precision_table(pairs: pd.DataFrame) -> str:
    """Return the Markdown table: each network's errors, and its student's gain, in both precisions.

    Differences are paired by seed and have 95 % t-intervals.
    """
    rows = []
    teachers = pairs[pairs["objective"] == "label"].set_index(["dataset", "network", "seed"])
    kinds = ["dataset", "network", "teacher", "objective", "generation"]
    for (dataset, network, teacher, objective, _), kind in pairs.groupby(kinds, dropna=False):
        name = network_name(str(network))
        trained_on = "labels"
        gains = ["", ""]
        if isinstance(teacher, str):
            trained_on = f"{paper_name(str(objective))}, teacher {network_name(teacher)}"
            of_teacher = teachers.loc[[(dataset, teacher, seed) for seed in kind["seed"]]]
            gains = [
                _gain(summarise(list(kind[precision] - of_teacher[precision].to_numpy())))
                for precision in PRECISIONS
            ]
        difference = summarise(list(kind["bfloat16"] - kind["float32"]))
        means = [f"{kind[precision].mean():.2f}" for precision in PRECISIONS]
        rows.append([name, trained_on, f"{len(kind)}", *means, _with_interval(difference), *gains])
    return markdown_table(HEADER, rows) + "\n"


def _with_interval(summary: Summary[float]) -> str:
    return with_interval(summary.mean, summary.low, summary.high)


def _gain(summary: Summary[float]) -> str:
    return f"{_with_interval(summary)}, {verdict(summary.low, summary.high)}"


if __name__ == "__main__":
    print(precision_table(pd.read_csv(PAIRS)), end="")
