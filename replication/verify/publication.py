"""Checks whether published results, which have no runs, follow from each other.

The cells and runs that there have to be are planned from ``scale.json``. The numbers of
``runs.csv`` stand for the runs: from them and from the ensembles of ``cells.csv`` follow cells,
tables and claims, by the functions that wrote them. An ensemble's error follows from
``reliability.csv``.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from replication.analysis import runs_csv
from replication.analysis.cells_csv import KEY, read_cells, read_csv
from replication.analysis.measure import Average, Measurements
from replication.analysis.quality import BINS, ERROR
from replication.architectures.catalogue import kind_of
from replication.config.paper_tables import TABLES
from replication.plan.cells import Cell
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.report.outcome import PAGE, describe_in_markdown
from replication.report.quality import quality_tables
from replication.verify.crate import check_files
from replication.verify.findings import CLOSE, Findings, differences, remark_on_differences
from replication.verify.plan import read_plan
from replication.verify.quality import compare_files
from replication.verify.tables import NAMES, check_claims, check_tables

ALONE = ("nll", "brier", "ece")
WITH_TEACHER = (*ALONE, "agreement", "kl")


def check_publication(
    folder: Path, tables: Path = TABLES, configfiles: Sequence[Path] = ()
) -> Findings:
    """Check a folder ``published/<scale>``.

    Raises:
        InputError: a file that others are compared with is missing or damaged, or ``tables`` are.
    """
    found = Findings()
    plan = read_plan(folder, tables, configfiles, found)
    check_files(folder, found)
    hint = "publish the results again: replication publish"
    runs, cells, quality = (
        runs_csv.read_runs(folder / runs_csv.FILE),
        read_cells(folder / "cells.csv", hint),
        read_cells(folder / "quality.csv", hint),
    )
    found.runs = len(runs)
    incomplete = [
        f"{folder / name}: {problem}"
        for name, problems in {
            runs_csv.FILE: _incomplete(_planned_runs(plan), runs[["run"]]),
            "cells.csv": _incomplete(_planned_cells(plan), cells[KEY]),
            "quality.csv": _incomplete(_planned_quality(plan), quality[[*KEY, "metric"]]),
        }.items()
        for problem in problems
    ]
    found.problems += incomplete
    if incomplete:
        # What is missing is named once, and not again wherever it is needed.
        return found
    found.problems += [f"{folder / runs_csv.FILE}: {it}" for it in _run_problems(plan, runs)]
    check_tables(plan, found, PublishedMeasurements(plan, runs, cells))
    _check_quality(plan, runs, cells, quality, found)
    check_claims(plan, tables, found)
    _check_criteria(plan, runs, found)
    page = folder / PAGE
    if page.is_file() and page.read_bytes() != describe_in_markdown(plan).encode():
        found.problems.append(f"{page}: is not the page that follows from claims and criteria")
    remark_on_differences(_records(runs), found)
    return found


Key = tuple[Any, ...]


def _planned_runs(plan: Plan) -> dict[Key, int]:
    """The runs of a plan, each with the seed of the cells that it is for."""
    return {
        (run.id,): seed
        for cell in plan.cells
        for seed, members in cell.members.items()
        for member in members
        for run in member.with_lineage
    }


def _planned_cells(plan: Plan) -> dict[Key, int]:
    return {(*_name(cell), seed): seed for cell in plan.cells for seed in cell.members}


def _planned_quality(plan: Plan) -> dict[Key, int]:
    return {
        (*_name(cell), seed, metric): seed
        for cell in plan.cells
        if cell.metric.endswith(ERROR)
        for seed, members in cell.members.items()
        for metric in (WITH_TEACHER if members[-1].teacher else ALONE)
    }


def _name(cell: Cell) -> tuple[str, str, str]:
    return cell.table, cell.row, cell.column


def _incomplete(planned: Mapping[Key, int], lines: pd.DataFrame) -> Iterator[str]:
    """Where the lines are not those that are planned, a sentence for each seed."""
    there = [*lines.itertuples(index=False, name=None)]
    missing = [key for key in planned if key not in {*there}]
    for seed in dict.fromkeys(planned[key] for key in missing):
        names = [", ".join(map(str, key)) for key in missing if planned[key] == seed]
        yield f"seed {seed}: {len(names)} lines are missing, the first is {names[0]}"
    for key, count in Counter(there).items():
        if key not in planned:
            yield f"{', '.join(map(str, key))}: the scale has no such line"
        elif count > 1:
            yield f"{', '.join(map(str, key))}: is listed twice"


def _run_problems(plan: Plan, runs: pd.DataFrame) -> Iterator[str]:
    """Compare what the plan says of each run, and find copies."""
    lines = {line["run"]: line for line in runs.to_dict("records")}
    for run in plan.runs.values():
        for name, wanted in runs_csv.planned(plan, run).items():
            value = lines[run.id][name]
            if value != wanted and not (wanted is None and pd.isna(value)):
                yield f"{run.id}: {name} is {value}, the scale has {wanted}"
    for name in runs_csv.SUMS:
        for copy in runs["run"][runs[name].duplicated() | runs[name].isna()]:
            yield f"{copy}: its {name} is missing, or that of another run"


class PublishedMeasurements(Measurements):
    """Measures runs by ``runs.csv``; an ensemble's number is that of ``cells.csv``."""

    def __init__(self, plan: Plan, runs: pd.DataFrame, cells: pd.DataFrame) -> None:
        super().__init__(plan)
        self.lines = {line["run"]: line for line in runs.to_dict("records")}
        self.ensembles = {
            tuple(line[:-1]): line[-1]
            for line in cells[[*KEY, "value"]].itertuples(index=False, name=None)
        }

    def check_alike(self, cell: Cell) -> None:
        """Published runs were alike when their cells were measured."""

    def value(self, members: Sequence[Run], part: str, of: Average = "probabilities") -> float:
        """The recorded number of a single run."""
        (run,) = members
        return float(self.lines[run.id][_column(run, part)])

    def rows(self, cell: Cell) -> list[dict[str, object]]:
        """A cell's lines in ``cells.csv``, one per seed."""
        if all(len(members) == 1 for members in cell.members.values()):
            return super().rows(cell)
        return [
            {
                **dict(zip(KEY, (*_name(cell), seed), strict=True)),
                "metric": cell.metric,
                "value": self.ensembles[*_name(cell), seed],
                "run": ";".join(run.id for run in members),
            }
            for seed, members in cell.members.items()
        ]

    def parameters(self, cell: Cell) -> int:
        """Parameters of the cell's network, of one member where it is an ensemble."""
        return int(self.lines[next(iter(cell.members.values()))[-1].id]["parameters"])


