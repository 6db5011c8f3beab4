"""The figures of the six tables: measured means with 95 % intervals and seeds, beside the paper's numbers.

Every figure takes the tidy frame of its tables (`tables/table<k>.csv`) and the seeds' values (`cells.csv`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

CELL = ["table", "row", "column"]
SEED = {"s": 15, "alpha": 0.4, "linewidths": 0, "zorder": 4}
PAPER = {"marker": "D", "markersize": 4.5, "markerfacecolor": "none", "linestyle": "none"}
ZERO = {"color": "#444444", "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 1}

# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = {
    "teacher": "#5b6670",
    "ban": "#0072b2",
    "ban+l": "#56b4e9",
    "cwtm": "#e69f00",
    "dkpp": "#cc79a7",
    "densenet-90-60 student": "#d55e00",
    "ensemble": "#009e73",
}
NAMES = {"ban": "BAN", "ban+l": "BAN+L", "cwtm": "CWTM", "dkpp": "DKPP"}
KINDS = {
    "teacher": "trained on labels",
    "ban": "BAN student",
    "densenet-90-60 student": "DenseNet-90-60 student",
}
VERDICTS = {
    "replicated": {"color": "#009e73", "marker": "o"},
    "inconclusive": {"color": "#8a8f98", "marker": "s"},
    "contradicted": {"color": "#d55e00", "marker": "X"},
}
STYLE = {
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
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.color": "#9aa0a6",
    "ytick.color": "#9aa0a6",
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 5,
    "errorbar.capsize": 2,
    "svg.hashsalt": "born-again",
}
# The teacher's cell where it is not the row's own `teacher` column.
TEACHER_ROWS = {"table4": "teacher densenet-90-60", "table5": "densenet-90-60"}
TEACHER_COLUMNS = {"error": "error", "ban+l val": "teacher val", "ban+l test": "teacher test"}


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write `<name>.svg` and `<name>.png` into the folder, byte for byte the same from the same figure.

    Returns the path of the PNG, which has 200 dots per inch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.savefig(folder / f"{name}.png", dpi=200)
    return folder / f"{name}.png"


def canvas(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, Any]:
    """Return a figure as wide as a page's text, `height` in inches, and its (rows, columns) of axes."""
    figure = Figure(figsize=(7.2, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def legend_below(figure: Figure, *panels: Axes) -> None:
    """Put one legend for the whole figure under it, with every label that the panels use once."""
    handles = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=6)


def estimates(
    axes: Axes, frame: pd.DataFrame, cells: pd.DataFrame, colour: str, **style: Any
) -> None:
    """Draw each line's mean with its interval at `x`, and its seeds as light dots; across if it has a `y`."""
    place = "y" if "y" in frame else "x"
    value = "x" if place == "y" else "y"
    reach = [frame["mean"] - frame["ci_low"], frame["ci_high"] - frame["mean"]]
    points: dict[str, Any] = {place: frame[place], value: frame["mean"], f"{value}err": reach}
    axes.errorbar(**points, **{"color": colour, "marker": "o", "elinewidth": 1, "zorder": 3} | style)
    seeds = cells.merge(frame[[*CELL, place]], on=CELL)
    axes.scatter(**{place: seeds[place], value: seeds["value"]}, color=colour, **SEED)


def differences(frame: pd.DataFrame, cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn values into differences to the generation-0 teacher: ours paired by seed, the paper's plainly.

    Keeps the lines that have a teacher; of `frame` the columns mean, ci_low, ci_high and reported change,
    of `cells` the column value.
    """
    students = frame.dropna(subset="delta_vs_teacher")[[*CELL, "verdict"]]
    teachers = students.assign(
        teacher_row=students["table"].map(TEACHER_ROWS).fillna(students["row"]),
        teacher_column=students["column"].map(TEACHER_COLUMNS).fillna("teacher"),
    )
    in_table5 = teachers["table"] == "table5"
    teachers["teacher_column"] = teachers["teacher_column"].mask(in_table5, "baseline")
    teachers = teachers.drop(columns="verdict")

    def paired(values: pd.DataFrame, name: str, by: list[str]) -> pd.DataFrame:
        keys = ["table", "teacher_row", "teacher_column"]
        of_teacher = values.rename(columns={"row": keys[1], "column": keys[2], name: "of_teacher"})
        both = values.merge(teachers, on=CELL).merge(
            of_teacher[[*keys, *by, "of_teacher"]], on=[*keys, *by]
        )
        return both.assign(**{name: both[name] - both["of_teacher"]})

    measured = {"mean": "delta_vs_teacher", "ci_low": "delta_ci_low", "ci_high": "delta_ci_high"}
    ours = paired(frame, "reported", [])
    return ours.assign(**{new: ours[old] for new, old in measured.items()}), paired(
        cells, "value", ["seed"]
    )


def _plain_numbers(axes: Axes) -> None:
    """Write a logarithmic axis of parameter counts as 0.3, 1, 3, 10."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


@mpl.rc_context(STYLE)
def sweeps(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw teacher and BAN over the number of parameters: tables 1 and 3, measured above, paper below.

    Table 3 prints no parameters; its networks have those of table 1.
    """
    printed = frame.query("table == 'table1'").groupby("row")["params_reported"].first()
    panels = [("table1", "wide-resnet"), ("table1", "densenet"), ("table3", "wide-resnet")]
    figure, grid = canvas(2, 3, 4.4)
    for (table, family), (above, below) in zip(panels, grid.T, strict=True):
        for column, dodge in (("teacher", 0.97), ("ban", 1.03)):
            mine = frame[
                (frame["table"] == table)
                & (frame["column"] == column)
                & frame["row"].str.startswith(family)
            ]
            mine = mine.assign(x=mine["params"] * dodge)
            label = NAMES.get(column, column)
            estimates(above, mine, cells, COLOURS[column], label=label)
            below.plot(mine["row"].map(printed), mine["reported"], "D-", color=COLOURS[column])
        family_name = {"wide-resnet": "Wide-ResNet", "densenet": "DenseNet"}[family]
        above.set_title(f"Table {table[-1]}, {family_name}")
        below.set_xlabel("parameters (millions)")
        for axes in (above, below):
            _plain_numbers(axes)
    grid[0, 0].set_ylabel("measured test error (%)")
    grid[1, 0].set_ylabel("paper’s test error (%)")
    legend_below(figure, grid[0, 0])
    return figure


@mpl.rc_context(STYLE)
def generations(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw the sequence teacher, BAN-1, BAN-2, BAN-3 and its ensembles: table 2, one column per network."""
    places = {"teacher": 0, "ban-1": 1, "ban-2": 2, "ban-3": 3, "ens*2": 2.25, "ens*3": 3.25}
    lines = frame.assign(x=frame["column"].map(places)).dropna(subset="x")
    ensemble = lines["column"].str.startswith("ens")
    networks = frame["row"].unique()
    figure, grid = canvas(2, len(networks), 3.9, sharex=True, sharey="row")
    for network, (above, below) in zip(networks, grid.T, strict=True):
        single, together = (lines[(lines["row"] == network) & kind] for kind in (~ensemble, ensemble))
        blue, green = COLOURS["ban"], COLOURS["ensemble"]
        estimates(above, single, cells, blue, label="one network")
        together_style = {"marker": "s", "linestyle": "none", "label": "ensemble of the generations"}
        estimates(above, together, cells, green, **together_style)
        below.plot(single["x"], single["reported"], "D-", color=blue)
        below.plot(together["x"], together["reported"], "D", color=green)
        above.set_title(network)
        below.set_xticks(range(4), ["teacher", "BAN-1", "BAN-2", "BAN-3"], rotation=45)
    grid[0, 0].set_ylabel("measured test error (%)")
    grid[1, 0].set_ylabel("paper’s test error (%)")
    legend_below(figure, grid[0, 0])
    return figure


@mpl.rc_context(STYLE)
def treatments(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw BAN, BAN+L, CWTM and DKPP as differences to the teacher: table 2, a forest plot per network."""
    ours, seeds = differences(frame, cells)
    places = {column: -place for place, column in enumerate(NAMES)}
    ours = ours.assign(y=ours["column"].map(places)).dropna(subset="y")
    networks = frame["row"].unique()
    figure, grid = canvas(1, len(networks), 2.3, sharex=True, sharey=True)
    for network, axes in zip(networks, grid[0], strict=True):
        axes.axvline(0, **ZERO)
        for column in NAMES:
            mine = ours[(ours["row"] == network) & (ours["column"] == column)]
            estimates(axes, mine, seeds, COLOURS[column], label="measured")
            axes.plot(mine["reported"], mine["y"] - 0.3, color="black", label="paper", **PAPER)
        axes.set_title(network)
        axes.set_xlabel("difference to teacher\n(percentage points)")
    grid[0, 0].set_yticks(list(places.values()), list(NAMES.values()))
    grid[0, 0].set_ylim(-3.6, 0.4)
    legend_below(figure, grid[0, 0])
    return figure


@mpl.rc_context(STYLE)
def cross_architecture(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw students of another architecture: tables 3, 4 and 5, measured on the left, paper on the right."""
    tables = ["table3", "table4", "table5"]
    # Table 4 has one column: its kinds of networks stand in its rows.
    in_table4 = frame["table"] == "table4"
    role = frame["row"].str.startswith("teacher").map({True: "teacher", False: "ban"})
    frame = frame.assign(kind=frame["column"].mask(in_table4, role).replace("baseline", "teacher"))
    rows = [frame.loc[frame["table"] == table, "row"].unique() for table in tables]
    ratios = [len(names) + 1 for names in rows]
    figure, grid = canvas(3, 2, 6.4, sharey="row", gridspec_kw={"height_ratios": ratios})
    for table, names, (left, right) in zip(tables, rows, grid, strict=True):
        places = {name: -place for place, name in enumerate(names)}
        lines = frame[frame["table"] == table].assign(y=lambda it, at=places: it["row"].map(at))
        for kind, label in KINDS.items():
            mine = lines[lines["kind"] == kind]
            estimates(left, mine, cells, COLOURS[kind], linestyle="none", label=label)
            right.plot(mine["reported"], mine["y"], color=COLOURS[kind], **PAPER)
        left.set_yticks(list(places.values()), list(names))
        left.set_ylim(0.6 - len(names), 0.6)
        left.set_title(f"Table {table[-1]}, measured")
        right.set_title(f"Table {table[-1]}, paper")
    for axes in grid[-1]:
        axes.set_xlabel("test error (%)")
    legend_below(figure, grid[0, 0])
    return figure


@mpl.rc_context(STYLE)
def agreement(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw the measured over the reported difference to the teacher, every cell of every table by verdict."""
    ours, _ = differences(frame, cells)
    perplexity = ours["metric"].str.contains("perplexity")
    figure, (grid,) = canvas(1, 2, 3.4, gridspec_kw={"width_ratios": [2, 1]})
    panels = [("test error (percentage points)", ~perplexity), ("perplexity", perplexity)]
    for axes, (unit, chosen) in zip(grid, panels, strict=True):
        axes.axhline(0, **ZERO)
        axes.axvline(0, **ZERO)
        for verdict, style in VERDICTS.items():
            mine = ours[chosen & (ours["verdict"] == verdict)]
            reach = [mine["mean"] - mine["ci_low"], mine["ci_high"] - mine["mean"]]
            axes.errorbar(
                mine["reported"],
                mine["mean"],
                yerr=reach,
                linestyle="none",
                elinewidth=0.7,
                capsize=0,
                alpha=0.85,
                markersize=4.5,
                markeredgewidth=0,
                label=f"{verdict} ({(ours['verdict'] == verdict).sum()})",
                **style,
            )
        axes.set_xscale("asinh", linear_width=0.5)
        axes.set_yscale("asinh", linear_width=0.5)
        axes.set_title(unit)
        axes.set_xlabel("paper’s difference to the teacher")
    grid[0].set_ylabel("measured difference to the teacher")
    legend_below(figure, grid[0])
    return figure
