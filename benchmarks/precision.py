"""Compares errors of runs in bfloat16 with those of the same runs in float32.

``python -m benchmarks precision FLOAT32 BFLOAT16`` reads two folders of results that were trained
with the same scale but for ``precision``, and writes docs/data/precision.csv, one line for each run
that both have:

* ``dataset``, ``network``, ``teacher``: what was trained, and the network of its teacher;
* ``objective``, ``generation``, ``seed``;
* ``float32``, ``bfloat16``: the test errors in percent.

``python -m benchmarks.precision`` prints the table that docs/appendix/speed.md has, from that file.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from replication.analysis.statistics import Summary, summarise, verdict
from replication.errors import InputError
from replication.report.paper_names import network_name, paper_name
from replication.report.published_results import markdown_table, with_interval

PAIRS = Path("docs/data/precision.csv")
PRECISIONS = ["float32", "bfloat16"]
ERROR = "test error (%)"
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
        InputError: there is none, or a folder has runs of another precision than its name says.
    """
    errors = {
        precision: dict(_read_runs(folder, precision))
        for precision, folder in zip(PRECISIONS, (float32, bfloat16), strict=True)
    }
    common = [key for key in errors["float32"] if key in errors["bfloat16"]]
    if not common:
        raise InputError(f"{float32} and {bfloat16} have no finished run of an image in common")
    pairs = pd.DataFrame(
        common, columns=["dataset", "network", "teacher", "objective", "generation", "seed"]
    )
    for precision in PRECISIONS:
        pairs[precision] = [errors[precision][key] for key in common]
    return pairs.sort_values([*pairs.columns[:6]], ignore_index=True, na_position="first")


def _read_runs(folder: Path, precision: str) -> Iterator[tuple[tuple[Any, ...], float]]:
    """Yield what each run of an image network is, and its test error in percent."""
    files = sorted((folder / "runs").rglob("run.json"))
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    networks = {record["run"]: record["network"]["name"] for record in records}
    for file, record in zip(files, records, strict=True):
        if record["precision"] != precision:
            raise InputError(f"{file}: was trained in {record['precision']}, not in {precision}")
        if ERROR not in record["result"]:
            continue
        teacher = record["teacher"] and networks[record["teacher"]["run"]]
        key = (
            record["dataset"]["name"],
            record["network"]["name"],
            teacher,
            record["objective"],
            record["generation"],
            record["seed"],
        )
        yield key, record["result"][ERROR]


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
