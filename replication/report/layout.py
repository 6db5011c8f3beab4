"""A table's tidy frame as rows × columns of texts, and the notes that explain them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from replication.analysis.summary import DIFFERENCE

CELL_MARKS = {"better": "↓", "worse": "↑", "undecided": "○"}
VERDICT_COLOURS = {"better": "#00735c", "worse": "#b34700", "undecided": "#6b7280"}
AGREES = {"yes": "✓", "no": "✗"}
# The style of every table in HTML.
GT_STYLE: dict[str, Any] = {
    "table_font_size": "12px",
    "column_labels_font_weight": "bold",
    "data_row_padding": "3px",
    "table_margin_left": "0px",
}


# Headings and digits of the metrics of predictions.
QUALITY_METRICS = {
    "nll": ("NLL (nats)", ".3f"),
    "brier": ("Brier score", ".3f"),
    "ece": ("ECE (%)", ".2f"),
    "agreement": ("agreement (%)", ".1f"),
    "kl": ("KL (nats)", ".3f"),
}


class RenderedCell(NamedTuple):
    """The texts of one cell; empty where there is nothing to show.

    ``interval`` is the half-width of the mean's interval. ``mark`` shows the verdict, and whether
    it agrees with the paper; ``difference`` explains both in words.
    """

    mean: str
    reported: str
    interval: str = ""
    best: bool = False
    reported_best: bool = False
    verdict: str = ""
    difference: str = ""
    mark: str = ""

    def emphasised(self, bold: str) -> "RenderedCell":
        """The cell with its best numbers put into a template for bold text."""
        return self._replace(
            mean=bold % self.mean if self.best else self.mean,
            reported=bold % self.reported if self.reported_best else self.reported,
        )


@dataclass(frozen=True)
class Layout:
    """A table as in the paper: `cells` by row and column, `params` by row where it prints them."""

    rows: list[str]
    columns: list[str]
    cells: dict[tuple[str, str], RenderedCell]
    params: dict[str, RenderedCell]

    def transposed(self) -> "Layout":
        """Its rows as columns, without the parameters."""
        cells = {(column, row): cell for (row, column), cell in self.cells.items()}
        return Layout(self.columns, self.rows, cells, {})


def _number(value: float, spec: str = ".2f") -> str:
    return "" if pd.isna(value) else format(value, spec).replace("-", "−")


def _difference(line: dict[Any, Any]) -> str:
    numbers = [line[name] for name in ("delta_vs_teacher", "delta_ci_low", "delta_ci_high")]
    difference, low, high = map(_number, numbers)
    interval = f" [{low}, {high}]" if low else ""
    p = f", p = {line['p_value']:.2g}" if pd.notna(line["p_value"]) else ""
    return f"{line['verdict']}: {difference}{interval} to its teacher{p}" if difference else ""


def _competitors(frame: pd.DataFrame) -> list[str]:
    """The columns of the frame that define a group with one best value: a row, or a column."""
    return ["metric"] if frame["column"].nunique() == 1 else ["metric", "row"]


def _best(frame: pd.DataFrame, values: str) -> "pd.Series[bool]":
    """Whether a cell has the lowest value of its group at the printed precision."""
    rounded = frame[values].round(2)
    groups = rounded.groupby([frame[name] for name in _competitors(frame)])
    return (rounded == groups.transform("min")) & (groups.transform("count") > 1)


def layout(frame: pd.DataFrame) -> Layout:
    """Lay out the tidy frame of one table as in the paper."""
    contrast = frame["metric"].str.startswith(DIFFERENCE)
    best = _best(frame, "mean").mask(contrast, (frame["ci_low"] > 0) | (frame["ci_high"] < 0))
    lines = frame.assign(best=best, reported_best=_best(frame, "reported"), contrast=contrast)
    cells = {
        (line["row"], line["column"]): RenderedCell(
            mean=_number(line["mean"], "+.2f" if line["contrast"] else ".2f") if line["n"] else "–",
            reported=_number(line["reported"]),
            interval=_number((line["ci_high"] - line["ci_low"]) / 2),
            best=line["best"],
            reported_best=line["reported_best"],
            verdict=line["verdict"] if pd.notna(line["verdict"]) else "",
            difference=_difference(line),
            mark=CELL_MARKS.get(line["verdict"], "") + AGREES.get(line["agrees"], ""),
        )
        for line in lines.to_dict("records")
    }
    params = {}
    if frame["params_reported"].notna().any():
        sizes = frame.groupby("row")[["params", "params_reported"]].first()
        for row, ours, papers in sizes.itertuples():
            params[str(row)] = RenderedCell(_number(ours, ".3g"), _number(papers, ".3g"))
    return Layout(list(frame["row"].unique()), list(frame["column"].unique()), cells, params)


def quality_layout(frame: pd.DataFrame) -> Layout:
    """Lay out the quality of one table's cells: a row per cell, a column per metric.

    Beneath a mean stands its difference to the teacher, bold where the interval excludes zero.
    """
    named = frame["row"]
    if frame["column"].nunique() > 1:
        named = named + ", " + frame["column"]
    cells = {}
    for name, line in zip(named, frame.to_dict("records"), strict=True):
        heading, spec = QUALITY_METRICS[line["metric"]]
        low, high = line["delta_ci_low"], line["delta_ci_high"]
        difference = _number(line["delta_vs_teacher"], f"+{spec}")
        if reach := _number((high - low) / 2, spec):
            difference += f" ± {reach}"
        cells[name, heading] = RenderedCell(
            mean=_number(line["mean"], spec),
            reported=difference,
            interval=_number((line["ci_high"] - line["ci_low"]) / 2, spec),
            reported_best=low > 0 or high < 0,
        )
    return Layout(
        list(named.unique()), [heading for heading, _ in QUALITY_METRICS.values()], cells, {}
    )


def notes(frame: pd.DataFrame, note: str, transposed: bool = False) -> list[str]:
    """Explain the numbers: metric, data (`note`), seeds, interval, bold and verdicts."""
    contrast = frame["metric"].str.startswith(DIFFERENCE)
    metrics = " and ".join(frame["metric"][~contrast].unique())
    printed = frame["reported"].notna().any()
    beneath = "; beneath it the paper’s value, from one run" if printed else ""
    and_whose = ", ours and the paper’s" if printed else ""
    seeds_of = frame["n"].where(frame["n"] > 0, frame["n"].max())  # empty cells have own notes
    low, high = int(seeds_of.min()), int(seeds_of.max())
    seeds = f"{low} seed{'s' if low != 1 else ''}" if low == high else f"{low} to {high} seeds"
    spread = "Mean ± half-width of the 95 % t-interval over" if high > 1 else "Measured with"
    place = "row" if ("row" in _competitors(frame)) != transposed else "column"
    sentences = [
        f"{metrics[0].upper()}{metrics[1:]}, lower is better. {note}",
        f"{spread} {seeds}{beneath}. Bold: the best of its {place}{and_whose}.",
    ]
    if contrast.any():
        sentences.append(
            "Differences are paired by seed and bold where their 95 % interval excludes zero, not"
            " corrected for their number."
        )
    if frame["verdict"].notna().any():
        legend = ", ".join(f"{mark} {verdict}" for verdict, mark in CELL_MARKS.items())
        sentences.append(
            f"{legend}: the 95 % interval of the paired difference to the teacher of the same "
            "lineage lies below zero, above it, or contains it."
        )
    if frame["agrees"].isin([*AGREES]).any():
        sentences.append(
            "✓ in the direction of the paper’s difference, ✗ against it; neither where the paper’s"
            " lies within what two single runs differ by."
        )
    return sentences
