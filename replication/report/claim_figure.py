"""The figure of a claim's page: the paper's effect, ours at each scale, and the controls."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from replication.report.plotting import PAPER, REFERENCE, TREATMENT_COLOURS, canvas, drawn
from replication.report.published_results import Publications, line_of
from replication.wording import lowered

SCALE_COLOURS = {
    "cifar": TREATMENT_COLOURS["ban"],
    "fashion": TREATMENT_COLOURS["ensemble"],
    "digits": TREATMENT_COLOURS["teacher"],
}
"""One colour for each published scale."""


@drawn
def claim_figure(publications: Publications, name: str, controls: Sequence[str]) -> Figure:
    """Draw relative differences, in percent of the right side: the paper's, ours, the controls'.

    Ours have 95 % intervals. The paper prints single runs, and therefore no intervals.
    """
    rows: list[tuple[str, str, pd.Series[float]]] = []
    scales = publications.scales_of(name)
    for claim in (name, *controls):
        for scale in scales:
            line = line_of(publications.claims(scale), claim)
            title = "the claim" if claim == name else f"control: {lowered(str(line['title']))}"
            if pd.notna(line["difference"]):
                rows.append((scale, f"{title}, {scale}", line))
    figure, grid = canvas(1, 1, 1.0 + 0.24 * (len(rows) + 1))
    axes = grid[0, 0]
    axes.axvline(0, **REFERENCE)
    first = line_of(publications.claims(scales[0]), name)
    printed = 100 * first["reported_difference"] / first["reported_level"]
    axes.plot([printed], [0], label="the paper, single runs", **PAPER)
    for place, (scale, _, line) in enumerate(rows, start=1):
        percent = 100 / line["level"]
        mean = line["difference"] * percent
        ends = [[mean - line["ci_low"] * percent], [line["ci_high"] * percent - mean]]
        axes.errorbar(
            [mean],
            [place],
            xerr=ends,
            fmt="o",
            markersize=4,
            elinewidth=1.2,
            color=SCALE_COLOURS[scale],
            label=f"ours at {scale}, with 95 % interval",
        )
    axes.set(
        yticks=range(len(rows) + 1),
        yticklabels=["the paper", *(title for _, title, _ in rows)],
        ylim=(len(rows) + 0.5, -0.5),
        # Long names of controls leave little room for the axis.
        xlabel="difference in % of what it is compared with\n(left of 0: lower)",
    )
    return figure
