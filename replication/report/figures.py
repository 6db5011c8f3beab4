"""The figures of the six tables: means, intervals and seeds, beside the paper's numbers.

Every figure takes the tidy frame of its tables (`tables/table<k>.csv`) and `cells.csv`; those of
differences to a teacher also take `runs.csv`, indexed by run, which names the teacher of each run.
"""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, NullLocator

from replication.analysis.statistics import summarise
from replication.config.paper_names import paper_name
from replication.report.layout import VERDICT_COLOURS
from replication.report.plotting import (
    PAPER,
    REFERENCE,
    TREATMENT_COLOURS,
    TREATMENT_NAMES,
    canvas,
    drawn,
    estimates,
    intervals,
    limits,
    panels,
)
from replication.results.csv_columns import CELL_KEY
from replication.results.csv_files import root_teachers, split_members
from replication.wording import formatted

SWEEPS = {
    "Table 1, Wide-ResNet": ("table1", "wide-resnet"),
    "Table 1, DenseNet": ("table1", "densenet"),
    "Table 3, Wide-ResNet": ("table3", "wide-resnet"),
}
STUDENTS = {
    "teacher": "trained on labels",
    "ban": "BAN student",
    "densenet-90-60 student": "DenseNet-90-60 student",
}
VERDICT_MARKERS = {"better": "o", "undecided": "s", "worse": "X"}
MEASURED_LABEL, REPORTED_LABEL = "measured test error (%)", "paper’s test error (%)"
RELATIVE_LABEL = "difference from the teacher (%)"
TICKS = [-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50]


