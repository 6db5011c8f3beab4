"""The claims page: statements with their evidence, effects, power, and a forest plot.

Claims have their titles and statements here; their names in ``claims.yaml`` are for machines.
"""

from typing import Any

import numpy as np
import pandas as pd
from great_tables import GT, loc, style
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from replication.analysis.claim_verdicts import CLAIM_VERDICTS, NOT_MEASURED
from replication.analysis.summary import verdict_counts
from replication.config.paper_names import label_trained_networks
from replication.report.layout import GT_STYLE
from replication.report.plotting import PAPER, REFERENCE, canvas, drawn, intervals
from replication.report.published_results import primary_claims_of
from replication.wording import formatted, p_value

EXPECTATION_SIGNS = {
    "lower": "↓",
    "higher": "↑",
    "not lower": "≥",
    "not higher": "≤",
    "equivalent": "≈",
}
CLAIM_MARKS = {
    "replicated": "✓",
    "holds": "✓",
    "weaker": "◐",
    "holds, small": "◐",
    "small": "≈",
    "contradicted": "✗",
    "undecided": "○",
}
CLAIM_COLOURS = {
    "replicated": "#00735c",
    "holds": "#00735c",
    "weaker": "#3d6ea5",
    "holds, small": "#3d6ea5",
    "small": "#7a4fa3",
    "contradicted": "#b34700",
    "undecided": "#6b7280",
}
TEXT_WIDTHS = {"statement": "16em", "evidence": "26em", "claim": "16em", "tested_on": "8em"}
"""The minimum widths of columns of text, which a browser otherwise makes as narrow as a word."""
UNBROKEN = str.maketrans({" ": "\N{NO-BREAK SPACE}", "-": "−"})
SMALLEST_EFFECTS: dict[str, Any] = {
    "height": 0.8,
    "color": "#e3e6ea",
    "label": "below the smallest effect of interest",
    "zorder": 0,
}
FOREST_TICKS = (-100, -50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50, 100)
MEASURED_POINTS: dict[str, Any] = {"fmt": "o", "markersize": 3, "elinewidth": 1}


def _table(
    name: str, frame: pd.DataFrame, verdicts: "pd.Series[str] | None" = None, **options: Any
) -> GT:
    """A table of claims; the column `verdict` has marks and colours, and why it is undecided.

    The name is the id of its HTML element: a random one would change the notebook at each call.
    """
    if verdicts is not None:
        marked = verdicts.map(lambda verdict: f"{CLAIM_MARKS[verdict]}\N{NO-BREAK SPACE}{verdict}")
        frame = frame.assign(verdict=marked)
    table = GT(frame, id=name, **options).tab_options(**GT_STYLE, row_group_font_weight="bold")
    for column in frame.columns.intersection([*TEXT_WIDTHS]):
        table = table.tab_style(style.css(f"min-width: {TEXT_WIDTHS[column]}"), loc.body(column))
    for verdict, colour in CLAIM_COLOURS.items() if verdicts is not None else ():
        if rows := [int(row) for row in np.flatnonzero(verdicts == verdict)]:
            table = table.tab_style(style.text(color=colour), loc.body("verdict", rows))
    return table


def _interval(low: "pd.Series[float]", high: "pd.Series[float]") -> "pd.Series[str]":
    """Intervals as texts that do not break; None where there is none."""
    return pd.Series(
        f"{start:+.2f} to {end:+.2f}".translate(UNBROKEN) if pd.notna(start) else None
        for start, end in zip(low, high, strict=True)
    )


def counts(claims: pd.DataFrame, by: str) -> pd.DataFrame:
    """Count the verdicts of ``claims.csv`` by a column; families have their main claim's title.

    Claims that are not measured have a column of their own, as on the first page of a publication.
    """
    titles = dict(zip(claims["claim"], claims["title"], strict=True))
    measured = claims["reason"] != NOT_MEASURED
    named = claims.assign(
        family=claims["family"].map(titles),
        verdict=claims["verdict"].where(measured, NOT_MEASURED),
    )
    return verdict_counts(named, by=by, verdicts=[*CLAIM_VERDICTS, NOT_MEASURED])


def primary(claims: pd.DataFrame, power: pd.DataFrame) -> GT:
    """Show the primary claims: statement, verdict and size, differences, fraction of the paper's.

    Args:
        claims: ``claims.csv``.
        power: ``claims_power.csv``.
    """
    frame = claims.merge(power.drop(columns="family"), on="claim")
    frame = primary_claims_of(frame).reset_index(drop=True)
    shown = frame[["statement", "tested_on", "verdict", "reason", "size", "n", "difference"]]
    shown = shown.assign(
        interval=_interval(frame["ci_low"], frame["ci_high"]),
        paper=frame["reported_difference"],
        fraction=frame["fraction"],
        within=_interval(frame["fraction_low"], frame["fraction_high"]),
        p=frame["p_direction_corrected"].map(p_value, "ignore"),
        alone=frame["single_run_verdict"],
    )
    names: dict[str, Any] = {
        "tested_on": "tested on",
        "reason": "why undecided",
        "n": "seeds",
        "interval": "95 % interval",
        "paper": "the paper’s",
        "fraction": "of the paper’s effect",
        "within": "its 95 % interval",
        "p": "p of the direction, corrected",
        "alone": "the paper’s single runs",
    }
    return (
        _table("primary-claims", shown, frame["verdict"])
        .cols_label(**names)
        .fmt_number(["difference", "paper", "fraction"], decimals=2)
        .sub_missing(missing_text="–")
    )


