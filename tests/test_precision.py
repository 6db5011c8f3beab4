"""The comparison of errors in bfloat16 and in float32 pairs the same runs."""

from pathlib import Path

import pandas as pd
from support.checks import refused
from support.plans import ROOT

from benchmarks.precision import PAIRS, pair_runs, precision_table
from replication.results.schema import CSV_FILES

TEACHER, STUDENT = "wide_resnet_28_2", "densenet_90_60"


def write_results(folder: Path, precision: str, errors: list[tuple[float, float]]) -> Path:
    """Write the runs of a teacher and its student for each seed; the ids of two folders differ."""
    lines = []
    sums = dict.fromkeys(("recipe_hash", "model_sha256", "predictions_sha256"), "0")
    for seed, (teacher_error, student_error) in enumerate(errors):
        run = f"{folder.name}{seed}"
        both = {"dataset": "cifar100", "parameters": 1, "precision": precision, **sums}
        both |= {"seed": seed, "lineage_seed": seed}
        teacher = {"run": run, "network": TEACHER, "objective": "label", "generation": 0}
        student = {"run": f"{run}/student", "network": STUDENT, "objective": "ban", "generation": 1}
        lines.append(both | teacher | {"error": teacher_error})
        lines.append(both | student | {"error": student_error, "teacher": run})
    folder.mkdir()
    frame = pd.DataFrame(lines).reindex(columns=CSV_FILES["runs"].names)
    frame.to_csv(folder / "runs.csv", index=False)
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
    with refused(f"{float32}: a0: was trained in float32, not in bfloat16"):
        pair_runs(float32, float32)
    none = write_results(tmp_path / "none", "bfloat16", [])
    with refused(f"{float32} and {none} have no finished run on images in common"):
        pair_runs(float32, none)


def test_the_appendix_shows_the_published_comparison() -> None:
    page = (ROOT / "docs/appendix/speed.md").read_text(encoding="utf-8")
    assert precision_table(pd.read_csv(ROOT / PAIRS)) in page
