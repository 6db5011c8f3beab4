"""What a comparison with published results found, in three lines."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from replication.analysis.compare import OUTCOMES, Comparison
from replication.analysis.statistics import CONFIDENCE
from replication.wording import counted, first_of, p_in_words

SHOWN_DIFFERENCES = 4
"""Differences that are listed by name."""


def describe_comparison(results: Path, published: Path, comparison: Comparison) -> str:
    """How many numbers are the same, what differs, and the conclusion."""
    return "\n".join(
        (_count(results, published, comparison), _difference(comparison), _conclusion(comparison))
    )


def _count(results: Path, published: Path, comparison: Comparison) -> str:
    counts = comparison.numbers["outcome"].value_counts().reindex(OUTCOMES, fill_value=0)
    compared = counts["within"] + counts["outside"]
    seeds = comparison.numbers["published_seeds"].max()
    return (
        f"{results} against {published}, {counted(seeds, 'seed')}: {counts['identical']} of"
        f" {counts.sum()} numbers identical, {counts['equal']} equal, {counts['within']} within the"
        f" seeds' 95 % interval, {counts['outside']} outside"
        f" ({compared * (1 - CONFIDENCE):.1f} expected by chance)"
    )


def _difference(comparison: Comparison) -> str:
    tests = comparison.columns["p_value"].notna().sum()
    columns = [_column(line) for line in comparison.differing_columns.to_dict("records")]
    cells = [_cell(line) for line in comparison.differing_numbers.to_dict("records")]
    if columns or cells:
        return f"Differ: {first_of([*columns, *cells], SHOWN_DIFFERENCES, '; ')}"
    if not tests:
        return "No column needs to be tested"
    smallest = comparison.columns["p_corrected"].min()
    return f"No column differs: {counted(tests, 'test')}, smallest corrected p-value {smallest:.2g}"


def _column(line: Mapping[Any, Any]) -> str:
    return (
        f"{line['table']} {line['column']}: {line['metric']} {line['difference']:+.3g}"
        f" ({p_in_words(line['p_corrected'])})"
    )


def _cell(line: Mapping[Any, Any]) -> str:
    cell = f"{line['table']} {line['row']} {line['column']} seed {line['seed']}"
    return f"{cell}: {line['value']:.4g}, published mean {line['published_mean']:.4g}"


def _conclusion(comparison: Comparison) -> str:
    if comparison.reproduces:
        return "Conclusion: reproduces the published results byte for byte"
    if comparison.consistent:
        return "Conclusion: consistent with the published results"
    parts = [comparison.differing_columns, comparison.differing_numbers]
    names = pd.concat([part["table"] + " " + part["column"] for part in parts]).unique()
    return f"Conclusion: differs from the published results in: {', '.join(names)}"


def details(comparison: Comparison) -> pd.DataFrame:
    """Every number and every tested column as lines of one csv file."""
    return pd.concat(
        [comparison.numbers, comparison.columns.assign(outcome="column")], ignore_index=True
    )