def statements(claims: pd.DataFrame) -> GT:
    """Show ``claims.csv`` by family, the primary claim first: statement, verdict and evidence."""
    is_primary = claims["claim"] == claims["family"]
    order = {family: place for place, family in enumerate(claims["family"].unique())}
    ordered = claims.assign(secondary=~is_primary, place=claims["family"].map(order))
    ordered = ordered.sort_values(["place", "secondary"], kind="stable", ignore_index=True)
    titles = dict(zip(claims["claim"], claims["title"], strict=True))
    ordered["family"] = ordered["family"].map(titles)
    columns = ["family", "statement", "tested_on", "source", "section", "verdict", "size"]
    first = [int(row) for row in np.flatnonzero(~ordered["secondary"])]
    evidence = ordered[[*columns, "evidence"]]
    shown = _table("claims", evidence, ordered["verdict"], groupname_col="family")
    shown = shown.cols_label(tested_on="tested on").sub_missing(missing_text="")
    return shown.tab_style(style.text(weight="bold"), loc.body(rows=first))


def power_table(claims: pd.DataFrame, power: pd.DataFrame) -> GT:
    """Show ``claims_power.csv``: difference, p-values, and the seeds that would decide.

    Args:
        claims: ``claims.csv``, which has the titles.
        power: ``claims_power.csv``.
    """
    columns = {
        "title": "claim",
        "n": "seeds",
        "reference": "label-trained runs per seed",
        "difference": "difference",
        "paired_difference": "from its own teacher",
        "reported_difference": "the paper’s",
        "fraction": "of the paper’s effect",
        "std": "std over seeds",
        "p_direction": "p",
        "p_direction_corrected": "p corrected",
        "power_corrected": "power now",
        "seeds_needed": "seeds for this claim alone",
        "seeds_needed_corrected": "seeds for all claims",
        "single_run_verdict": "the paper’s single runs",
    }
    titled = power.merge(claims[["claim", "title"]], on="claim", validate="one_to_one").assign(
        reference=power["reference"].replace("", np.nan).map(label_trained_networks, "ignore"),
        p_direction=power["p_direction"].map(p_value, "ignore"),
        p_direction_corrected=power["p_direction_corrected"].map(p_value, "ignore"),
    )
    numbers = ["difference", "from its own teacher", "the paper’s", "of the paper’s effect"]
    return (
        _table("claims-power", titled[[*columns]].rename(columns=columns))
        .fmt_number([*numbers, "std over seeds", "power now"], decimals=2)
        .fmt_integer(["seeds for this claim alone", "seeds for all claims"])
        .sub_missing(missing_text="–")
    )


@drawn
def forest(claims: pd.DataFrame, power: pd.DataFrame) -> Figure:
    """Draw each claim's difference with its 95 % interval beside the paper's.

    In percent of the right side's mean. The sign after a claim's title is what it says about the
    difference. Claims that are not measured are left out.

    Args:
        claims: ``claims.csv``.
        power: ``claims_power.csv``.
    """
    power = power.dropna(subset="difference", ignore_index=True)
    percent = 100 / power["level"].where(power["level"] > 0)
    words = claims[["claim", "title", "verdict"]]
    frame = power.merge(words, on="claim", validate="one_to_one").assign(
        y=range(len(power)),
        mean=power["difference"] * percent,
        ci_low=power["ci_low"] * percent,
        ci_high=power["ci_high"] * percent,
        paper=100 / power["reported_level"] * power["reported_difference"],
        smallest=power["smallest_effect"] * percent,
    )
    figure, grid = canvas(1, 1, 0.9 + 0.125 * len(frame))
    axes = grid[0, 0]
    axes.axvline(0, **REFERENCE)
    # The claims of a study have no values of the paper: their whole intervals are shown.
    of_study = frame["paper"].isna().all()
    shown = frame[["mean", "ci_low", "ci_high"] if of_study else ["mean", "paper"]].abs()
    reach = 1.1 * float(np.nanmax([1, *shown.to_numpy().ravel()]))
    axes.barh(frame["y"], 2 * frame["smallest"], left=-frame["smallest"], **SMALLEST_EFFECTS)
    for verdict, colour in CLAIM_COLOURS.items():
        of_verdict = frame[frame["verdict"] == verdict]
        if not of_verdict.empty:
            limits = (-reach, reach)
            intervals(axes, of_verdict, limits, color=colour, label=verdict, **MEASURED_POINTS)
    if not of_study:
        axes.plot(frame["paper"], frame["y"], label="the paper’s single runs", **PAPER)
    axes.set(
        ylim=(max(len(frame), 1) - 0.5, -0.5),
        xlabel="difference in % of what it is compared with",
        yticks=frame["y"],
        yticklabels=frame["title"] + " " + frame["expect"].map(EXPECTATION_SIGNS),
    )
    # Most differences lie near zero, a few far from it.
    axes.set_xscale("asinh", linear_width=5)
    ticks = [tick for tick in FOREST_TICKS if abs(tick) <= reach]
    axes.set_xticks(ticks, [formatted(tick, "") for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", labelsize=6.5)
    is_primary = frame["claim"] == frame["family"]
    for label, bold in zip(axes.get_yticklabels(), is_primary, strict=True):
        label.set_fontweight("bold" if bold else "normal")
    return figure
