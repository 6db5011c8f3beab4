"""The comparison of errors in bfloat16 and in float32 pairs the same runs."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from support.checks import refused
from support.plans import ROOT

from benchmarks.precision import PAIRS, pair_runs, precision_table

TEACHER, STUDENT = "wide_resnet_28_2", "densenet_90_60"


def write_run(folder: Path, precision: str, seed: int, error: float, teacher: str | None) -> str:
    """Write the record of a label-trained network, or of a student; returns its id."""
    name = f"{folder.name}{seed}" if teacher is None else f"{teacher}/student"
    record: dict[str, Any] = {
        "run": name,
        "network": {"name": STUDENT if teacher else TEACHER},
        "dataset": {"name": "cifar100"},
        "objective": "ban" if teacher else "label",
        "generation": int(teacher is not None),
        "seed": seed,
        "teacher": teacher and {"run": teacher},
        "precision": precision,
        "result": {"test error (%)": error},
    }
    place = folder / "runs" / name
    place.mkdir(parents=True)
    (place / "run.json").write_text(json.dumps(record))
    return name


def write_results(folder: Path, precision: str, errors: list[tuple[float, float]]) -> Path:
    """Write a teacher and its student for each seed; the ids of two folders differ."""
    for seed, (teacher_error, student_error) in enumerate(errors):
        teacher = write_run(folder, precision, seed, teacher_error, None)
        write_run(folder, precision, seed, student_error, teacher)
    return folder


def test_runs_are_paired_by_what_they_are_and_not_by_their_names(tmp_path: Path) -> None:
    float32 = write_results(tmp_path / "a", "float32", [(80.0, 74.0), (82.0, 75.0), (81.0, 75.0)])
    bfloat16 = write_results(tmp_path / "b", "bfloat16", [(81.0, 73.0), (82.0, 76.0)])
    pairs = pair_runs(float32, bfloat16)
    assert pairs[["network", "seed", "float32", "bfloat16"]].to_numpy().tolist() == [
        [STUDENT, 0, 74.0, 73.0],
        [STUDENT, 1, 75.0, 76.0],
        [TEACHER, 0, 80.0, 81.0],
        [TEACHER, 1, 82.0, 82.0],
    ]
    student, teacher = precision_table(pairs).splitlines()[2:]
    # Two differences d1 and d2 have a mean of (d1 + d2)/2 and 12.71 · |d1 − d2|/2 on either side.
    assert student == (
        "| DenseNet-90-60 | BAN, teacher Wide-ResNet-28-2 | 2 | 74.50 | 74.50"
        " | +0.00 [−12.71, +12.71] | −6.50 [−12.85, −0.15], better"
        " | −7.00 [−19.71, +5.71], undecided |"
    )
    assert teacher.startswith("| Wide-ResNet-28-2 | labels | 2 | 81.00 | 81.50 | +0.50")


def test_results_of_another_precision_are_refused(tmp_path: Path) -> None:
    float32 = write_results(tmp_path / "a", "float32", [(80.0, 74.0)])
    with refused(f"{float32}/runs/a0/run.json: was trained in float32, not in bfloat16"):
        pair_runs(float32, float32)
    with refused(f"{float32} and {tmp_path} have no finished run of an image in common"):
        pair_runs(float32, tmp_path)


def test_the_appendix_shows_the_published_comparison() -> None:
    page = (ROOT / "docs/appendix/speed.md").read_text(encoding="utf-8")
    assert precision_table(pd.read_csv(ROOT / PAIRS)) in page