def _with_teachers(cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Join every line of a student with that of its generation-0 teacher, as `teacher_…`.

    An ensemble has the lineage of its last member.
    """
    root_teacher = root_teachers(cells["run"], runs)
    same = ["table", "metric", "seed"]
    teachers = cells[root_teacher.isna()].drop_duplicates([*same, "run"])
    teachers = teachers.set_index([*same, "run"]).add_prefix("teacher_")
    students = cells.assign(root_teacher=root_teacher).dropna(subset="root_teacher")
    return students.join(teachers, on=[*same, "root_teacher"], how="inner")


def differences(
    frame: pd.DataFrame, cells: pd.DataFrame, runs: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn values into differences from the generation-0 teacher, paired by seed where measured.

    Keeps the cells that have a teacher. Changes mean, ci_low, ci_high and reported in `frame`, and
    value in `cells`. `runs` is ``runs.csv``, indexed by run.
    """
    seeds = _with_teachers(cells, runs)
    reported = frame.set_index(CELL_KEY)["reported"].rename("teacher_reported")
    to_teacher = ["table", "teacher_row", "teacher_column"]
    pairs = seeds[[*CELL_KEY, *to_teacher[1:]]].drop_duplicates().join(reported, on=to_teacher)
    of_students = frame.merge(pairs, on=CELL_KEY)
    of_students["reported"] -= of_students["teacher_reported"]
    measured = of_students[["delta_vs_teacher", "delta_ci_low", "delta_ci_high"]]
    of_students[["mean", "ci_low", "ci_high"]] = measured.to_numpy()
    return of_students, seeds.assign(value=seeds["value"] - seeds["teacher_value"])


def _fixed_ticks(axis: Axis, values: Iterable[float], text: Callable[[float], str]) -> None:
    axis.set_major_locator(FixedLocator(list(values)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: text(value))


def _apart(sizes: pd.Series) -> list[float]:
    """Those of the sizes whose labels do not overlap on a logarithmic axis."""
    candidates = sorted(sizes.dropna().unique())
    kept = candidates[:1]
    for size in candidates[1:]:
        if np.log(size / kept[-1]) > 0.1 * np.log(candidates[-1] / candidates[0]):
            kept.append(size)
    return kept


def _millions(size: float) -> str:
    """A number of parameters in millions as 44k or 1.5M."""
    return EngFormatter(sep="").format_eng(float(f"{size:.2g}") * 1e6)


@drawn
def sweeps(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw the errors of teacher and BAN against the number of parameters: tables 1 and 3.

    The measured errors are in the upper row, the paper’s in the lower one.

    Table 3 prints no parameters; its networks have those of table 1.
    """
    printed = frame.query("table == 'table1'").groupby("row")["params_reported"].first()
    figure, grid = panels(SWEEPS, 4.4, "parameters", MEASURED_LABEL, REPORTED_LABEL)
    for (table, family), (upper, lower) in zip(SWEEPS.values(), grid.T, strict=True):
        of_family = frame[(frame["table"] == table) & frame["row"].str.startswith(family)]
        of_family = of_family[of_family["column"].isin(["teacher", "ban"])]
        within = limits(of_family, cells, lowest=0)
        # Two hundredths of the axis apart.
        dodge = (of_family["params"].max() / of_family["params"].min()) ** 0.01
        for column, factor in (("teacher", 1 / dodge), ("ban", dodge)):
            points = of_family[of_family["column"] == column]
            points = points.assign(x=points["params"] * factor).sort_values("x")
            label = TREATMENT_NAMES.get(column, column)
            estimates(upper, points, cells, TREATMENT_COLOURS[column], within, label=label)
            in_paper = points.assign(x=points["row"].map(printed)).sort_values("x")
            colour = TREATMENT_COLOURS[column]
            lower.plot(in_paper["x"], in_paper["reported"], "D-", color=colour)
        for axes, sizes in ((upper, of_family["params"]), (lower, of_family["row"].map(printed))):
            axes.set_xscale("log")
            _fixed_ticks(axes.xaxis, _apart(sizes), _millions)
    return figure


@drawn
def generations(frame: pd.DataFrame, cells: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Draw the sequence of generations and its ensembles relative to the teacher: table 2.

    All networks share one axis, and the paper's effects are beside ours. An ensemble is placed at
    the generation of its last member. The control is an average of as many label-trained networks,
    where the scale has the table `controls`.
    """
    networks = frame["row"].unique()
    levels = frame[frame["column"] == "teacher"].set_index("row")
    students, _ = differences(frame, cells, runs)
    last = cells.drop_duplicates(CELL_KEY).set_index(CELL_KEY)["run"]
    last = last.map(lambda members: split_members(members)[-1]).map(runs["generation"])
    ensemble = students["column"].str.startswith("ens")
    students = students[ensemble | students["column"].str.startswith("ban-")]
    students = students.assign(
        x=students.join(last.rename("x"), on=CELL_KEY)["x"] + 0.3 * ensemble[students.index]
    )
    # The larger ensemble of a network without a BAN-3 ends at the same generation.
    students["x"] += 0.25 * students.groupby(["row", "x"]).cumcount()
    ours = 100 / students["row"].map(levels["mean"])
    for column in ("mean", "ci_low", "ci_high"):
        students[column] *= ours
    students["reported"] *= 100 / students["row"].map(levels["reported"])
    controls = _label_ensembles(cells)
    shown = pd.concat([students, controls], ignore_index=True)
    within = limits(shown, cells[:0], students["reported"], pd.Series([0.0]))
    figure, (grid,) = panels(
        map(paper_name, networks), 2.9, "generation", RELATIVE_LABEL, sharex=True, sharey=True
    )
    for network, axes in zip(networks, grid, strict=True):
        axes.axhline(0, **REFERENCE)
        of_network = students[students["row"] == network]
        together = of_network["column"].str.startswith("ens")
        kinds = {"one network": (of_network[~together], "ban", "o")}
        kinds["Ens*2, then Ens*3"] = (of_network[together], "ensemble", "s")
        of_controls = controls[controls["row"] == network]
        kinds["control: two and three label-trained networks"] = (of_controls, "teacher", "^")
        for label, (points, colour, marker) in kinds.items():
            style = {"fmt": marker, "markersize": 4, "elinewidth": 1}
            intervals(axes, points, within, color=TREATMENT_COLOURS[colour], label=label, **style)
        printed = of_network.dropna(subset="reported")
        axes.plot(printed["x"] - 0.12, printed["reported"], label="the paper’s", **PAPER)
        axes.set_xticks(range(1, 4), ["BAN-1", "BAN-2", "BAN-3"])
        axes.set_xlim(0.6, 3.8)
    return figure


def _label_ensembles(cells: pd.DataFrame) -> pd.DataFrame:
    """Label-trained networks of the table `controls`, averaged: relative to one of them, in %.

    A line for each network and number of members, at the x of the ensemble of as many generations.
    """
    controls = cells[cells["table"] == "controls"]
    values = controls.pivot(index=["row", "seed"], columns="column", values="value")
    lines = []
    for x, column in ((2.5, "label ens*2"), (3.5, "label ens*3")):
        for row in values.index.unique("row") if column in values else ():
            pairs = values.loc[row, [column, "teacher"]].dropna()
            level = pairs["teacher"].mean()
            summary = summarise((100 / level * (pairs[column] - pairs["teacher"])).tolist())
            ends = {"ci_low": summary.low, "ci_high": summary.high}
            key = {"table": "controls", "row": row, "column": column}
            lines.append({**key, "x": x, "mean": summary.mean, **ends})
    return pd.DataFrame(lines, columns=[*CELL_KEY, "x", "mean", "ci_low", "ci_high"])


@drawn
def treatments(frame: pd.DataFrame, cells: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Draw BAN, BAN+L, CWTM and DKPP minus the teacher, a forest plot each: table 2."""
    students, seeds = differences(frame, cells, runs)
    places = {column: -place for place, column in enumerate(TREATMENT_NAMES)}
    students = students.assign(y=students["column"].map(places)).dropna(subset="y")
    networks, within = frame["row"].unique(), limits(students, seeds, students["reported"])
    xlabel = "difference from teacher\n(percentage points)"
    label = "measured: mean, 95 % interval, seeds"
    titles = map(paper_name, networks)
    figure, grid = panels(titles, 2.4, xlabel, "", sharex=True, sharey=True)
    for network, axes in zip(networks, grid[0], strict=True):
        axes.axvline(0, **REFERENCE)
        for column in TREATMENT_NAMES:
            of_treatment = students[(students["row"] == network) & (students["column"] == column)]
            estimates(axes, of_treatment, seeds, TREATMENT_COLOURS[column], within, label=label)
            axes.plot(of_treatment["reported"], of_treatment["y"] - 0.3, label="paper", **PAPER)
    grid[0, 0].set_yticks(list(places.values()), list(TREATMENT_NAMES.values()))
    grid[0, 0].set_ylim(-3.6, 0.4)
    return figure


@drawn
def cross_architecture(frame: pd.DataFrame, cells: pd.DataFrame) -> Figure:
    """Draw students of another architecture, measured beside the paper's: tables 3, 4 and 5."""
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
            of_kind = frame[(frame["table"] == table) & (kind == student)]
            of_kind = of_kind.assign(y=of_kind["row"].map(places) + 0.18 * (1 - lane))
            colour = TREATMENT_COLOURS[student]
            estimates(left, of_kind, cells, colour, within, linestyle="none", label=label)
            right.plot(of_kind["reported"], of_kind["y"], **PAPER | {"color": colour})
        left.set_yticks(list(places.values()), [paper_name(name) for name in names])
        left.set_ylim(0.6 - len(names), 0.6)
        left.set_title(f"Table {table[-1]}, measured")
        right.set_title(f"Table {table[-1]}, paper")
    for axes in grid[-1]:
        axes.set_xlabel("test error (%)")
    return figure


@drawn
def agreement_with_paper(frame: pd.DataFrame, cells: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Draw the measured against the reported relative difference from the teacher: all cells.

    In percent of the teacher's error or perplexity, so that all cells share one pair of axes. On
    the diagonal both effects are equal.
    """
    students, _ = differences(frame, cells, runs)
    levels = _teacher_levels(frame, cells, runs)
    students = students.join(levels, on=CELL_KEY).dropna(subset="reported")
    ours = 100 / students["level"]
    for column in ("mean", "ci_low", "ci_high"):
        students[column] *= ours
    students["x"] = 100 * students["reported"] / students["reported_level"]
    figure, grid = canvas(1, 1, 4.6)
    axes = grid[0, 0]
    axes.axhline(0, **REFERENCE)
    axes.axvline(0, **REFERENCE)
    within = limits(students, cells[:0], students["x"], pd.Series([0.0]))
    axes.plot(within, within, color="#9aa0a6", linewidth=0.8, label="the same relative effect")
    for verdict, marker in VERDICT_MARKERS.items():
        of_verdict = students[students["verdict"] == verdict]
        label = f"{verdict} ({len(of_verdict)})"
        style = {"marker": marker, "color": VERDICT_COLOURS[verdict], "linestyle": "none"}
        thin = {"elinewidth": 0.7, "capsize": 0, "markeredgewidth": 0}
        intervals(axes, of_verdict, within, label=label, **thin, **style)
    # Most cells lie near zero, a few far from it.
    axes.set_xscale("asinh", linear_width=3)
    axes.set_yscale("asinh", linear_width=3)
    for axis in (axes.xaxis, axes.yaxis):
        _fixed_ticks(axis, TICKS, lambda value: formatted(value, "g"))
    axes.set(xlabel=f"the paper’s {RELATIVE_LABEL}", ylabel=f"our {RELATIVE_LABEL}", xlim=within)
    return figure


def _teacher_levels(frame: pd.DataFrame, cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The mean of each student's teacher, measured and printed, by cell."""
    keys = ["table", "teacher_row", "teacher_column"]
    pairs = _with_teachers(cells, runs)[[*CELL_KEY, *keys[1:]]].drop_duplicates(CELL_KEY)
    means = frame.set_index(CELL_KEY)[["mean", "reported"]]
    means.columns = pd.Index(["level", "reported_level"])
    return pairs.join(means, on=keys).set_index(CELL_KEY)[["level", "reported_level"]]
