"""The figures of the six tables: means, intervals and seeds, beside the paper's numbers.

Every figure takes the tidy frame of its tables (`tables/table<k>.csv`) and `cells.csv`.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, NullLocator

from replication.analysis.cells_csv import CELL
from replication.report.layout import VERDICT_COLOURS
from replication.report.plotting import (
    COLOURS,
    NAMES,
    PAPER,
    REFERENCE,
    canvas,
    drawn,
    estimates,
    intervals,
    limits,
    panels,
)

SWEEPS = {
    "Table 1, Wide-ResNet": ("table1", "wide-resnet"),
    "Table 1, DenseNet": ("table1", "densenet"),
    "Table 3, Wide-ResNet": ("table3", "wide-resnet"),
}
GENERATIONS = {"teacher": 0, "ban-1": 1, "ban-2": 2, "ban-3": 3, "ens*2": 2.25, "ens*3": 3.25}
STUDENTS = {
    "teacher": "trained on labels",
    "ban": "BAN student",
    "densenet-90-60 student": "DenseNet-90-60 student",
}
VERDICT_MARKERS = {"better": "o", "undecided": "s", "worse": "X"}
MEASURED, REPORTED = "measured test error (%)", "paper’s test error (%)"
REMARK: dict[str, Any] = {"color": "#6b7280", "fontsize": 7, "fontstyle": "italic", "zorder": 1}
TICKS = [-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50]


def _with_teachers(cells: pd.DataFrame) -> pd.DataFrame:
    """Join every line of a student with that of its generation-0 teacher, as `teacher_…`.

    A run's id lists its lineage after the data set, generation 0 first. An ensemble has the lineage
    of its last member.
    """
    root_teacher = cells["run"].str.extract(r"([^/;]+/[^/;]+)/[^;]+$", expand=False)
    same = ["table", "metric", "seed"]
    teachers = cells[root_teacher.isna()].drop_duplicates([*same, "run"])
    teachers = teachers.set_index([*same, "run"]).add_prefix("teacher_")
    students = cells.assign(root_teacher=root_teacher).dropna(subset="root_teacher")
    return students.join(teachers, on=[*same, "root_teacher"], how="inner")


def differences(frame: pd.DataFrame, cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn values into differences to the generation-0 teacher, paired by seed where measured.

    Keeps the cells that have a teacher. Changes mean, ci_low, ci_high and reported in `frame`, and
    value in `cells`.
    """
    seeds = _with_teachers(cells)
    reported = frame.set_index(CELL)["reported"].rename("teacher_reported")
    to_teacher = ["table", "teacher_row", "teacher_column"]
    pairs = seeds[[*CELL, *to_teacher[1:]]].drop_duplicates().join(reported, on=to_teacher)
    ours = frame.merge(pairs, on=CELL)
    ours["reported"] -= ours["teacher_reported"]
    measured = ours[["delta_vs_teacher", "delta_ci_low", "delta_ci_high"]]
    ours[["mean", "ci_low", "ci_high"]] = measured.to_numpy()
    return ours, seeds.assign(value=seeds["value"] - seeds["teacher_value"])


