"""The figure of the performance page, from the csv files."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PEER, OURS, LIVE = "#8a8f98", "#0b6e4f", "#7fb69c"
COLOURS = {"plain": PEER, "timm": PEER, "torchdistill": PEER}


def colour(line: str) -> str:
    """Grey for others, green for ours, light where the teacher runs live."""
    if not line.startswith("ours"):
        return PEER
    return LIVE if "live" in line else OURS


def draw(results: Path, file: Path) -> None:
    """Draw what the csv files hold: speeds of each network, and growth in three ways."""
    comparison, growth = (pd.read_csv(results / f"{name}.csv") for name in ("comparison", "growth"))
    networks = list(dict.fromkeys(comparison["network"]))
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(11, 6.4), layout="constrained")
        parts = figure.subfigures(2, 1, height_ratios=[1.15, 1], squeeze=False)
        above, below = parts[:, 0]
        for number, (axes, network) in enumerate(
            zip(above.subplots(1, len(networks), squeeze=False)[0], networks, strict=True)
        ):
            bars(axes, comparison[comparison["network"] == network], names=number == 0)
            axes.set_title(network, fontsize=9)
        left, middle, right = below.subplots(1, 3)
        curves(left, growth[growth["study"] == "students"], "students of one teacher", "s")
        left.set_title("Time of all students, with the teacher's answers", fontsize=9)
        curves(middle, growth[growth["study"] == "width"], "k of Wide-ResNet-16-k", "images/s")
        middle.set(xscale="log", yscale="log")
        middle.set_title("Speed by width", fontsize=9)
        curves(right, growth[growth["study"] == "jobs"], "runs in the plan", "s")
        right.set(xscale="log", yscale="log")
        right.set_title("Time of the workflow before the first job", fontsize=9)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=150)


def bars(axes: Axes, lines: pd.DataFrame, names: bool) -> None:
    """Median images per second with the range of the rounds, and how many times the peers'."""
    places = range(len(lines))
    speed = lines["images_per_second"]
    ranges = [speed - lines["lowest"], lines["highest"] - speed]
    colours = [colour(name) for name in lines["contestant"]]
    axes.barh(places, speed, xerr=ranges, color=colours, error_kw={"lw": 0.8, "ecolor": "#444"})
    for place, (value, highest, ratio) in enumerate(
        zip(speed, lines["highest"], lines["ratio"], strict=True)
    ):
        end = max(value, highest) + 0.02 * speed.max()
        axes.text(end, place, f"{value:,.0f}  ({ratio:.1f}×)", va="center", fontsize=7)
    axes.set_yticks(places, list(lines["contestant"]) if names else [""] * len(lines))
    axes.invert_yaxis()
    axes.set(xlabel="images/s", xlim=(0, 1.45 * speed.max()))


def curves(axes: Axes, points: pd.DataFrame, x: str, unit: str) -> None:
    """A line for each, with its name at its end."""
    for name, line in points.groupby("line", sort=False):
        axes.plot(line["x"], line["value"], "o-", ms=3, lw=1.2, color=colour(str(name)), label=name)
    if any(str(name).startswith("ours") for name in points["line"]):
        axes.legend(frameon=False, fontsize=7)
    else:
        for (name, line), style in zip(
            points.groupby("line", sort=False), ("o-", "s--"), strict=False
        ):
            axes.plot(line["x"], line["value"], style, ms=3, lw=1.2, color=OURS, label=name)
        handles, labels = axes.get_legend_handles_labels()
        half = len(labels) // 2
        axes.legend(handles[half:], labels[half:], frameon=False, fontsize=7)
    axes.set(xlabel=x, ylabel=unit, ylim=(0, None))
