"""The figures of §3.2: the two terms of q − p, CWTM's weights, and DKPP's permutation.

They read what the runs of table 2 have left; nothing is trained.
"""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, PercentFormatter
from numpy.typing import NDArray
from scipy.special import softmax

from replication.report.plotting import COLOURS, NAMES, REFERENCE, drawn, panels

TERMS = {
    "ground truth: the true class": "#5b6670",
    "dark knowledge: the other classes": "#e69f00",
}
WEIGHTS = {"max": "CWTM: the teacher’s maximum", "true_class": "equation 9: the true class"}
SHARED: dict[str, Any] = {"sharex": True, "sharey": True}


def _probabilities(logits: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(softmax(logits.astype(np.float64), axis=-1))


@drawn
def gradient_shares(histories: pd.DataFrame) -> Figure:
    """Draw the two terms' shares of ‖q − p‖², from student to teacher, over training (§3.2).

    BAN's gradient is q − p; under another objective it is what is left of BAN's to learn, and not
    the gradient in use. `histories`: one line per row, column (objective), seed and epoch. The
    areas are means over networks and seeds, the white lines are the networks.
    """
    share = "ground_truth_share"
    titles = [f"{name} students" for name in NAMES.values()]
    figure, (grid,) = panels(titles, 2.3, "epoch", "share of ‖q − p‖²", **SHARED)
    lines: dict[str, Any] = {"color": "white", "linewidth": 0.6, "alpha": 0.8}
    for objective, axes in zip(NAMES, grid, strict=True):
        mine = histories[histories["column"] == objective]
        mean = mine.groupby("epoch")[share].mean()
        # seaborn has no plot of stacked areas.
        axes.stackplot(mean.index, mean, 1 - mean, labels=list(TERMS), colors=list(TERMS.values()))
        for _, network in mine.groupby("row"):
            axes.plot(network.groupby("epoch")[share].mean(), **lines)
        axes.margins(0)
    grid[0].set_ylim(0, 1)
    grid[0].yaxis.set_major_formatter(PercentFormatter(1))
    return figure


@drawn
def gradient_cosine(histories: pd.DataFrame) -> Figure:
    """Draw the cosine of each objective's gradient to BAN's over training, one panel per network.

    `histories` as for the shares; bands show the range over the seeds.
    """
    networks = histories["row"].unique()
    figure, (grid,) = panels(networks, 2.4, "epoch", "cosine to BAN’s gradient", **SHARED)
    palette = {name: COLOURS[objective] for objective, name in NAMES.items()}
    lines: dict[str, Any] = {"palette": palette, "errorbar": ("pi", 100)}
    for network, axes in zip(networks, grid, strict=True):
        mine = histories[histories["row"] == network].replace({"column": NAMES})
        sns.lineplot(mine, x="epoch", y="ban_cosine", hue="column", ax=axes, **lines)
        axes.get_legend().remove()
    return figure


@drawn
def confidence_weights(weights: pd.DataFrame) -> Figure:
    """Draw the distribution of CWTM's weights on training images, and of those of equation 9.

    `weights`: by row (network) and seed, percentiles of the weights times the batch size, in a
    plain mean all 1 (§3.2). The lines are means over the seeds.
    """
    networks = weights["row"].unique()
    figure, (grid,) = panels(networks, 2.4, "weight × b", "share of images with less", **SHARED)
    for network, axes in zip(networks, grid, strict=True):
        mine = weights[weights["row"] == network].groupby("percent")[[*WEIGHTS]].mean()
        for (column, label), colour in zip(
            WEIGHTS.items(), (COLOURS["cwtm"], "#5b6670"), strict=True
        ):
            axes.plot(mine[column], mine.index, color=colour, label=label)
        axes.axvline(1, label="equal weights", **REFERENCE)
    grid[0].yaxis.set_major_formatter(PercentFormatter(100))
    return figure


def _by_argmax(probabilities: NDArray[Any]) -> NDArray[Any]:
    """Mean distribution of the samples with the same argmax, (classes, classes); no diagonal."""
    members = np.eye(probabilities.shape[1])[probabilities.argmax(-1)]
    counts = members.sum(0)[:, None]
    means = members.T @ probabilities / np.where(counts, counts, np.nan)
    np.fill_diagonal(means, np.nan)
    return np.asarray(means)


@drawn
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
    both = [_by_argmax(probabilities), _by_argmax(permuted)]
    low, high = np.nanquantile(both[0], [0.05, 0.995])
    titles = ("teacher (BAN)", "permuted (DKPP)")
    figure, (grid,) = panels(titles, 3.6, "class", "teacher’s argmax", **SHARED)
    for means, axes in zip(both, grid, strict=True):
        norm = LogNorm(max(low, 1e-6), max(high, 1e-5))
        # seaborn's heatmap would write every cell of 100 classes into the SVG.
        image = axes.imshow(means, norm=norm, cmap="cividis", interpolation="nearest")
        axes.grid(False)
    ticks: dict[str, Any] = {"ticks": LogLocator(subs=(1, 2, 5)), "format": "%g"}
    bar = figure.colorbar(image, ax=list(grid), label="mean probability", shrink=0.85, **ticks)
    bar.minorticks_off()
    return figure
