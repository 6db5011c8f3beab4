"""Results as the suite leaves them, made of the paper's numbers and noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file
from scipy import stats

SEEDS = 3
EPOCHS = 12

COLUMNS = {
    "table1": ["teacher", "ban"],
    "table2": [
        "teacher",
        "ban",
        "ban+l",
        "cwtm",
        "dkpp",
        "ban-1",
        "ban-2",
        "ban-3",
        "ens*2",
        "ens*3",
    ],
    "table3": ["teacher", "ban", "densenet-90-60 student"],
    "table4": ["error"],
    "table5": ["baseline", "ban"],
    "table6": ["teacher val", "ban+l val", "teacher test", "ban+l test"],
}
NAN = float("nan")
# By table and row: printed parameters in millions, then the reported value of each column.
REPORTED: dict[str, dict[str, list[float]]] = {
    "table1": {
        "wide-resnet-28-1": [0.38, 6.69, 6.64],
        "wide-resnet-28-2": [1.48, 5.06, 4.86],
        "wide-resnet-28-5": [9.16, 4.13, 4.03],
        "wide-resnet-28-10": [36.0, 3.77, 3.86],
        "densenet-112-33": [6.3, 3.84, 3.61],
        "densenet-90-60": [16.1, 3.81, 3.50],
        "densenet-80-80": [22.4, 3.48, 3.49],
        "densenet-80-120": [50.4, 3.37, 3.54],
    },
    "table2": {
        "densenet-112-33": [
            *[NAN, 18.25, 16.95, 17.68, 17.84, 17.84, 17.61, 17.22, 16.59, 15.77, 15.68],
        ],
        "densenet-90-60": [
            *[NAN, 17.69, 16.69, 16.93, 17.42, 17.43, 16.62, 16.44, 16.72, 15.39, 15.74],
        ],
        "densenet-80-80": [
            *[NAN, 17.16, 16.36, 16.50, 17.16, 16.84, 16.26, 16.30, 15.50, 15.46, 15.14],
        ],
        "densenet-80-120": [
            *[NAN, 16.87, 16.00, 16.41, 17.12, 16.34, 16.13, 16.13, NAN, 15.13, 14.90],
        ],
    },
    "table3": {
        "wide-resnet-28-1": [NAN, 30.05, 29.43, 24.93],
        "wide-resnet-28-2": [NAN, 25.32, 24.38, 18.49],
        "wide-resnet-28-5": [NAN, 20.88, 20.93, 17.52],
        "wide-resnet-28-10": [NAN, 19.08, 18.25, 16.79],
    },
    "table4": {
        "teacher densenet-90-60": [22.4, 17.69],
        "0.5*depth": [21.2, 16.95],
        "2*depth": [13.7, 16.43],
        "3*depth": [12.9, 16.64],
        "4*depth": [12.6, 16.64],
        "0.5*compr": [5.1, 19.83],
        "0.75*compr": [10.1, 17.30],
        "1.5*compr": [80.5, 18.89],
    },
    "table5": {
        "densenet-90-60": [NAN, 17.69, 16.69],
        "pre-resnet-1001": [10.2, 22.71, NAN],
        "ban-pre-resnet-14-0.5": [7.3, 20.28, 18.80],
        "ban-pre-resnet-14-1": [17.7, 18.84, 17.39],
        "ban-wide-resnet-1-1": [20.9, 20.40, 19.12],
        "ban-match-wide-resnet-2-1": [43.1, 18.83, 17.42],
        "ban-wide-resnet-4-0.5": [24.3, 19.63, 17.13],
        "ban-wide-resnet-4-1": [87.3, 18.77, 17.18],
    },
    "table6": {
        "cnn-lstm": [19, 83.69, 80.27, 80.05, 76.97],
        "lstm": [52, 75.11, 71.19, 71.87, 68.56],
    },
}
SIZES = {row: params for row, (params, *_) in REPORTED["table1"].items()}
TEACHERS = {"table4": ("teacher densenet-90-60", "error"), "table5": ("densenet-90-60", "baseline")}
LANGUAGE_TEACHERS = {"ban+l val": "teacher val", "ban+l test": "teacher test"}
HISTORY = ["epoch", "learning_rate", "train_loss", "train_error", "test_error"]


def cells(seeds: int = SEEDS, noise: float = 0.25) -> pd.DataFrame:
    """`cells.csv`: every reported number with a seed's own deviation and one of the cell."""
    generator = np.random.default_rng(0)
    lines = []
    for table, rows in REPORTED.items():
        for row, (_, *values) in rows.items():
            for column, value in zip(COLUMNS[table], values, strict=True):
                own = generator.normal(0, noise)
                for seed in range(0 if np.isnan(value) else seeds):
                    lines.append(
                        {
                            "table": table,
                            "row": row,
                            "column": column,
                            "seed": seed,
                            "metric": _metric(table, column),
                            "value": value + own + generator.normal(0, noise),
                            "run": _run(table, row, column, seed),
                        }
                    )
    return pd.DataFrame(lines)


def _metric(table: str, column: str) -> str:
    if table != "table6":
        return "test error (%)"
    return "validation perplexity" if column.endswith("val") else "test perplexity"


