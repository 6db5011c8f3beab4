"""Shared by the figures: style, colours, panels, and how an estimate is drawn."""

import re
from collections.abc import Callable, Iterable
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from replication.results.csv_columns import CELL_KEY

Arguments = ParamSpec("Arguments")

TREATMENT_NAMES = {"ban": "BAN", "ban+l": "BAN+L", "cwtm": "CWTM", "dkpp": "DKPP"}
# Okabe and Ito's palette, which colour-blind readers can tell apart.
TREATMENT_COLOURS = {
    "teacher": "#5b6670",
    "ban": "#0072b2",
    "ban+l": "#56b4e9",
    "cwtm": "#e69f00",
    "dkpp": "#cc79a7",
    "densenet-90-60 student": "#d55e00",
    "ensemble": "#009e73",
}
PAPER: dict[str, Any] = {"marker": "D", "ms": 4, "mfc": "none", "color": "#222222", "ls": "none"}
SEED: dict[str, Any] = {"s": 12, "alpha": 0.4, "linewidths": 0, "zorder": 4, "rasterized": True}
LINE = 118  # characters of a legend's font across a figure
HANDLE = 9  # its handle with the space around it, in characters
CUT_OFF = "interval continues"
ARROWHEAD: dict[str, Any] = {"s": 26, "linewidths": 0, "zorder": 5, "clip_on": False}
REFERENCE: dict[str, Any] = {"color": "#444444", "linewidth": 0.8, "ls": "--", "zorder": 1}
MORE_DIGITS = re.compile(rb"(\d\.\d\d)\d+")
"""Numbers with more than two decimals, which are hundredths of a point in the tags of an SVG."""
TAG = re.compile(rb"<[^>]*>")
STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa0a6",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e6ea",
    "grid.linewidth": 0.6,
    **{f"{axis}tick.labelsize": 7.5 for axis in "xy"},
    **{f"{axis}tick.color": "#9aa0a6" for axis in "xy"},
    **{f"{axis}tick.labelcolor": "black" for axis in "xy"},
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 5,
    "errorbar.capsize": 2,
    # Without a fixed salt, the identifiers in an SVG change with every call.
    "svg.hashsalt": "born-again",
    # Letters as text and not as outlines: a fraction of the size, and a search finds them.
    "svg.fonttype": "none",
}


