"""The claims page: statements with their evidence, power, and a forest plot."""

from typing import Any

import numpy as np
import pandas as pd
from great_tables import GT, loc, style
from matplotlib.figure import Figure

from replication.report.layout import GT_STYLE, MARKS, VERDICT_COLOURS
from replication.report.plotting import PAPER, REFERENCE, canvas, drawn, intervals

SIGNS = {"lower": "↓", "higher": "↑", "not lower": "≥", "not higher": "≤", "equivalent": "≈"}
MEASURED: dict[str, Any] = {"fmt": "o", "markersize": 3.5, "elinewidth": 1}


def _table(frame: pd.DataFrame, **options: Any) -> GT:
    return GT(frame, **options).tab_options(**GT_STYLE, row_group_font_weight="bold")


def statements(claims: pd.DataFrame) -> GT:
    """Show ``claims.csv`` by section: statement, verdict and evidence."""
    marked = claims["verdict"].map(lambda verdict: f"{MARKS[verdict]}\N{NO-BREAK SPACE}{verdict}")
    shown = claims.assign(verdict=marked)[["section", "statement", "verdict", "evidence"]]
    table = _table(shown, groupname_col="section")
    for verdict, colour in VERDICT_COLOURS.items():
        if rows := list(claims.index[claims["verdict"] == verdict]):
            table = table.tab_style(style.text(color=colour), loc.body("verdict", rows))
    return table


def power_table(power: pd.DataFrame) -> GT:
    """Show ``claims_power.csv``: difference, p-values, and the seeds that would decide."""
    columns = {
        "claim": "claim",
        "n": "seeds",
        "difference": "difference",
        "reported_difference": "the paper’s",
        "std": "std over seeds",
        "p_value": "p",
        "p_corrected": "p corrected",
        "power_corrected": "power now",
        "seeds_needed": "seeds for this claim alone",
        "seeds_needed_corrected": "seeds for all claims",
        "single_run_verdict": "the paper’s single runs",
    }
    return (
        _table(power[list(columns)].rename(columns=columns))
        .fmt_number(["difference", "the paper’s", "std over seeds", "power now"], decimals=2)
        .fmt_number(["p", "p corrected"], n_sigfig=2)
        .fmt_integer(["seeds for this claim alone", "seeds for all claims"])
        .sub_missing(missing_text="–")
    )


@drawn
def forest(claims: pd.DataFrame, power: pd.DataFrame) -> Figure:
    """Draw each claim's difference with its 95 % interval beside the paper's.

    In percent of the right side's mean. The sign after a claim's name is what it says about the
    difference. A claim that is not measured shows only the paper's value.
    """
    percent = 100 / power["level"].where(power["level"] > 0)
    frame = power.merge(claims[["claim", "verdict"]], on="claim", validate="one_to_one").assign(
        y=range(len(power)),
        mean=power["difference"] * percent,
        ci_low=power["ci_low"] * percent,
        ci_high=power["ci_high"] * percent,
        paper=100 / power["reported_level"] * power["reported_difference"],
    )
    figure, grid = canvas(1, 1, 0.9 + 0.15 * len(frame))
    axes = grid[0, 0]
    axes.axvline(0, **REFERENCE)
    reach = 1.1 * float(np.nanmax(frame[["mean", "paper"]].abs()))
    for verdict, colour in VERDICT_COLOURS.items():
        mine = frame[frame["verdict"] == verdict]
        intervals(axes, mine, (-reach, reach), color=colour, label=verdict, **MEASURED)
    axes.plot(frame["paper"], frame["y"], label="the paper’s single runs", **PAPER)
    axes.set(
        ylim=(len(frame) - 0.5, -0.5),
        xlabel="difference in % of what it is compared with",
        yticks=frame["y"],
        yticklabels=frame["claim"] + " " + frame["expect"].map(SIGNS),
    )
    return figure
