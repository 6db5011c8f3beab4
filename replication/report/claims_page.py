"""The claims page: statements with their evidence, effects, power, and a forest plot."""

from typing import Any

import numpy as np
import pandas as pd
from great_tables import GT, loc, style
from matplotlib.figure import Figure

from replication.report.layout import GT_STYLE
from replication.report.plotting import PAPER, REFERENCE, canvas, drawn, intervals

SIGNS = {"lower": "↓", "higher": "↑", "not lower": "≥", "not higher": "≤", "equivalent": "≈"}
MARKS = {
    "replicated": "✓",
    "contradicted": "✗",
    "negligible": "≈",
    "inconclusive": "○",
    "not testable": "–",
}
COLOURS = {
    "replicated": "#00735c",
    "contradicted": "#b34700",
    "negligible": "#7a4fa3",
    "inconclusive": "#6b7280",
    "not testable": "#6b7280",
}
UNBROKEN = str.maketrans({" ": "\N{NO-BREAK SPACE}", "-": "−"})
SMALLEST: dict[str, Any] = {
    "height": 0.8,
    "color": "#e3e6ea",
    "label": "below the smallest effect of interest",
    "zorder": 0,
}
MEASURED: dict[str, Any] = {"fmt": "o", "markersize": 3.5, "elinewidth": 1}


def _table(frame: pd.DataFrame, verdicts: "pd.Series[str] | None" = None, **options: Any) -> GT:
    """A table of claims; the column `verdict` has marks and colours."""
    if verdicts is not None:
        marked = verdicts.map(lambda verdict: f"{MARKS[verdict]}\N{NO-BREAK SPACE}{verdict}")
        frame = frame.assign(verdict=marked)
    table = GT(frame, **options).tab_options(**GT_STYLE, row_group_font_weight="bold")
    for verdict, colour in COLOURS.items() if verdicts is not None else ():
        if rows := [int(row) for row in np.flatnonzero(verdicts == verdict)]:
            table = table.tab_style(style.text(color=colour), loc.body("verdict", rows))
    return table


def primary(claims: pd.DataFrame, power: pd.DataFrame) -> GT:
    """Show the primary claims: statement, verdict, differences, fraction of the paper's effect."""
    frame = claims.merge(power.drop(columns="family"), on="claim")
    frame = frame[frame["claim"] == frame["family"]].reset_index(drop=True)

    def interval(low: str, high: str) -> "pd.Series[str]":
        return pd.Series(
            f"{a:+.2f} to {b:+.2f}".translate(UNBROKEN) if pd.notna(a) else None
            for a, b in zip(frame[low], frame[high], strict=True)
        )

    shown = frame[["statement", "verdict", "n", "difference"]].assign(
        interval=interval("ci_low", "ci_high"),
        paper=frame["reported_difference"],
        fraction=frame["fraction"],
        within=interval("fraction_low", "fraction_high"),
        p=frame["p_corrected"].map(lambda p: "< 0.001" if p < 0.001 else f"{p:.2g}", "ignore"),
    )
    names: dict[str, Any] = {
        "n": "seeds",
        "interval": "95 % interval",
        "paper": "the paper’s",
        "fraction": "of the paper’s effect",
        "within": "95 % interval of it",
        "p": "p corrected",
    }
    return (
        _table(shown, frame["verdict"])
        .cols_label(**names)
        .fmt_number(["difference", "paper", "fraction"], decimals=2)
        .sub_missing(missing_text="–")
    )


def statements(claims: pd.DataFrame) -> GT:
    """Show ``claims.csv`` by family, the primary claim first: statement, verdict and evidence."""
    own = claims["claim"] == claims["family"]
    ordered = claims.assign(first=~own)
    order = {family: place for place, family in enumerate(claims["family"].unique())}
    ordered = ordered.assign(place=claims["family"].map(order))
    ordered = ordered.sort_values(["place", "first"], kind="stable", ignore_index=True)
    columns = ["family", "statement", "source", "section", "verdict", "evidence"]
    first = [int(row) for row in np.flatnonzero(~ordered["first"])]
    shown = _table(ordered[columns], ordered["verdict"], groupname_col="family")
    return shown.tab_style(style.text(weight="bold"), loc.body(rows=first))


def power_table(power: pd.DataFrame) -> GT:
    """Show ``claims_power.csv``: difference, p-values, and the seeds that would decide."""
    columns = {
        "claim": "claim",
        "n": "seeds",
        "difference": "difference",
        "paired_difference": "to the own teacher",
        "reported_difference": "the paper’s",
        "fraction": "of the paper’s effect",
        "std": "std over seeds",
        "p_value": "p",
        "p_corrected": "p corrected",
        "power_corrected": "power now",
        "seeds_needed": "seeds for this claim alone",
        "seeds_needed_corrected": "seeds for all claims",
        "single_run_verdict": "the paper’s single runs",
    }
    numbers = ["difference", "to the own teacher", "the paper’s", "of the paper’s effect"]
    return (
        _table(power[list(columns)].rename(columns=columns))
        .fmt_number([*numbers, "std over seeds", "power now"], decimals=2)
        .fmt_number(["p", "p corrected"], n_sigfig=2)
        .fmt_integer(["seeds for this claim alone", "seeds for all claims"])
        .sub_missing(missing_text="–")
    )


@drawn
def forest(claims: pd.DataFrame, power: pd.DataFrame) -> Figure:
    """Draw each claim's difference with its 95 % interval beside the paper's.

    In percent of the right side's mean. The sign after a claim's name is what it says about the
    difference. Claims that are not measured are left out.
    """
    power = power.dropna(subset="difference", ignore_index=True)
    percent = 100 / power["level"].where(power["level"] > 0)
    frame = power.merge(claims[["claim", "verdict"]], on="claim", validate="one_to_one").assign(
        y=range(len(power)),
        mean=power["difference"] * percent,
        ci_low=power["ci_low"] * percent,
        ci_high=power["ci_high"] * percent,
        paper=100 / power["reported_level"] * power["reported_difference"],
        smallest=power["smallest_effect"] * percent,
    )
    figure, grid = canvas(1, 1, 0.9 + 0.15 * len(frame))
    axes = grid[0, 0]
    axes.axvline(0, **REFERENCE)
    reach = 1.1 * float(np.nanmax([1, *frame["mean"].abs(), *frame["paper"].abs()]))
    axes.barh(frame["y"], 2 * frame["smallest"], left=-frame["smallest"], **SMALLEST)
    for verdict, colour in COLOURS.items():
        if not (mine := frame[frame["verdict"] == verdict]).empty:
            intervals(axes, mine, (-reach, reach), color=colour, label=verdict, **MEASURED)
    axes.plot(frame["paper"], frame["y"], label="the paper’s single runs", **PAPER)
    axes.set(
        ylim=(max(len(frame), 1) - 0.5, -0.5),
        xlabel="difference in % of what it is compared with",
        yticks=frame["y"],
        yticklabels=frame["claim"] + " " + frame["expect"].map(SIGNS),
    )
    for label, own in zip(axes.get_yticklabels(), frame["claim"] == frame["family"], strict=True):
        label.set_fontweight("bold" if own else "normal")
    return figure