def drawn(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Have a function draw in the style of the report, with one legend under the whole figure.

    The legend has each label of its axes once.
    """

    @wraps(draw)
    @mpl.rc_context(STYLE)
    def styled(*args: Arguments.args, **options: Arguments.kwargs) -> Figure:
        figure = draw(*args, **options)
        handles_by_label: dict[str, Any] = {}
        for axes in figure.axes:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles_by_label.setdefault(label, handle)
        if handles_by_label:
            labels = sorted(handles_by_label, key=lambda label: label == CUT_OFF)
            handles = [handles_by_label[label] for label in labels]
            figure.legend(
                handles, labels, loc="outside lower center", ncols=_legend_columns(labels)
            )
        return figure

    return styled


def _legend_columns(labels: list[str]) -> int:
    """As many columns as fit below a figure; the widest label of a column is its width."""

    def width(columns: int) -> int:
        parts = np.array_split(labels, min(columns, len(labels)))
        return sum(HANDLE + max(map(len, part)) for part in parts)

    return next((n for n in range(6, 1, -1) if width(n) <= LINE), 1)


def save(figure: Figure, folder: Path, name: str) -> bytes:
    """Write `<name>.svg` and `<name>.png` into the folder; returns the PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_bytes(draw(figure, "svg"))
    png = draw(figure, "png")
    (folder / f"{name}.png").write_bytes(png)
    return png


def draw(figure: Figure, suffix: Literal["svg", "png"]) -> bytes:
    """The figure as SVG or PNG (200 dpi); the same figure gives the same bytes."""
    file, metadata = BytesIO(), {"Date": None} if suffix == "svg" else None
    with mpl.rc_context(STYLE):
        figure.savefig(file, format=suffix, dpi=200, metadata=metadata)
    if suffix == "svg":
        # Text between tags stays, such as the 0.005 beside a tick.
        return TAG.sub(lambda tag: MORE_DIGITS.sub(rb"\1", tag[0]), file.getvalue())
    return file.getvalue()


def draw_small(figure: Figure) -> bytes:
    """The figure as PNG with 64 colours, which is half of the size and looks the same."""
    file = BytesIO()
    with Image.open(BytesIO(draw(figure, "png"))) as image:
        image.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(file, "png", optimize=True)
    return file.getvalue()


def canvas(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, Any]:
    """A figure as wide as a text page, `height` inches high, and its (rows, columns) axes."""
    figure = Figure(figsize=(7.2, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def without_results(network: str) -> Figure:
    """The substitute for a figure of a network that the scale does not train."""
    figure, grid = canvas(1, 1, 0.6)
    grid[0, 0].set_axis_off()
    grid[0, 0].text(0.5, 0.5, f"{network} has no results at this scale.", ha="center", va="center")
    return figure


def panels(
    titles: Iterable[str], height: float, xlabel: str, *ylabels: str, **options: Any
) -> tuple[Figure, Any]:
    """A canvas with a column for each title and a row for each label of the y axis."""
    titles = list(titles)
    figure, grid = canvas(len(ylabels), len(titles), height, **options)
    for title, column in zip(titles, grid.T, strict=True):
        column[0].set_title(title)
        column[-1].set_xlabel(xlabel)
    for ylabel, row in zip(ylabels, grid, strict=True):
        row[0].set_ylabel(ylabel)
    return figure, grid


def limits(
    frame: pd.DataFrame, cells: pd.DataFrame, *beside: pd.Series, lowest: float = -np.inf
) -> tuple[float, float]:
    """Limits of an axis on which means, seeds and the values `beside` them are distinguishable.

    Intervals get half as much room on either side: with few seeds they are many times as wide.
    """
    seen = pd.concat([frame["mean"], cells.merge(frame[CELL_KEY], on=CELL_KEY)["value"], *beside])
    room = (seen.max() - seen.min()) / 2 or 1
    whole = pd.concat([seen, frame["ci_low"], frame["ci_high"]])
    low, high = max(whole.min(), seen.min() - room), min(whole.max(), seen.max() + room)
    margin = 0.05 * (high - low) or 1
    return max(low - margin, lowest), high + margin


def intervals(axes: Axes, frame: pd.DataFrame, within: tuple[float, float], **style: Any) -> None:
    """Draw each line's mean and interval, with an arrowhead where the interval is cut off.

    The lines of the frame are placed at their `x`, or horizontally at their `y` if it has one.
    """
    # Plotting libraries compute intervals from raw values; these come from the tables.
    place, value, heads = ("y", "x", "<>") if "y" in frame else ("x", "y", "v^")
    low, high = within
    lengths = [
        frame["mean"] - frame["ci_low"].clip(lower=low),
        frame["ci_high"].clip(upper=high) - frame["mean"],
    ]
    points: dict[str, Any] = {place: frame[place], value: frame["mean"], f"{value}err": lengths}
    axes.errorbar(**points, ecolor=(style["color"], 0.5), **style)
    beyond = (frame["ci_low"] < low, frame["ci_high"] > high)
    for end, head, cut in zip(within, heads, beyond, strict=True):
        if cut.any():
            tips: dict[str, Any] = {place: frame.loc[cut, place], value: [end] * cut.sum()}
            axes.scatter(**tips, marker=head, color=style["color"], label=CUT_OFF, **ARROWHEAD)
    axes.set(**{f"{value}lim": within})


def estimates(
    axes: Axes,
    frame: pd.DataFrame,
    cells: pd.DataFrame,
    colour: str,
    within: tuple[float, float],
    **style: Any,
) -> None:
    """Draw as `intervals` and add the values of the seeds as light dots."""
    options = {"color": colour, "marker": "o", "elinewidth": 1, "zorder": 3} | style
    intervals(axes, frame, within, **options)
    place, value = ("y", "x") if "y" in frame else ("x", "y")
    seeds = cells.merge(frame[[*CELL_KEY, place]], on=CELL_KEY)
    dots: dict[str, Any] = {place: seeds[place], value: seeds["value"]}
    axes.scatter(**dots, color=colour, **SEED)
