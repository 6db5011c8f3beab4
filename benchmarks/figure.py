"""The figure of the performance page, from the csv files."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

SIDE_BY_SIDE = ", two side by side"
PEER, LIVE, CACHED, COMPILED, LABELS = "#8a8f98", "#a3d0bc", "#2a9d78", "#0b5240", "#d9b44a"


def colour(line: str) -> str:
    """Grey for others; green for ours, the darker the faster it should be."""
    if not line.startswith("ours"):
        return PEER
    if line.endswith("compiled"):
        return COMPILED
    return LIVE if "live" in line else LABELS if "labels" in line else CACHED


def draw(results: Path, file: Path) -> None:
    """Draw what the csv files hold: speeds of each network, and growth in three ways."""
    comparison, growth = (pd.read_csv(results / f"{name}.csv") for name in ("comparison", "growth"))
    comparison = shown(comparison)
    networks = [name for name in dict.fromkeys(comparison["network"]) if "batch 128" not in name]
    with mpl.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(11, 6.2), layout="constrained")
        parts = figure.subfigures(2, 1, height_ratios=[1.15, 1], squeeze=False)
        upper, lower = parts[:, 0]
        for number, (axes, network) in enumerate(
            zip(upper.subplots(1, len(networks), squeeze=False)[0], networks, strict=True)
        ):
            bars(axes, comparison[comparison["network"] == network], names=number == 0)
            axes.set_title(network.replace(", ", ",\n"), fontsize=8)
        students, width, jobs = lower.subplots(1, 3)
        studies = dict(iter(growth.groupby("study")))
        curves(students, studies["students"], [colour(str(n)) for n in names(studies["students"])])
        students.set(xlabel="students of one teacher", ylabel="s", ylim=(0, None))
        students.xaxis.get_major_locator().set_params(integer=True)
        students.set_title("Seconds for all students, their teacher's logits included", fontsize=9)
        curves(width, studies["width"], [colour(str(n)) for n in names(studies["width"])])
        logarithmic(width, sorted(set(studies["width"]["x"])))
        width.set(xlabel="k of Wide-ResNet-16-k", ylabel="images/s")
        width.set_title("Speed by width", fontsize=9)
        seconds = studies["jobs"][studies["jobs"]["unit"] == "s"]
        curves(jobs, seconds, [LIVE, COMPILED])
        logarithmic(jobs, sorted(set(studies["jobs"]["x"])))
        jobs.set(xlabel="runs in the plan", ylabel="s")
        jobs.set_title("Seconds before the first job starts", fontsize=9)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=150)


def shown(lines: pd.DataFrame) -> pd.DataFrame:
    """Each contestant at its best, on one training or two side by side; not training on labels."""
    alone = lines["contestant"].str.removesuffix(SIDE_BY_SIDE)
    best = lines.groupby(["network", alone])["images_per_second"].idxmax()
    chosen = lines.loc[best.sort_values()].assign(contestant=alone)
    order = {name: place for place, name in enumerate(dict.fromkeys(alone))}
    chosen = chosen[~chosen["contestant"].str.contains("labels")]
    return chosen.sort_values("contestant", key=lambda names: names.map(order), kind="stable")


def names(points: pd.DataFrame) -> list[object]:
    """The lines of a study, in their order."""
    return list(dict.fromkeys(points["line"]))


def bars(axes: Axes, lines: pd.DataFrame, names: bool) -> None:
    """Median images per second with the range of the rounds, and how many times the peers'."""
    places = range(len(lines))
    speed = lines["images_per_second"]
    ranges = [speed - lines["lowest"], lines["highest"] - speed]
    colours = [colour(name) for name in lines["contestant"]]
    ends = {"lw": 0.8, "ecolor": "#222", "capsize": 2}
    axes.barh(places, speed, xerr=ranges, color=colours, error_kw=ends)
    for place, (highest, value, ratio) in enumerate(
        zip(lines["highest"], speed, lines["ratio"], strict=True)
    ):
        end = highest + 0.02 * speed.max()
        axes.text(end, place, f"{value:,.0f}  ({ratio:.1f}×)", va="center", fontsize=7)
    axes.set_yticks(places, list(lines["contestant"]) if names else [""] * len(lines))
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set(xlabel="images/s", xlim=(0, 1.5 * speed.max()))


def curves(axes: Axes, points: pd.DataFrame, colours: list[str]) -> None:
    """A line for each, named in a legend."""
    for name, shade in zip(names(points), colours, strict=True):
        line = points[points["line"] == name]
        axes.plot(line["x"], line["value"], "o-", ms=3.5, lw=1.4, color=shade, label=name)
    axes.legend(frameon=False, fontsize=7)


def logarithmic(axes: Axes, ticks: list[float]) -> None:
    """Both axes by factors, with plain numbers, and ticks where something was measured."""
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
