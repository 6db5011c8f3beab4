"""The figures of §3.2: the two terms of q − p, CWTM's weights, and DKPP's permutation.

They draw the frames of `analysis.frames`; nothing is trained.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, PercentFormatter

from replication.config.paper_names import paper_name
from replication.report.plotting import (
    REFERENCE,
    TREATMENT_COLOURS,
    TREATMENT_NAMES,
    drawn,
    panels,
    without_results,
)

TERMS = {
    "ground truth: the true class": "#5b6670",
    "dark knowledge: the other classes": "#e69f00",
}
WEIGHT_LABELS = {"max": "CWTM: the teacher’s maximum", "true_class": "equation 9: the true class"}
LINE_STYLES: tuple[dict[str, Any], ...] = (
    {"color": TREATMENT_COLOURS["cwtm"], "linewidth": 2.2},
    {"color": "#5b6670", "linestyle": (0, (3, 2))},
)
SHARED_AXES: dict[str, Any] = {"sharex": True, "sharey": True}


@drawn
def gradient_shares(curves: pd.DataFrame) -> Figure:
    """Draw the two terms' shares of ‖q − p‖², from student to teacher, over training (§3.2).

    BAN's gradient is q − p; under another objective it is what is left of BAN's to learn, and not
    the gradient in use. `curves`: ``learning_curves.csv``. The areas are means over networks and
    seeds, the white lines are the networks.
    """
    share = "ground_truth_share"
    titles = [f"{name} students" for name in TREATMENT_NAMES.values()]
    label = "share of ‖q − p‖² on\ntraining images"
    figure, (grid,) = panels(titles, 2.3, "finished epochs", label, **SHARED_AXES)
    lines: dict[str, Any] = {"color": "white", "linewidth": 0.6, "alpha": 0.8}
    for objective, axes in zip(TREATMENT_NAMES, grid, strict=True):
        of_objective = curves[curves["column"] == objective]
        mean = of_objective.groupby("epoch")[share].mean()
        axes.stackplot(mean.index, mean, 1 - mean, labels=list(TERMS), colors=list(TERMS.values()))
        for _, network in of_objective.groupby("row"):
            axes.plot(network["epoch"], network[share], **lines)
        axes.margins(0)
    grid[0].set_ylim(0, 1)
    grid[0].yaxis.set_major_formatter(PercentFormatter(1))
    return figure


@drawn
def gradient_cosine(curves: pd.DataFrame) -> Figure:
    """Draw the cosine between each objective's gradient and BAN's, one panel per network.

    `curves`: ``learning_curves.csv``; bands show the range over the seeds.
    """
    networks = curves["row"].unique()
    label = "cosine with BAN’s gradient"
    figure, (grid,) = panels(
        map(paper_name, networks), 2.4, "finished epochs", label, **SHARED_AXES
    )
    for network, axes in zip(networks, grid, strict=True):
        for objective, name in TREATMENT_NAMES.items():
            of_objective = curves[(curves["row"] == network) & (curves["column"] == objective)]
            epochs, colour = of_objective["epoch"], TREATMENT_COLOURS[objective]
            axes.plot(epochs, of_objective["ban_cosine"], color=colour, label=name)
            bounds = of_objective["ban_cosine_low"], of_objective["ban_cosine_high"]
            axes.fill_between(epochs, *bounds, color=colour, alpha=0.2, lw=0)
    # From 0, no relation to BAN's gradient, to 1, the same direction.
    grid[0].set_ylim(min(0.0, float(curves["ban_cosine_low"].min())), 1.03)
    return figure


@drawn
def confidence_weights(weights: pd.DataFrame) -> Figure:
    """Draw the distribution of CWTM's weights on training images, and of those of equation 9.

    `weights`: ``confidence_weights.csv``, by row (network) percentiles of the weights times the
    batch size, in a plain mean all 1 (§3.2).
    """
    networks = weights["row"].unique()
    figure, (grid,) = panels(
        map(paper_name, networks),
        2.5,
        "weight of an image\n× batch size",
        "share of training images\nwith a smaller weight",
        **SHARED_AXES,
    )
    for network, axes in zip(networks, grid, strict=True):
        of_network = weights[weights["row"] == network]
        # The second is dashed: where the teacher fits its training images, both are the same.
        for (column, label), style in zip(WEIGHT_LABELS.items(), LINE_STYLES, strict=True):
            axes.plot(of_network[column], of_network["percent"], label=label, **style)
        axes.axvline(1, label="equal weights", **REFERENCE)
    grid[0].yaxis.set_major_formatter(PercentFormatter(100))
    grid[0].set(xlim=(0, None), ylim=(0, 100))
    return figure


@drawn
def similarity_structure(similarity: pd.DataFrame) -> Figure:
    """Draw a teacher's mean probability of each class by its argmax, as it is and permuted (DKPP).

    `similarity`: ``class_similarity.csv``. The permutation keeps a sample's argmax, the values of
    the other classes and the entropy; it destroys which classes are similar (§3.2).
    """
    if similarity.empty:
        return without_results("DenseNet-90-60")
    both = {
        str(treatment): means.drop(columns=["treatment", "argmax"]).to_numpy(float)
        for treatment, means in similarity.groupby("treatment", sort=False)
    }
    low, high = np.nanquantile(both["ban"], [0.05, 0.995])
    titles = ("teacher (BAN)", "permuted (DKPP)")
    figure, (grid,) = panels(titles, 3.6, "class", "teacher’s argmax", **SHARED_AXES)
    for means, axes in zip(both.values(), grid, strict=True):
        norm = LogNorm(max(low, 1e-6), max(high, 1e-5))
        # An image: a heatmap of patches would write every cell of 100 classes into the SVG.
        image = axes.imshow(means, norm=norm, cmap="cividis", interpolation="nearest")
        axes.grid(False)
    ticks: dict[str, Any] = {"ticks": LogLocator(subs=(1, 2, 5)), "format": "%g"}
    bar = figure.colorbar(image, ax=list(grid), label="mean probability", shrink=0.85, **ticks)
    bar.minorticks_off()
    return figure
