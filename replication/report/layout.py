"""A table's tidy frame as rows × columns of texts, and the notes that explain them.

A row has several lines: what the paper prints, our mean, and both differences from the teacher.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from replication.analysis.summary import DIFFERENCE
from replication.wording import formatted

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

PRINTED, OURS = "paper", "ours"
PRINTED_DIFFERENCE, OUR_DIFFERENCE = "paper − teacher", "ours − teacher"
LINES = (PRINTED, OURS, PRINTED_DIFFERENCE, OUR_DIFFERENCE)
"""The lines of a row, from top to bottom."""
PARAMETERS = "parameters"
"""The column of the networks' sizes."""

PrintedDifferences = Mapping[tuple[str, str], float]
"""The paper's difference from the teacher, by row and column."""


class Entry(NamedTuple):
    """The content of one line of a cell.

    ``interval`` follows the value, ``mark`` shows its ``verdict`` and whether it agrees with the
    paper, ``p_value`` is behind it, and ``n`` is the number of seeds.
    """

    value: str
    interval: str = ""
    bold: bool = False
    verdict: str = ""
    mark: str = ""
    p_value: str = ""
    n: int | None = None


CellLines = dict[str, Entry]
"""The entries of a cell by line."""


@dataclass(frozen=True)
class Layout:
    """A table as in the paper: the lines of its cells by row and column.

    ``sizes`` has the parameters of a row's network, as an entry for each line, where the paper
    prints them.
    """

    rows: list[str]
    columns: list[str]
    cells: dict[tuple[str, str], CellLines]
    sizes: dict[str, CellLines] = field(default_factory=dict)

    def transposed(self) -> "Layout":
        """Its rows as columns, without the parameters."""
        cells = {(column, row): cell for (row, column), cell in self.cells.items()}
        return Layout(self.columns, self.rows, cells)

    def lines_of(self, row: str) -> list[str]:
        """The lines that at least one cell of a row has."""
        shown = [
            self.sizes.get(row, {}),
            *(self.cells.get((row, name), {}) for name in self.columns),
        ]
        return [line for line in LINES if any(line in cell for cell in shown)]

    def seeds_of(self, row: str) -> int | None:
        """The number of seeds of a row; None where its cells differ in it."""
        cells = (self.cells.get((row, column), {}) for column in self.columns)
        seeds = {entry.n for cell in cells for entry in cell.values() if entry.n}
        return seeds.pop() if len(seeds) == 1 else None


def number(value: float, spec: str = ".2f") -> str:
    """A number with the typographic minus; nothing for a missing one."""
    return "" if pd.isna(value) else formatted(value, spec)


def size_in_words(millions: float) -> str:
    """A number of parameters with three digits: 2.93 k, 16.1 M; nothing for a missing one."""
    if pd.isna(millions):
        return ""
    return f"{millions:.3g} M" if millions >= 1 else f"{1000 * millions:.3g} k"


def layout(frame: pd.DataFrame, printed: PrintedDifferences | None = None) -> Layout:
    """Lay out the tidy frame of one table as in the paper."""
    cells = {
        (line["row"], line["column"]): _cell(line, printed or {})
        for line in frame.to_dict("records")
    }
    sizes: dict[str, CellLines] = {}
    if frame["params_reported"].notna().any():
        of_rows = frame.groupby("row")[["params", "params_reported"]].first()
        for row, ours, papers in of_rows.itertuples():
            printed_size = f"{papers:g} M" if pd.notna(papers) else ""
            texts = {PRINTED: printed_size, OURS: size_in_words(ours)}
            sizes[str(row)] = {line: Entry(text) for line, text in texts.items() if text}
    return Layout(list(frame["row"].unique()), list(frame["column"].unique()), cells, sizes)