def _run(table: str, row: str, column: str, seed: int) -> str:
    network = row.replace("-", "_")
    teacher = f"{table}/{network}.label.{seed}"
    return teacher if column == "teacher" else f"{teacher}/{network}.{column}.{seed}"


def frame(table: str, per_seed: pd.DataFrame) -> pd.DataFrame:
    """`tables/table<k>.csv` of the seeds' values."""
    mine = per_seed[per_seed["table"] == table]
    values = {
        key: group.set_index("seed")["value"] for key, group in mine.groupby(["row", "column"])
    }
    lines = []
    for row, (params, *reported) in REPORTED[table].items():
        for column, printed in zip(COLUMNS[table], reported, strict=True):
            if (row, column) not in values:
                continue
            default = (row, LANGUAGE_TEACHERS.get(column, "teacher"))
            teacher = TEACHERS.get(table, default)
            student = teacher != (row, column) and column not in (
                "baseline",
                *COLUMNS["table6"][::2],
            )
            line = {
                "table": table,
                "row": row,
                "column": column,
                "metric": _metric(table, column),
                "reported": printed,
                **_estimate(values[row, column]),
                "params": SIZES.get(row, params) / 1000,
                "params_reported": params,
            }
            if student:
                expected = (
                    printed - REPORTED[table][teacher[0]][COLUMNS[table].index(teacher[1]) + 1]
                )
                line |= _difference(values[row, column] - values[teacher], expected)
            lines.append(line)
    return pd.DataFrame(lines).reindex(
        columns=[
            *["table", "row", "column", "metric", "reported", "mean", "std", "ci_low", "ci_high"],
            *["n", "delta_vs_teacher", "delta_ci_low", "delta_ci_high", "p_value"],
            *["params", "params_reported", "verdict"],
        ]
    )


def _estimate(values: pd.Series) -> dict[str, float]:
    n = len(values)
    half = stats.t.ppf(0.975, n - 1) * values.std() / np.sqrt(n) if n > 1 else NAN
    mean = values.mean()
    std = values.std() if n > 1 else NAN
    return {"mean": mean, "std": std, "ci_low": mean - half, "ci_high": mean + half, "n": n}


def _difference(values: pd.Series, expected: float) -> dict[str, float | str]:
    estimate = _estimate(values)
    low, high = estimate["ci_low"], estimate["ci_high"]
    same, other = (high < 0, low > 0) if expected < 0 else (low > 0, high < 0)
    verdict = "replicated" if same else "contradicted" if other else "inconclusive"
    return {
        "delta_vs_teacher": estimate["mean"],
        "delta_ci_low": low,
        "delta_ci_high": high,
        "p_value": stats.ttest_1samp(values, 0).pvalue if len(values) > 1 else NAN,
        "verdict": verdict,
    }


def _history(column: str, generator: np.random.Generator) -> pd.DataFrame:
    epoch = np.arange(1, EPOCHS + 1)
    cosine = {"ban": 1.0, "ban+l": 0.95, "cwtm": 0.8, "dkpp": 0.85}[column]
    truth = 0.55 + 0.3 * np.exp(-epoch / 4) * (0.5 if column == "dkpp" else 1)
    truth = truth + generator.normal(0, 0.01, EPOCHS)
    blank = dict.fromkeys(HISTORY, 0.0)
    return pd.DataFrame(blank, index=epoch).assign(
        epoch=epoch,
        ground_truth_share=truth,
        dark_knowledge_share=1 - truth,
        ban_cosine=cosine - 0.2 * (1 - cosine) * epoch / EPOCHS,
        seconds=1.0,
    )


def _predictions(n: int, side: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Logits over side² classes, pairs of digits: a class resembles those that share a digit."""
    labels = generator.integers(0, side * side, n)
    classes = np.arange(side * side)
    tens = labels[:, None] // side == classes // side
    units = labels[:, None] % side == classes % side
    signal = generator.gamma(3.0, 0.8, (n, 1)) * (tens.astype(float) + units)
    logits = signal + generator.normal(0, 1, (n, side * side))
    return {"logits": logits.astype(np.float32), "labels": labels}


def write(folder: Path, seeds: int = SEEDS, samples: int = 60, side: int = 4) -> Path:
    """Write a scale's results: cells, the six tables, and what table 2's runs leave behind."""
    generator = np.random.default_rng(1)
    (folder / "tables").mkdir(parents=True)
    per_seed = cells(seeds)
    per_seed.to_csv(folder / "cells.csv", index=False)
    for table in REPORTED:
        frame(table, per_seed).to_csv(folder / f"tables/{table}.csv", index=False)
        (folder / f"tables/{table}.html").write_text(f"<table><caption>{table}</caption></table>\n")
    for cell in per_seed.query("table == 'table2'").to_dict("records"):
        run = folder / "runs" / cell["run"]
        run.mkdir(parents=True, exist_ok=True)
        if cell["column"] == "teacher":
            save_file(_predictions(samples, side, generator), run / "predictions.safetensors")
        elif cell["column"] in ("ban", "ban+l", "cwtm", "dkpp"):
            _history(cell["column"], generator).to_csv(run / "history.csv", index=False)
    return folder
