"""The figures of §3.2: the two terms of the gradient, CWTM's weights, and DKPP's permutation.

They read histories and predictions of the runs of table 2; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, PercentFormatter
from numpy.typing import NDArray
from scipy.special import softmax

from replication.report.plotting import COLOURS, NAMES, REFERENCE, STYLE, canvas, legend_below

TERMS = {"ground truth": "#5b6670", "dark knowledge": "#e69f00"}
COLOUR_BAR: dict[str, Any] = {"ticks": LogLocator(subs=(1, 2, 5)), "format": "%g"}
Predictions = Mapping[str, Mapping[str, NDArray[Any]]]


def _probabilities(logits: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(softmax(logits.astype(np.float64), axis=-1))


@mpl.rc_context(STYLE)
def gradient_shares(histories: pd.DataFrame) -> Figure:
    """Draw the two terms' shares of the squared distance from student to teacher over training.

    `histories`: one line per row, column (objective), seed and epoch. The areas are means over
    networks and seeds, the white lines are the networks (§3.2).
    """
    figure, (grid,) = canvas(1, len(NAMES), 2.3, sharex=True, sharey=True)
    for (objective, name), axes in zip(NAMES.items(), grid, strict=True):
        mine = histories[histories["column"] == objective]
        mean = mine.groupby("epoch")["ground_truth_share"].mean()
        # seaborn has no plot of stacked areas.
        axes.stackplot(mean.index, mean, 1 - mean, labels=list(TERMS), colors=list(TERMS.values()))
        networks = mine.groupby(["row", "epoch"], as_index=False)["ground_truth_share"].mean()
        sns.lineplot(
            networks,
            x="epoch",
            y="ground_truth_share",
            units="row",
            estimator=None,
            color="white",
            linewidth=0.6,
            alpha=0.8,
            legend=False,
            ax=axes,
        )
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.margins(0)
    grid[0].set_ylim(0, 1)
    grid[0].yaxis.set_major_formatter(PercentFormatter(1))
    grid[0].set_ylabel("share of the gradient")
    legend_below(figure)
    return figure


@mpl.rc_context(STYLE)
def gradient_cosine(histories: pd.DataFrame) -> Figure:
    """Draw the cosine of each objective's gradient to BAN's over training, one panel per network.

    `histories` as for the shares; bands show the range over the seeds.
    """
    networks = list(histories["row"].unique())
    figure, (grid,) = canvas(1, len(networks), 2.4, sharex=True, sharey=True)
    for network, axes in zip(networks, grid, strict=True):
        sns.lineplot(
            histories[histories["row"] == network].replace({"column": NAMES}),
            x="epoch",
            y="ban_cosine",
            hue="column",
            palette={name: COLOURS[objective] for objective, name in NAMES.items()},
            errorbar=("pi", 100),
            ax=axes,
        )
        axes.get_legend().remove()
        axes.set_title(network)
        axes.set_xlabel("epoch")
    grid[0].set_ylabel("cosine to BAN’s gradient")
    legend_below(figure)
    return figure


@mpl.rc_context(STYLE)
def confidence_weights(predictions: Predictions) -> Figure:
    """Draw the distribution of CWTM's weights, and of those of equation 9 (p of the true class).

    `predictions`: by network, a teacher's test logits (n, classes) and labels (n,). The whole test
    set is one batch, and weights are multiplied by n: in a plain mean all of them are 1 (§3.2).
    """
    import torch

    from replication import objectives

    figure, (grid,) = canvas(1, len(predictions), 2.4, sharex=True, sharey=True)
    for (network, tensors), axes in zip(predictions.items(), grid, strict=True):
        n = len(tensors["labels"])
        p = _probabilities(tensors["logits"])
        truth = p[np.arange(n), tensors["labels"]]
        maximum = objectives.confidence_weights(torch.from_numpy(tensors["logits"])).numpy()
        kinds = {
            "CWTM: the teacher’s maximum": maximum,
            "equation 9: the true class": truth / truth.sum(),
        }
        for (label, weights), colour in zip(
            kinds.items(), (COLOURS["cwtm"], "#5b6670"), strict=True
        ):
            sns.ecdfplot(x=weights * n, color=colour, label=label, ax=axes)
        axes.axvline(1, label="equal weights", **REFERENCE)
        axes.set_title(network)
        axes.set_xlabel("weight × n")
    grid[0].yaxis.set_major_formatter(PercentFormatter(1))
    grid[0].set_ylabel("share of samples with less")
    legend_below(figure)
    return figure


def _by_argmax(probabilities: NDArray[Any]) -> NDArray[Any]:
    """Mean distribution of the samples with the same argmax, (classes, classes); no diagonal."""
    classes = probabilities.shape[1]
    argmax = probabilities.argmax(-1)
    members = np.eye(classes)[argmax]
    counts = members.sum(0)[:, None]
    means = members.T @ probabilities / np.where(counts, counts, np.nan)
    np.fill_diagonal(means, np.nan)
    return np.asarray(means)


@mpl.rc_context(STYLE)
def similarity_structure(logits: NDArray[Any], seed: int = 0) -> Figure:
    """Draw a teacher's mean probability of each class by its argmax, as it is and permuted (DKPP).

    `logits`: (n, classes) of test samples. The permutation keeps a sample's argmax, the values of
    the other classes and the entropy; it destroys which classes are similar (§3.2).
    """
    import torch

    from replication.objectives import permute_dark_knowledge

    probabilities = _probabilities(logits)
    generator = torch.Generator().manual_seed(seed)
    permuted = permute_dark_knowledge(torch.from_numpy(probabilities), generator).numpy()
    panels = {
        "teacher (BAN)": _by_argmax(probabilities),
        "permuted (DKPP)": _by_argmax(permuted),
    }
    low, high = np.nanquantile(panels["teacher (BAN)"], [0.05, 0.995])
    figure, (grid,) = canvas(1, 2, 3.6, sharex=True, sharey=True)
    for (name, means), axes in zip(panels.items(), grid, strict=True):
        norm = LogNorm(max(low, 1e-6), max(high, 1e-5))
        # seaborn's heatmap would write every cell of 100 classes into the SVG.
        image = axes.imshow(means, norm=norm, cmap="cividis", interpolation="nearest")
        axes.grid(False)
        axes.set_title(name)
        axes.set_xlabel("class")
    grid[0].set_ylabel("teacher’s argmax")
    figure.colorbar(
        image, ax=list(grid), label="mean probability", shrink=0.85, **COLOUR_BAR
    ).minorticks_off()
    return figure
