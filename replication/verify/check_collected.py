"""Checks cells, runs and quality where the folders of the runs are not there, as in a publication.

The lines that there have to be are planned from ``scale.json``. The numbers of ``runs.csv`` stand
in for the runs: the cell of a single run follows from them, that of an ensemble from
``correct.safetensors``, or from ``reliability.csv.gz`` where that file is missing. Likelihood
follows from ``runs.csv``, calibration from ``reliability.csv.gz``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from replication.analysis.collect import describe_planned_run, result_column
from replication.analysis.quality import ERROR
from replication.plan.plan import Plan
from replication.results.correctness import CORRECT, Correctness, read_correctness
from replication.results.csv_columns import CELL_AND_SEED_KEY
from replication.results.csv_files import (
    csv_path,
    is_one_run,
    join_members,
    read_cells,
    read_csv_file,
    read_runs,
    split_members,
)
from replication.results.schema import CSV_FILES
from replication.verify.compare_frames import compare_lines
from replication.verify.findings import CLOSE, Findings, remark_on_differences
from replication.verify.planned_lines import (
    IDS,
    cell_key,
    find_planned_ids,
    keys_of,
    line_problems,
    planned_cells,
    planned_quality,
)

PUBLISH_AGAIN = "publish the results again: replication publish"
ROUNDED_ECE = 1e-3
"""Tolerance of a calibration error in percent, as confidences are written with six digits."""
CHECKSUM_COLUMNS = ("model_sha256", "predictions_sha256")


def check_collected(plan: Plan, findings: Findings) -> bool:
    """Check the measured csv files; returns whether they have every line that is planned.

    Raises:
        InputError: one of them is missing or damaged.
    """
    folder = plan.results
    runs, cells, quality, bins = (
        read_runs(folder, PUBLISH_AGAIN),
        read_cells(folder, PUBLISH_AGAIN),
        read_csv_file(folder, "quality", PUBLISH_AGAIN),
        read_csv_file(folder, "reliability", PUBLISH_AGAIN),
    )
    findings.runs, findings.cells = len(runs), len(cells)
    planned_ids = find_planned_ids(plan, runs)
    missing = {
        "runs": line_problems(
            {(run,): seed for run, seed in plan.lineage_seeds.items()},
            [(run,) for run in dict.fromkeys(planned_ids.values())],
        ),
        "cells": line_problems(planned_cells(plan), keys_of(cells, CELL_AND_SEED_KEY)),
        "quality": line_problems(
            planned_quality(plan), keys_of(quality, [*CELL_AND_SEED_KEY, "metric"])
        ),
    }
    incomplete = [
        f"{csv_path(folder, name)}: {problem}"
        for name, problems in missing.items()
        for problem in problems
    ]
    findings.problems += incomplete
    if incomplete:
        # What is missing is named once, and not again wherever it is needed.
        return False
    findings.problems += [
        f"{csv_path(folder, 'runs')}: {problem}"
        for problem in _run_problems(plan, runs, planned_ids)
    ]
    correctness = _read_correctness(plan, findings)
    _check_cells(plan, runs, cells, planned_ids, correctness, findings)
    _check_quality(folder, runs, cells, quality, bins, findings)
    remark_on_differences(runs, findings)
    return True


def _run_problems(plan: Plan, runs: pd.DataFrame, planned_ids: Mapping[str, str]) -> Iterator[str]:
    """Compare what the plan says of each run, and find copies."""
    lines: dict[str, dict[Any, Any]] = {line["run"]: line for line in runs.to_dict("records")}
    for name, line in lines.items():
        if run := plan.runs.get(name):
            expected = describe_planned_run(plan, run)
            for column in expected.keys() - {*IDS}:
                value = line[column]
                if value != expected[column] and not (expected[column] is None and pd.isna(value)):
                    yield f"{name}: {column} is {value}, but the scale has {expected[column]}"
        teacher = None if pd.isna(line["teacher"]) else line["teacher"]
        root = None if pd.isna(line["root_teacher"]) else line["root_teacher"]
        planned = plan.runs.get(planned_ids[name])
        planned_teacher = planned.teacher.id if planned and planned.teacher else None
        if teacher is not None and teacher not in lines:
            yield f"{name}: its teacher {teacher} has no line"
        elif planned_ids.get(teacher or "") != planned_teacher:
            yield f"{name}: its teacher is {teacher}, but the scale has {planned_teacher}"
        elif root != _root_teacher(name, lines):
            actual_root = _root_teacher(name, lines)
            yield f"{name}: root_teacher is {root}, but its lineage has {actual_root}"
    for column in CHECKSUM_COLUMNS:
        for copy in runs["run"][runs[column].duplicated() | runs[column].isna()]:
            yield f"{copy}: its {column} is missing, or is that of another run"


def _root_teacher(run: str, lines: Mapping[str, Mapping[Any, Any]]) -> str | None:
    """The last teacher above a run; None for a run without a teacher."""
    root, seen = run, {run}
    while (teacher := lines[root]["teacher"]) in lines and teacher not in seen:
        root = teacher
        seen.add(root)
    return root if root != run else None


def _read_correctness(plan: Plan, findings: Findings) -> Correctness:
    """Which items each cell gets right; remarks if the file is missing."""
    if not (plan.results / CORRECT).exists():
        findings.remarks.append(
            f"{plan.results / CORRECT}: no such file, so errors of ensembles were derived from"
            " reliability.csv.gz, and claims_items.csv cannot be recomputed"
        )
        return {}
    correctness: Correctness = {}
    with findings.noting():
        correctness = read_correctness(plan.results, PUBLISH_AGAIN)
        planned = planned_cells(plan)
        findings.problems += [
            f"{plan.results / CORRECT}: {', '.join(map(str, key))}: the scale has no such cell"
            for key in correctness
            if key not in planned
        ]
    return correctness


def _check_cells(
    plan: Plan,
    runs: pd.DataFrame,
    cells: pd.DataFrame,
    planned_ids: Mapping[str, str],
    correctness: Correctness,
    findings: Findings,
) -> None:
    """Compare the cells with the plan, with ``runs.csv`` and with ``correct.safetensors``."""
    file = csv_path(plan.results, "cells")
    errors = {key: 100 * (1 - float(np.mean(bits))) for key, bits in correctness.items()}
    stored = dict(
        zip(keys_of(cells, CELL_AND_SEED_KEY), keys_of(cells, ["value", "run"]), strict=True)
    )
    expected = []
    for cell in plan.cells:
        for seed, members in cell.members.items():
            key = (*cell_key(cell), seed)
            value, run = stored[key]
            if len(members) == 1 and run in runs.index:
                value = runs.loc[run, result_column(cell.metric)]
            elif key in errors:
                value = errors[key]
            expected.append((*key, cell.metric, value, join_members(run.id for run in members)))
    by_plan = cells["run"].map(
        lambda run: join_members(planned_ids.get(member, member) for member in split_members(run))
    )
    with findings.noting():
        frame = pd.DataFrame(expected, columns=CSV_FILES["cells"].names)
        renamed = cells.assign(run=by_plan)
        compare_lines(file, renamed, CSV_FILES["cells"], frame, findings)
        findings.mark(Path(file.name), "recomputed")
    if correctness:
        images = cells[cells["metric"].str.endswith(ERROR)]
        keys = pd.MultiIndex.from_frame(images[CELL_AND_SEED_KEY])
        _note_unlike(plan.results / CORRECT, images, pd.Series(errors).reindex(keys), findings)


def _check_quality(
    folder: Path,
    runs: pd.DataFrame,
    cells: pd.DataFrame,
    quality: pd.DataFrame,
    bins: pd.DataFrame,
    findings: Findings,
) -> None:
    """Compare likelihood with ``runs.csv``, errors and calibration with ``reliability.csv.gz``."""
    single = is_one_run(quality["run"])
    alone = quality[(quality["metric"] == "nll") & single]
    file = csv_path(folder, "quality")
    _note_unlike(file, alone, runs["nll"].reindex(alone["run"]), findings)
    # Accuracies have six digits, from which the number of correct images follows exactly.
    correct = (bins["accuracy"] * bins["count"]).round()
    shares = 100 / bins.groupby(CELL_AND_SEED_KEY)["count"].transform("sum")
    of_bins = bins.assign(
        error=shares * (bins["count"] - correct),
        ece=shares * (correct - bins["confidence"] * bins["count"]).abs(),
    )
    sums = of_bins.groupby(CELL_AND_SEED_KEY)[["error", "ece"]].sum()
    images = cells[cells["metric"].str.endswith(ERROR)]
    of_one_run = is_one_run(images["run"])
    in_runs = images[of_one_run].assign(
        value=runs["error"].reindex(images.loc[of_one_run, "run"]).to_numpy()
    )
    for file, lines, column, tolerance in (
        (csv_path(folder, "cells"), images[~of_one_run], "error", CLOSE),
        (csv_path(folder, "runs"), in_runs, "error", CLOSE),
        (csv_path(folder, "quality"), quality[quality["metric"] == "ece"], "ece", ROUNDED_ECE),
    ):
        expected = sums[column].reindex(pd.MultiIndex.from_frame(lines[CELL_AND_SEED_KEY]))
        _note_unlike(file, lines, expected, findings, tolerance)


def _note_unlike(
    file: Path,
    lines: pd.DataFrame,
    expected: pd.Series,
    findings: Findings,
    tolerance: float = CLOSE,
) -> None:
    """Note the lines whose value is not the expected one."""
    same = np.isclose(lines["value"], expected, rtol=tolerance, atol=tolerance)
    for line, wanted in zip(lines[~same].to_dict("records"), expected[~same], strict=True):
        name = ", ".join(str(line[key]) for key in (*CELL_AND_SEED_KEY, "metric"))
        findings.problems.append(f"{file}: {name}: value is {line['value']}, not {wanted}")
