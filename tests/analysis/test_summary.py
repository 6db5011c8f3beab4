"""Lines of tables, and counts of their verdicts."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support import synthetic_results
from support.plans import tiny_plan

from replication.analysis.statistics import CELL_VERDICTS
from replication.analysis.summary import (
    TABLE_COLUMNS,
    MeasuredCell,
    contrast_lines,
    network_kind,
    show_one_run,
    summary_lines,
    verdict_counts,
)
from replication.config.paper_tables import TableSpec
from replication.config.yaml_model import validate
from replication.results.schema import CSV_FILES


def test_a_cell_without_values_has_a_line_without_numbers() -> None:
    cell = tiny_plan(tables=["table3"]).cells[1]
    (line,) = summary_lines([MeasuredCell(cell)])
    assert list(line) == TABLE_COLUMNS
    known = {key for key, value in line.items() if value is not None}
    assert known == {"table", "row", "column", "metric", "reported", "n"}
    assert line["n"] == 0


def test_verdicts_are_counted_by_table_with_their_sum() -> None:
    frames = synthetic_results.results()[1]
    frame = pd.concat(frames.values())
    counts = verdict_counts(frame, by="table", verdicts=CELL_VERDICTS)
    assert list(counts.index) == [*frames, "all"]
    assert counts.loc["all", "total"] == frame["verdict"].notna().sum()
    assert counts.loc["table2", "better"] == (frames["table2"]["verdict"] == "better").sum()
    assert (
        verdict_counts(pd.DataFrame(columns=TABLE_COLUMNS), by="table", verdicts=CELL_VERDICTS).loc[
            "all", "total"
        ]
        == 0
    )


SPEC = validate(
    TableSpec,
    {
        "title": "A gain",
        "dataset": "cifar10",
        "columns": {"a": {"objective": "label"}, "b": {"objective": "ban", "teacher": "a"},
                    "c": {"objective": "label", "seed_offset": 1}},
        "rows": {"r": {"network": "densenet_90_60"},
                 "s": {"network": "densenet_80_80", "cells": {"c": None}}},
        "contrasts": {"gain": {"b": 1, "a": -1}, "to both": {"b": 1, "a": -0.5, "c": -0.5}},
    },
    "test",
)  # fmt: skip
VALUES = {("r", "a"): [4.0, 6, 5], ("r", "b"): [5.0, 6, 7], ("r", "c"): [6.0, 6, 9],
          ("s", "a"): [1.0, 1, 1], ("s", "b"): [1.5, 1.5]}  # fmt: skip


def measured(values: dict[tuple[str, str], list[float]]) -> pd.DataFrame:
    lines = [
        ("t", row, column, seed, "test error (%)", value, "")
        for (row, column), of_seeds in values.items()
        for seed, value in enumerate(of_seeds)
    ]
    return pd.DataFrame(lines, columns=CSV_FILES["cells"].names)


def test_a_contrast_is_summarised_over_its_weighted_sums_by_seed() -> None:
    values = {name: [*numbers, *numbers] for name, numbers in VALUES.items()}
    lines = contrast_lines(SPEC, measured(values))
    assert all([*line] == TABLE_COLUMNS for line in lines)
    by_contrast = {(line["row"], line["column"]): line for line in lines}
    # By seed 1, 0, 2, 1, 0 and 2: mean 1, variance 0.8, five degrees of freedom.
    gain = by_contrast["r", "gain"]
    assert (gain["table"], gain["metric"]) == ("t", "difference of test error (%)")
    assert (gain["mean"], gain["n"], gain["spread"]) == (1, 6, "own")
    assert gain["std"] == pytest.approx(0.8**0.5)
    assert gain["ci_high"] == pytest.approx(1 + 2.570582 * (0.8 / 6) ** 0.5)
    assert gain["p_value"] == pytest.approx(2 * stats.t.sf((6 / 0.8) ** 0.5, 5))
    # By seed 0, 0 and 0.
    both = by_contrast["r", "to both"]
    assert (both["mean"], both["std"]) == (0, 0)
    assert math.isnan(both["ci_low"])


def test_a_contrast_has_the_seeds_that_all_of_its_cells_have() -> None:
    lines = contrast_lines(SPEC, measured(VALUES))
    in_row = {line["column"]: line for line in lines if line["row"] == "s"}
    assert in_row.keys() == {"gain"}
    assert (in_row["gain"]["n"], in_row["gain"]["mean"]) == (2, 0.5)


def test_the_contrasts_of_few_seeds_share_their_spread() -> None:
    # Sums of 1, 0, 2 in row r, and of 0.5, 0.5 in row s; three degrees of freedom.
    lines = contrast_lines(SPEC, measured({key: VALUES[key] for key in VALUES if key[1] != "c"}))
    gains = [line for line in lines if line["column"] == "gain"]
    assert [line["spread"] for line in gains] == ["pooled", "pooled"]
    reach = stats.t.ppf(0.975, 3) * (2 / 3) ** 0.5
    for line, n in zip(gains, (3, 2), strict=True):
        assert line["ci_high"] - line["mean"] == pytest.approx(reach / n**0.5)


def test_a_contrast_of_an_empty_cell_is_empty() -> None:
    (gain, both) = contrast_lines(SPEC, measured({("r", "a"): [1.0, 2]}))
    assert gain["n"] == both["n"] == 0
    assert gain["mean"] is gain["p_value"] is None


def test_the_kind_of_a_cell_is_a_family_and_whether_it_is_an_ensemble() -> None:
    assert network_kind("densenet_90_60") == network_kind("densenet_80_80") == "densenet"
    assert network_kind("densenet_90_60", 2) == "ensemble of densenet"
    assert network_kind("timm:resnet18") == "timm:resnet18"


def test_a_cell_shows_one_run_if_all_of_its_seeds_do() -> None:
    lines = pd.DataFrame({"seed": [0, 1], "run": ["a", "a"]})
    assert show_one_run(lines)
    assert not show_one_run(lines.assign(run=["a", "b"]))
    assert not show_one_run(lines[:1])


def test_a_teacher_that_is_one_network_has_no_interval() -> None:
    cells = tiny_plan(tables=["table6"], seeds=[0, 1]).cells
    lines = summary_lines(
        [
            MeasuredCell(cells[0], {0: 90.0, 1: 90.0}, is_one_run=True),
            MeasuredCell(cells[0], {0: 90.0, 1: 92.0}, {0: 90.0, 1: 90.0}),
        ]
    )
    assert (lines[0]["mean"], lines[0]["n"], lines[0]["spread"]) == (90.0, 2, "own")
    assert np.isnan([lines[0]["ci_low"], lines[0]["ci_high"]]).all()
    assert lines[1]["ci_high"] > 91


def test_the_cells_of_a_table_share_their_spread_by_metric_below_five_seeds() -> None:
    cells = tiny_plan(tables=["table6"], seeds=[0, 1]).cells
    measured_cells = [
        MeasuredCell(cell, {0: 100.0 + place, 1: 101.0 + 1.1 * place}, {0: 100.0, 1: 101.0})
        for place, cell in enumerate(cells)
    ]
    lines = summary_lines(measured_cells)
    assert {line["spread"] for line in lines} == {"pooled"}
    widths: dict[str, set[float]] = {}
    for line in lines:
        widths.setdefault(line["metric"], set()).add(round(line["ci_high"] - line["mean"], 9))
    # Validation and test perplexity each have one spread.
    assert {len(of_metric) for of_metric in widths.values()} == {1}
    assert len(set.union(*widths.values())) == 2