def _cell(line: Mapping[Any, Any], printed: PrintedDifferences) -> CellLines:
    """The lines of one cell, from its line of the tidy frame."""
    contrast = line["metric"].startswith(DIFFERENCE)
    lines: CellLines = {}
    if pd.notna(line["reported"]):
        lines[PRINTED] = Entry(number(line["reported"]))
    low, high, n = line["ci_low"], line["ci_high"], int(line["n"])
    if not n:
        lines[OURS] = Entry("–")
    elif contrast:
        lines[OURS] = Entry(
            number(line["mean"], "+.2f"), _between(low, high), bool(low > 0 or high < 0), n=n
        )
    else:
        reach = number((high - low) / 2)
        lines[OURS] = Entry(number(line["mean"]), f"± {reach}" if reach else "", n=n)
    if pd.isna(line["delta_vs_teacher"]):
        return lines
    difference = printed.get((line["row"], line["column"]))
    if difference is not None:
        lines[PRINTED_DIFFERENCE] = Entry(number(difference, "+.2f"))
    verdict = line["verdict"] if pd.notna(line["verdict"]) else ""
    lines[OUR_DIFFERENCE] = Entry(
        number(line["delta_vs_teacher"], "+.2f"),
        _between(line["delta_ci_low"], line["delta_ci_high"]),
        verdict in ("better", "worse"),
        verdict,
        CELL_MARKS.get(verdict, "") + AGREES.get(line["agrees"], ""),
        f"p = {line['p_value']:.2g}" if pd.notna(line["p_value"]) else "",
    )
    return lines


def _between(low: float, high: float, spec: str = "+.2f") -> str:
    """An interval of a difference; nothing where there is none."""
    return f"[{number(low, spec)}, {number(high, spec)}]" if pd.notna(low) else ""


def quality_layout(frame: pd.DataFrame) -> Layout:
    """Lay out the quality of one table's cells: a row per cell, a column per metric.

    Beneath a mean is its difference from the teacher, bold where the interval excludes zero.
    """
    named = frame["row"]
    if frame["column"].nunique() > 1:
        named = named + ", " + frame["column"]
    cells: dict[tuple[str, str], CellLines] = {}
    for name, line in zip(named, frame.to_dict("records"), strict=True):
        heading, spec = QUALITY_METRICS[line["metric"]]
        low, high = line["delta_ci_low"], line["delta_ci_high"]
        reach = number((line["ci_high"] - line["ci_low"]) / 2, spec)
        interval = f"± {reach}" if reach else ""
        lines = {OURS: Entry(number(line["mean"], spec), interval, n=int(line["n"]))}
        if pd.notna(line["delta_vs_teacher"]):
            lines[OUR_DIFFERENCE] = Entry(
                number(line["delta_vs_teacher"], f"+{spec}"),
                _between(low, high, f"+{spec}"),
                bool(low > 0 or high < 0),
            )
        cells[name, heading] = lines
    headings = [heading for heading, _ in QUALITY_METRICS.values()]
    return Layout(list(named.unique()), headings, cells)


def notes(frame: pd.DataFrame, note: str) -> list[str]:
    """Explain the numbers: metric, data (`note`), seeds, intervals, bold and verdicts."""
    contrast = frame["metric"].str.startswith(DIFFERENCE)
    metrics = " and ".join(frame["metric"][~contrast].unique())
    several = (frame["n"] > 1).any()
    sentences = [f"{metrics[0].upper()}{metrics[1:]}, lower is better. {note}"]
    if several:
        ours = "ours: mean ± half-width of the 95 % t-interval over n seeds"
    else:
        ours = "ours: one seed, which has no interval"
    printed = "paper: the printed value, from one run; " if frame["reported"].notna().any() else ""
    sentences.append(f"{printed}{ours}.".capitalize())
    students = frame["verdict"].notna().any()
    if students:
        legend = ", ".join(f"{mark} {verdict}" for verdict, mark in CELL_MARKS.items())
        sentences.append(
            "− teacher: the difference from generation 0 of the same lineage, paired by seed, with"
            f" its 95 % interval. {legend}: the interval lies below zero, above it, or contains it."
        )
    if contrast.any():
        sentences.append(
            "Differences are paired by seed, with their 95 % intervals, which are not corrected for"
            " their number."
        )
    if several and (students or contrast.any()):
        sentences.append("Bold: the interval of the difference excludes zero.")
    if frame["agrees"].isin([*AGREES]).any():
        sentences.append(
            "✓ in the direction of the paper’s difference, ✗ against it; neither where the paper’s"
            " lies within what two single runs differ by."
        )
    return sentences
