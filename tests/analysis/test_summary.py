"""Lines of tables, and counts of their verdicts."""

import pandas as pd
from support import synthetic_results
from support.plans import tiny_plan

from replication.analysis.summary import COLUMNS, summary_line, verdict_counts


def test_a_cell_without_values_has_a_line_without_numbers() -> None:
    cell = tiny_plan(tables=["table3"]).cells[1]
    line = summary_line(cell, {}, {}, None)
    assert list(line) == COLUMNS
    known = {key for key, value in line.items() if value is not None}
    assert known == {"table", "row", "column", "metric", "reported", "n"}
    assert line["n"] == 0


def test_verdicts_are_counted_by_table_with_their_sum() -> None:
    frames = synthetic_results.results()[1]
    frame = pd.concat(frames.values())
    counts = verdict_counts(frame, by="table")
    assert list(counts.index) == [*frames, "all"]
    assert counts.loc["all", "total"] == frame["verdict"].notna().sum()
    assert counts.loc["table2", "replicated"] == (frames["table2"]["verdict"] == "replicated").sum()
    assert verdict_counts(pd.DataFrame(columns=COLUMNS), by="table").loc["all", "total"] == 0