def _column(run: Run, part: str) -> str:
    return "error" if kind_of(run.network) == "image" else f"{part}_perplexity"


def _check_quality(
    plan: Plan, runs: pd.DataFrame, cells: pd.DataFrame, quality: pd.DataFrame, found: Findings
) -> None:
    """Compare likelihood with ``runs.csv``, errors and calibration with ``reliability.csv``."""
    folder = plan.results
    compare_files(plan, quality_tables(plan, quality), found)
    alone = quality[(quality["metric"] == "nll") & ~quality["run"].str.contains(";")]
    _note_unlike(folder / "quality.csv", alone, runs["nll"].reindex(alone["run"]), found)
    bins = read_csv(folder / "reliability.csv", dtype=NAMES, usecols=BINS)
    shares = bins["count"] / bins.groupby(KEY)["count"].transform("sum")
    of_bins = bins.assign(
        error=100 * shares * (1 - bins["accuracy"]),
        ece=100 * shares * (bins["accuracy"] - bins["confidence"]).abs(),
    )
    sums = of_bins.groupby(KEY)[["error", "ece"]].sum()
    images = cells[cells["metric"].str.endswith(ERROR)]
    ensembles = images["run"].str.contains(";")
    single = images[~ensembles].assign(value=lambda it: runs["error"].reindex(it["run"]).to_numpy())
    for name, lines, column in (
        ("cells.csv", images[ensembles], "error"),
        (runs_csv.FILE, single, "error"),
        ("quality.csv", quality[quality["metric"] == "ece"], "ece"),
    ):
        expected = sums[column].reindex(pd.MultiIndex.from_frame(lines[KEY]))
        _note_unlike(folder / name, lines, expected, found)


def _check_criteria(plan: Plan, runs: pd.DataFrame, found: Findings) -> None:
    """Compare the errors of generation 0 that make a scale a fair test; raises as `read_csv`."""
    file, key = plan.results / "criteria.csv", ["dataset", "network"]
    alone = [run.id for run in plan.runs.values() if run.variant is None]
    measured = runs.loc[alone].query("objective == 'label'").groupby(key)
    wanted = measured.agg(
        seeds=("run", "count"), train_error=("train_error", "mean"), test_error=("error", "mean")
    )
    lines = read_csv(file, usecols=[*key, *wanted.columns]).to_dict("records")
    own = {(line["dataset"], line["network"]): line for line in lines}
    for expected in wanted.dropna().reset_index().to_dict("records"):
        place = expected["dataset"], expected["network"]
        for name, value, it in differences(own.get(place, {}), expected):
            found.problems.append(f"{file}: {', '.join(place)}: {name} is {value}, not {it}")


def _note_unlike(file: Path, lines: pd.DataFrame, expected: pd.Series, found: Findings) -> None:
    same = np.isclose(lines["value"], expected, rtol=CLOSE, atol=CLOSE)
    for line, wanted in zip(lines[~same].to_dict("records"), expected[~same], strict=True):
        name = ", ".join(str(line[key]) for key in (*KEY, "metric"))
        found.problems.append(f"{file}: {name}: value is {line['value']}, not {wanted}")


def _records(runs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """What `remark_on_differences` reads of the runs' records."""
    return {
        line["run"]: line
        | {"versions": {"torch": line["torch"]}}
        | {"code": {"commit": line["commit"], "dirty": line["dirty"] == "True"}}
        for line in runs.to_dict("records")
    }
