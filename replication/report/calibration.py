"""The calibration figures: reliability diagrams, and differences from the teacher by treatment."""

import pandas as pd
from matplotlib.figure import Figure

from replication.config.paper_names import paper_name
from replication.report.figures import differences
from replication.report.layout import QUALITY_METRICS
from replication.report.plotting import (
    REFERENCE,
    TREATMENT_COLOURS,
    canvas,
    drawn,
    estimates,
    limits,
    without_results,
)

COLUMN_NAMES = {
    "teacher": "teacher",
    "ban": "BAN",
    "ban+l": "BAN+L",
    "cwtm": "CWTM",
    "dkpp": "DKPP",
    "ban-1": "BAN-1",
    "ban-2": "BAN-2",
    "ban-3": "BAN-3",
    "ens*2": "Ens*2",
    "ens*3": "Ens*3",
}
DIAGRAMS = ("teacher", "ban", "ban-2", "ban-3", "ens*2", "ens*3")
COMPARED_METRICS = ("nll", "brier", "ece")
FEWEST_ITEMS = 10
"""Bins with fewer items are left out: their accuracy is mostly chance."""


def _colour(column: str) -> str:
    kind = {
        "ban-1": "ban",
        "ban-2": "ban",
        "ban-3": "ban",
        "ens*2": "ensemble",
        "ens*3": "ensemble",
    }
    return TREATMENT_COLOURS[kind.get(column, column)]


def _pooled(bins: pd.DataFrame) -> pd.DataFrame:
    """Confidence and accuracy of each bin over all seeds, and its share of the items."""
    sums = bins[["confidence", "accuracy"]].mul(bins["count"], axis=0).assign(count=bins["count"])
    total = sums.groupby(bins["bin"]).sum()
    means = total[["confidence", "accuracy"]].div(total["count"], axis=0)
    shares = means.assign(share=total["count"] / total["count"].sum())
    return shares[total["count"] >= FEWEST_ITEMS]


@drawn
def reliability(bins: pd.DataFrame, quality: pd.DataFrame) -> Figure:
    """Draw accuracy against confidence for the teacher, its students and their ensembles.

    `bins`: the lines of ``reliability.csv.gz`` of one row of Table 2; `quality`: those of
    ``tables/quality.csv``. Faint lines are the seeds, points all seeds together, with an area by
    their share of the items; bins of fewer than ten items are left out.
    """
    if bins.empty:
        return without_results("DenseNet-90-60")
    figure, grid = canvas(2, 3, 4.9, sharex=True, sharey=True)
    ece = quality[quality["metric"] == "ece"].set_index("column")
    for column, axes in zip(DIAGRAMS, grid.flat, strict=True):
        of_column, colour = bins[bins["column"] == column], _colour(column)
        axes.plot([0, 1], [0, 1], label="accuracy equal to confidence", **REFERENCE)
        for _, seed in of_column[of_column["count"] >= FEWEST_ITEMS].groupby("seed"):
            axes.plot(seed["confidence"], seed["accuracy"], color=colour, alpha=0.2, linewidth=0.8)
        pooled = _pooled(of_column)
        axes.plot(pooled["confidence"], pooled["accuracy"], color=colour)
        area = 4 + 90 * pooled["share"]
        axes.scatter(pooled["confidence"], pooled["accuracy"], area, colour, clip_on=False)
        shown = ece.loc[column]
        reach = (shown["ci_high"] - shown["ci_low"]) / 2
        interval = f" ± {reach:.1f}" if pd.notna(reach) else ""
        axes.set_title(f"{COLUMN_NAMES[column]}: ECE {shown['mean']:.1f}{interval} %")
    for axes in grid[-1]:
        axes.set_xlabel("confidence")
    for axes in grid[:, 0]:
        axes.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    return figure


@drawn
def quality_differences(summary: pd.DataFrame, quality: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Draw differences from the teacher in NLL, Brier score and ECE: treatments of Table 2.

    `summary`: the lines of ``tables/quality.csv`` of Table 2; `quality`: those of
    ``quality.csv.gz``; `runs`: ``runs.csv``, indexed by run.
    """
    networks = summary["row"].unique()
    columns = [column for column in COLUMN_NAMES if column != "teacher"]
    places = {column: -place for place, column in enumerate(columns)}
    figure, grid = canvas(len(COMPARED_METRICS), len(networks), 7.2, sharex="row", sharey=True)
    for metric, line in zip(COMPARED_METRICS, grid, strict=True):
        lines = summary[summary["metric"] == metric].assign(reported=float("nan"))
        values = quality[quality["metric"] == metric]
        students, seeds = differences(lines, values, runs)
        students = students.assign(y=students["column"].map(places)).dropna(subset="y")
        within = limits(students, seeds, pd.Series([0.0]))
        for network, axes in zip(networks, line, strict=True):
            axes.axvline(0, **REFERENCE)
            for column in columns:
                of_column = students[(students["row"] == network) & (students["column"] == column)]
                estimates(axes, of_column, seeds, _colour(column), within)
            axes.set_xlabel(f"difference in\n{QUALITY_METRICS[metric][0]}")
    for network, axes in zip(networks, grid[0], strict=True):
        axes.set_title(paper_name(network))
    grid[0, 0].set_yticks(list(places.values()), [COLUMN_NAMES[column] for column in columns])
    grid[0, 0].set_ylim(0.6 - len(columns), 0.6)
    return figure