def _fixed_ticks(axis: Axis, values: Iterable[float], text: Callable[[float], str]) -> None:
    axis.set_major_locator(FixedLocator(list(values)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: text(value))


def _apart(sizes: pd.Series) -> list[float]:
    """Those of the sizes whose labels do not overlap on a logarithmic axis."""
    found = sorted(sizes.dropna().unique())
    kept = found[:1]
    for size in found[1:]:
        if np.log(size / kept[-1]) > 0.1 * np.log(found[-1] / found[0]):
            kept.append(size)
    return kept


def _millions(size: float) -> str:
    """A number of parameters in millions as 44k or 1.5M."""
    return EngFormatter(sep="").format_eng(float(f"{size:.2g}") * 1e6)


@drawn
def sweeps(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw teacher and BAN over the number of parameters, measured above paper: tables 1 and 3.

    Table 3 prints no parameters; its networks have those of table 1.
    """
    printed = frame.query("table == 'table1'").groupby("row")["params_reported"].first()
    figure, grid = panels(SWEEPS, 4.4, "parameters", MEASURED, REPORTED)
    for (table, family), (above, below) in zip(SWEEPS.values(), grid.T, strict=True):
        of_family = frame[(frame["table"] == table) & frame["row"].str.startswith(family)]
        of_family = of_family[of_family["column"].isin(["teacher", "ban"])]
        within = limits(of_family, cells, lowest=0)
        # Two hundredths of the axis apart.
        dodge = (of_family["params"].max() / of_family["params"].min()) ** 0.01
        for column, factor in (("teacher", 1 / dodge), ("ban", dodge)):
            mine = of_family[of_family["column"] == column]
            mine = mine.assign(x=mine["params"] * factor).sort_values("x")
            label = NAMES.get(column, column)
            estimates(above, mine, cells, COLOURS[column], within, label=label)
            paper = mine.assign(x=mine["row"].map(printed)).sort_values("x")
            below.plot(paper["x"], paper["reported"], "D-", color=COLOURS[column])
        for axes, sizes in ((above, of_family["params"]), (below, of_family["row"].map(printed))):
            axes.set_xscale("log")
            _fixed_ticks(axes.xaxis, _apart(sizes), _millions)
    return figure


@drawn
def generations(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw the sequence of generations and its ensembles, measured above paper: table 2."""
    lines = frame.assign(x=frame["column"].map(GENERATIONS)).dropna(subset="x")
    networks = frame["row"].unique()
    figure, grid = panels(networks, 3.9, "generation", MEASURED, REPORTED, sharex=True)
    squares = {"marker": "s", "linestyle": "none", "label": "ensemble of the generations"}
    for network, (above, below) in zip(networks, grid.T, strict=True):
        mine = lines[lines["row"] == network]
        within, ensemble = limits(mine, cells, lowest=0), mine["column"].str.startswith("ens")
        single, together = mine[~ensemble], mine[ensemble]
        estimates(above, single, cells, COLOURS["ban"], within, label="one network")
        estimates(above, together, cells, COLOURS["ensemble"], within, **squares)
        below.plot(single["x"], single["reported"], "D-", color=COLOURS["ban"])
        below.plot(together["x"], together["reported"], "D", color=COLOURS["ensemble"])
        below.set_xticks(range(4), ["teacher", "BAN-1", "BAN-2", "BAN-3"], rotation=45)
    return figure


@drawn
def treatments(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw BAN, BAN+L, CWTM and DKPP as differences to the teacher, a forest plot each: table 2."""
    ours, seeds = differences(frame, cells)
    places = {column: -place for place, column in enumerate(NAMES)}
    ours = ours.assign(y=ours["column"].map(places)).dropna(subset="y")
    networks, within = frame["row"].unique(), limits(ours, seeds, ours["reported"])
    xlabel = "difference to teacher\n(percentage points)"
    label = "measured: mean, 95 % interval, seeds"
    figure, grid = panels(networks, 2.4, xlabel, "", sharex=True, sharey=True)
    for network, axes in zip(networks, grid[0], strict=True):
        axes.axvline(0, **REFERENCE)
        for column in NAMES:
            mine = ours[(ours["row"] == network) & (ours["column"] == column)]
            estimates(axes, mine, seeds, COLOURS[column], within, label=label)
            axes.plot(mine["reported"], mine["y"] - 0.3, label="paper", **PAPER)
    grid[0, 0].set_yticks(list(places.values()), list(NAMES.values()))
    grid[0, 0].set_ylim(-3.6, 0.4)
    return figure


@drawn
def cross_architecture(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw students of another architecture, measured next to paper: tables 3, 4 and 5."""
    tables = ["table3", "table4", "table5"]
    # Table 4 has one column; its rows say which network is the teacher.
    role = frame["row"].str.startswith("teacher").map({True: "teacher", False: "ban"})
    kind = frame["column"].mask(frame["table"] == "table4", role).replace("baseline", "teacher")
    rows = [frame.loc[frame["table"] == table, "row"].unique() for table in tables]
    ratios = [len(names) + 1 for names in rows]
    figure, grid = canvas(3, 2, 6.4, sharey="row", gridspec_kw={"height_ratios": ratios})
    for table, names, (left, right) in zip(tables, rows, grid, strict=True):
        places = {name: -place for place, name in enumerate(names)}
        within = limits(frame[frame["table"] == table], cells, lowest=0)
        for lane, (student, label) in enumerate(STUDENTS.items()):
            mine = frame[(frame["table"] == table) & (kind == student)]
            mine = mine.assign(y=mine["row"].map(places) + 0.18 * (1 - lane))
            colour = COLOURS[student]
            estimates(left, mine, cells, colour, within, linestyle="none", label=label)
            right.plot(mine["reported"], mine["y"], **PAPER | {"color": colour})
        left.set_yticks(list(places.values()), list(names))
        left.set_ylim(0.6 - len(names), 0.6)
        left.set_title(f"Table {table[-1]}, measured")
        right.set_title(f"Table {table[-1]}, paper")
    for axes in grid[-1]:
        axes.set_xlabel("test error (%)")
    return figure


@drawn
def agreement(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw the measured over the reported difference to the teacher: all cells, by verdict."""
    ours, seeds = differences(frame, cells)
    perplexity = ours["metric"].str.contains("perplexity")
    units = {"test error (percentage points)": ~perplexity, "perplexity": perplexity}
    labels = ("paper’s difference to the teacher", "measured difference to the teacher")
    figure, (grid,) = panels(units, 3.4, *labels, gridspec_kw={"width_ratios": [2, 1]})
    for axes, chosen in zip(grid, units.values(), strict=True):
        axes.axhline(0, **REFERENCE)
        axes.axvline(0, **REFERENCE)
        within = limits(ours[chosen], seeds, pd.Series([0.0]))
        for verdict, marker in VERDICT_MARKERS.items():
            mine = ours[chosen & (ours["verdict"] == verdict)].assign(x=ours["reported"])
            label = f"{verdict} ({(ours['verdict'] == verdict).sum()})"
            style = {"marker": marker, "color": VERDICT_COLOURS[verdict], "linestyle": "none"}
            thin = {"elinewidth": 0.7, "capsize": 0, "markeredgewidth": 0}
            intervals(axes, mine, within, label=label, **thin, **style)
        # Most cells lie near zero, a few far from it.
        axes.set_xscale("asinh", linear_width=1)
        axes.set_yscale("asinh", linear_width=1)
        for axis in (axes.xaxis, axes.yaxis):
            _fixed_ticks(axis, TICKS, lambda value: f"{value:g}".replace("-", "−"))
        axes.margins(x=0.1)
    # Beside the line of no reported difference, where no cell lies far from the other line.
    across = grid[0].get_xaxis_transform()
    grid[0].text(-0.08, 0.04, "better in both", transform=across, ha="right", **REMARK)
    grid[0].text(0.08, 0.96, "worse in both", transform=across, va="top", **REMARK)
    return figure
