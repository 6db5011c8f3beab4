"""Lines of tables, and counts of their verdicts."""

import math

import pandas as pd
import pytest
from support import synthetic_results
from support.plans import tiny_plan

from replication.analysis.cells_csv import TABLE_COLUMNS as CELLS
from replication.analysis.statistics import CELL_VERDICTS
from replication.analysis.summary import TABLE_COLUMNS, contrast_lines, summary_line, verdict_counts
from replication.config.paper_tables import TableSpec
from replication.config.yaml_model import validate


def test_a_cell_without_values_has_a_line_without_numbers() -> None:
    cell = tiny_plan(tables=["table3"]).cells[1]
    line = summary_line(cell, {}, {}, None)
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
    return pd.DataFrame(lines, columns=CELLS)


def test_a_contrast_is_summarised_over_its_weighted_sums_by_seed() -> None:
    lines = contrast_lines(SPEC, measured(VALUES))
    assert all([*line] == TABLE_COLUMNS for line in lines)
    found = {(line["row"], line["column"]): line for line in lines}
    # By seed 1, 0 and 2: mean 1, deviation 1, t = √3, t-interval of two degrees of freedom.
    gain = found["r", "gain"]
    assert (gain["table"], gain["metric"]) == ("t", "difference of test error (%)")
    assert (gain["mean"], gain["std"], gain["n"]) == (1, 1, 3)
    assert gain["ci_high"] == pytest.approx(1 + 4.302653 / math.sqrt(3))
    assert gain["p_value"] == pytest.approx(0.225403, abs=1e-6)
    # By seed 0, 0 and 0.
    assert (found["r", "to both"]["mean"], found["r", "to both"]["std"]) == (0, 0)


def test_a_contrast_has_the_seeds_that_all_of_its_cells_have() -> None:
    lines = contrast_lines(SPEC, measured(VALUES))
    found = {line["column"]: line for line in lines if line["row"] == "s"}
    assert found.keys() == {"gain"}
    assert (found["gain"]["n"], found["gain"]["mean"]) == (2, 0.5)


def test_a_contrast_of_an_empty_cell_is_empty() -> None:
    (gain, both) = contrast_lines(SPEC, measured({("r", "a"): [1.0, 2]}))
    assert gain["n"] == both["n"] == 0
    assert gain["mean"] is gain["p_value"] is None
