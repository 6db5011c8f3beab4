"""A table's tidy frame as rows × columns of texts, and the notes that explain them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

MARKS = {"replicated": "✓", "contradicted": "✗", "inconclusive": "○"}
VERDICT_COLOURS = {"replicated": "#00735c", "contradicted": "#b34700", "inconclusive": "#6b7280"}


@dataclass(frozen=True)
class RenderedCell:
    """The texts of one cell; empty where there is nothing to show."""

    mean: str
    interval: str
    reported: str
    best: bool
    reported_best: bool
    verdict: str
    difference: str


@dataclass(frozen=True)
class Layout:
    """A table as in the paper: `cells` by row and column, `params` (ours, paper's) by row."""

    rows: list[str]
    columns: list[str]
    cells: dict[tuple[str, str], RenderedCell]
    params: dict[str, tuple[str, str]]


def _number(value: float, spec: str = ".2f") -> str:
    return "" if pd.isna(value) else format(value, spec).replace("-", "−")


def _difference(line: dict[Any, Any]) -> str:
    if pd.isna(line["delta_vs_teacher"]):
        return ""
    interval = ""
    if pd.notna(line["delta_ci_low"]):
        low, high = _number(line["delta_ci_low"]), _number(line["delta_ci_high"])
        interval = f" [{low}, {high}]"
    p = f", p = {line['p_value']:.2g}" if pd.notna(line["p_value"]) else ""
    difference = _number(line["delta_vs_teacher"])
    return f"{line['verdict']}: {difference}{interval} to its teacher{p}"


def _competitors(frame: pd.DataFrame) -> list[str]:
    """The columns of the frame that define a group with one best value: a row, or a column."""
    return ["metric"] if frame["column"].nunique() == 1 else ["metric", "row"]


def _best(frame: pd.DataFrame, values: str) -> pd.Series[bool]:
    """Whether a cell has the lowest value of its group at the printed precision."""
    rounded = frame[values].round(2)
    groups = rounded.groupby([frame[name] for name in _competitors(frame)])
    return (rounded == groups.transform("min")) & (groups.transform("count") > 1)


def layout(frame: pd.DataFrame) -> Layout:
    """Lay out the tidy frame of one table as in the paper: params only where it prints them."""
    lines = frame.assign(best=_best(frame, "mean"), reported_best=_best(frame, "reported"))
    cells = {
        (line["row"], line["column"]): RenderedCell(
            mean=_number(line["mean"]) if line["n"] else "–",
            interval=_number((line["ci_high"] - line["ci_low"]) / 2),
            reported=_number(line["reported"]),
            best=bool(line["best"]),
            reported_best=bool(line["reported_best"]),
            verdict=line["verdict"] if pd.notna(line["verdict"]) else "",
            difference=_difference(line),
        )
        for line in lines.to_dict("records")
    }
    params = {}
    if frame["params_reported"].notna().any():
        sizes = frame.groupby("row")[["params", "params_reported"]].first()
        params = {
            str(row): (_number(size["params"], ".3g"), _number(size["params_reported"], ".3g"))
            for row, size in sizes.iterrows()
        }
    return Layout(list(frame["row"].unique()), list(frame["column"].unique()), cells, params)


def notes(frame: pd.DataFrame, note: str) -> list[str]:
    """Explain the numbers: metric, data (`note`), seeds, interval, bold and verdicts."""
    metrics = " and ".join(frame["metric"].unique())
    seeds_of = frame["n"].where(frame["n"] > 0, frame["n"].max())  # empty cells have own notes
    low, high = int(seeds_of.min()), int(seeds_of.max())
    seeds = f"{low} seed{'s' if low != 1 else ''}" if low == high else f"{low} to {high} seeds"
    spread = "Mean ± half-width of the 95 % t-interval over" if high > 1 else "Measured with"
    place = "row" if "row" in _competitors(frame) else "column"
    printed = frame["reported"].notna().any()
    beneath, theirs = ("; beneath it the paper’s value, from one run", ", ours and the paper’s")
    sentences = [
        f"{metrics[0].upper()}{metrics[1:]}, lower is better. {note}",
        f"{spread} {seeds}{beneath if printed else ''}. "
        f"Bold: the best of its {place}{theirs if printed else ''}.",
    ]
    if frame["verdict"].notna().any():
        legend = ", ".join(f"{mark} {verdict}" for verdict, mark in MARKS.items())
        sentences.append(
            f"{legend}: the 95 % interval of the paired difference to the teacher of the same "
            "lineage lies on the paper’s side of zero, lies on the other side, or covers zero."
        )
    return sentences
