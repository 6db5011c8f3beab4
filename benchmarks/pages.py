"""Writes what was measured into the pages on speed: ``python -m benchmarks pages``.

Tables and sentences are between two comments with a name; the words around them are written by
hand.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.cases import CASES
from benchmarks.figure import SIDE_BY_SIDE
from benchmarks.stages import TRAINING, WHOLE
from benchmarks.verdicts import markdown, replace_table
from replication.wording import formatted

APPENDIX = Path("docs/appendix/speed.md")
PERFORMANCE = Path("docs/explanation/performance.md")
PLAIN = "plain PyTorch loop"
OUTSIDE = "outside operators"
REACHED = "convolutions, of the matrix product"
SMALL = [case.name for case in CASES.values() if not case.needs_gpu and not case.augmented]
LARGE = [case.name for case in CASES.values() if not case.needs_gpu and case.augmented]
HEADS = {
    "convolutions": "convolutions",
    "batch normalisation": "batch norm",
    "ReLU": "ReLU",
    "concatenation and copies": "copies",
    "optimiser": "optimiser",
    "other operators": "others",
    OUTSIDE: "outside",
    REACHED: "of the peak",
}
"""Short heads of the columns of the shares."""
CACHED = "ours, cached, {}"
GROWTH = {
    ("students", "cached"): "students of one teacher, cached logits",
    ("students", "live"): "students of one teacher, live",
    ("images", ""): "training images",
    ("width", "ours, cached"): "width of a Wide-ResNet, per image",
    ("seeds", ""): "seeds of a tiny Table 1, start and tables included",
    ("jobs", "dry run"): "runs, time of a dry run of Snakemake",
    ("jobs", "memory"): "runs, memory of a dry run",
}
"""Studies and parts of their lines' names, as the page calls them."""


class Measured:
    """The csv files of one run of the benchmarks."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.machine: dict[str, str] = json.loads(
            (results / "machine.json").read_text(encoding="utf-8")
        )
        self.comparison = self.read("comparison").set_index(["network", "contestant"])
        self.profile = self.read("profile")

    def read(self, name: str) -> pd.DataFrame:
        """One of the files."""
        return pd.read_csv(self.results / f"{name}.csv")

    @cached_property
    def precision(self) -> str:
        """The automatic precision of the machine."""
        return self.machine["automatic precision"]

    def ratios(self, networks: Iterable[str], contestant: str) -> list[float]:
        """How many times as fast as the fastest peer in float32 a contestant is."""
        column: Mapping[Any, float] = self.comparison["ratio"].to_dict()
        return [column[network, contestant] for network in networks]

    def speeds(self, networks: Iterable[str], contestant: str) -> list[float]:
        """Images per second."""
        column: Mapping[Any, float] = self.comparison["images_per_second"].to_dict()
        return [column[network, contestant] for network in networks]

    def fastest_peer(self, network: str, precision: str, ending: str) -> float:
        """The speed of the fastest other loop, in images per second."""
        column: Mapping[Any, float] = self.comparison["images_per_second"].to_dict()
        return max(
            speed
            for (of_network, contestant), speed in column.items()
            if of_network == network
            and contestant.endswith(f", {precision}{ending}")
            and not contestant.startswith("ours")
        )

    def share(self, network: str, precision: str, what: str) -> float:
        """Percent of a step."""
        lines = self.profile.query("network == @network and precision == @precision")
        shares: Mapping[Any, float] = lines.set_index("what")["percent"].to_dict()
        return shares[what]

    def bound(self, network: str, precision: str) -> float:
        """The ratio to the fastest peer if only convolutions took time, at the peak's speed."""
        (ratio,) = self.ratios([network], CACHED.format(precision) + SIDE_BY_SIDE)
        convolutions = self.share(network, precision, "convolutions") / 100
        return ratio / (convolutions * self.share(network, precision, REACHED) / 100)


def span(values: Iterable[float], form: str = ".1f") -> str:
    """``lowest to highest``, or one number where they look the same."""
    sizes = sorted(values)
    ends = [format(size, form) for size in (sizes[0], sizes[-1])]
    return " to ".join(dict.fromkeys(ends))


def speeds(measured: Measured, networks: list[str]) -> str:
    """Images per second of all contestants on some networks, with the ratios in brackets."""
    lines = measured.comparison.loc[networks]
    rows = []
    for contestant in dict.fromkeys(lines.index.get_level_values("contestant")):
        row: dict[str, object] = {"images per second": contestant}
        for network in networks:
            line = lines.loc[(network, contestant)]
            row[network] = f"{line['images_per_second']:,.0f} ({line['ratio']:.2f})"
        rows.append(row)
    return markdown(rows)


def limits(measured: Measured) -> str:
    """The shares of a step's time."""
    profile = measured.profile
    rows: list[dict[str, object]] = []
    for (network, precision), part in profile.groupby(["network", "precision"], sort=False):
        shares = part.set_index("what")["percent"]
        row: dict[str, object] = {"network": network, "format": precision}
        row |= {HEADS[str(what)]: f"{share:.0f}" for what, share in shares.items()}
        row["bound"] = f"{measured.bound(str(network), str(precision)):.1f}"
        rows.append(row)
    return markdown(rows)


def gains(measured: Measured) -> str:
    """What each change does to the speed of the plain loop."""
    ladder = measured.read("ladder")
    return markdown(
        [
            {"change": rung, "factor": f"{gain:.2f}"}
            for rung, gain in zip(ladder["rung"], ladder["gain"], strict=True)
            if rung not in (PLAIN, "float32")
        ]
    )


def tried(measured: Measured) -> str:
    """What settings of the operating system do to the speed of the suite's training."""
    frame = measured.read("settings")
    rows: list[dict[str, object]] = []
    for setting, part in frame.groupby("setting", sort=False):
        by_network = part.set_index("network")["gain"]
        rows.append(
            {"setting": setting, **{network: f"{by_network[network]:.2f}" for network in SMALL}}
        )
    return markdown(rows)


def growth(measured: Measured) -> str:
    """The exponents."""
    exponents, points = measured.read("growth_exponents"), measured.read("growth")
    rows = []
    for (study, line), words in GROWTH.items():
        of_line = (exponents["study"] == study) & exponents["line"].str.contains(line)
        fit = exponents[of_line].iloc[0]
        x = points[(points["study"] == study) & (points["line"] == fit["line"])]["x"]
        # Speed by width is in images a second, and the table is of seconds.
        sign = -1 if study == "width" else 1
        low, high = sorted((sign * fit["low"], sign * fit["high"]))
        exponent = f"{formatted(sign * fit['exponent'])} [{formatted(low)}, {formatted(high)}]"
        rows.append(
            {
                "grows with": words,
                "exponent": exponent,
                "points": f"{x.min():,.0f} to {x.max():,.0f}",
            }
        )
    return markdown(rows)


def workflow(measured: Measured) -> str:
    """What the workflow costs beside training."""
    costs = measured.read("costs").set_index("what")["value"]
    points = measured.read("growth")
    jobs = points[points["study"] == "jobs"].groupby("line").last()
    dry, memory = jobs.loc["dry run of Snakemake"], jobs.loc["memory of the dry run"]
    return (
        f"The workflow adds {costs['workflow per run']:.2f} core seconds to a tiny run of"
        f" {costs['training in one run']:.2f}, and {costs['a call with nothing to do']:.1f}"
        " seconds to a call\n"
        f"with nothing to do. Snakemake needs {dry['value']:.1f} seconds and"
        f" {memory['value']:.0f} MiB to plan {dry['x']:,.0f} runs."
    )


def parts(measured: Measured) -> str:
    """The stages of `make tables` in two trees, in seconds."""
    frame = measured.read("stages")
    trees = list(dict.fromkeys(frame["tree"]))
    seconds = frame.pivot_table(index="rule", columns="tree", values="seconds", sort=False)
    rows: list[dict[str, object]] = [
        {
            "seconds of all jobs": f"`{rule}`" if rule not in (WHOLE, TRAINING) else rule,
            **{tree: f"{seconds.loc[rule, tree]:.0f}" for tree in trees},
        }
        for rule in frame[frame["tree"] == trees[-1]]["rule"]
        if seconds.loc[rule].max() >= 5
    ]
    return markdown(rows)


def machine(measured: Measured) -> str:
    """On what it was measured."""
    facts = measured.machine
    return (
        f"The numbers are from one run on two cores of an {facts['processor']}, with PyTorch"
        f" {facts['torch']},\ntimm {facts['timm']} and torchdistill {facts['torchdistill']}. The"
        " csv files are in `benchmarks/results/cpu`."
    )


def how_fast(measured: Measured) -> str:
    """The comparison in sentences."""
    float32, best = CACHED.format("float32"), CACHED.format(measured.precision)
    peers = [
        measured.fastest_peer(network, measured.precision, SIDE_BY_SIDE)
        / measured.fastest_peer(network, "float32", SIDE_BY_SIDE)
        for network in SMALL
    ]
    plain = measured.speeds(SMALL, f"{PLAIN}, float32")
    sweep = measured.speeds(SMALL, float32 + SIDE_BY_SIDE)
    alone = [pair / single for pair, single in zip(sweep, plain, strict=True)]
    return (
        "At the sizes of the scales `fashion` and `cifar`, with two runs side by side, the suite"
        " trains students\n"
        f"**{span(measured.ratios(SMALL, float32 + SIDE_BY_SIDE))} times as fast in float32, and"
        f" {span(measured.ratios(SMALL, best + SIDE_BY_SIDE))} times as fast in"
        f" {measured.precision}**, as the fastest other loop\n"
        f"in float32. In {measured.precision} that loop itself is {span(peers, '.2f')} times as"
        " fast as in float32. A sweep in float32 trains on\n"
        f"{span(alone)} times as many images per second as one plain PyTorch loop. At 32 × 32"
        " pixels with crops and flips, one run of the suite is\n"
        f"{span(measured.ratios(LARGE, float32))} times as fast in float32, and"
        f" {span(measured.ratios(LARGE, best))} times in {measured.precision}. All loops take the"
        " same step on the same data, which a test checks."
    )


def what_limits(measured: Measured) -> str:
    """The profile in sentences."""

    def shares(precision: str, what: str) -> str:
        return span((measured.share(network, precision, what) for network in SMALL), ".0f")

    def bounds(precision: str) -> str:
        return span(measured.bound(network, precision) for network in SMALL)

    best = measured.precision
    return (
        f"In float32, convolutions take {shares('float32', 'convolutions')} % of a step, and run at"
        f" {shares('float32', REACHED)} % of the speed of the best matrix product on this\n"
        "processor. If everything else took no time, and they ran as fast as matrix products, the"
        f" suite would be {bounds('float32')} times\n"
        "as fast as the fastest other loop. In"
        f" {best}, convolutions take {shares(best, 'convolutions')} % of a step and reach"
        f" {shares(best, REACHED)} % of the\n"
        f"matrix product, which is itself faster, so the bound is {bounds(best)}. The"
        f" interpreter and the autograd engine take\n{shares('float32', OUTSIDE)} % of a step in"
        f" float32 and {shares(best, OUTSIDE)} % in {best}."
    )


def memory(measured: Measured) -> str:
    """What keeping freed memory is worth."""
    frame = measured.read("settings")
    of = {name: part["gain"] for name, part in frame.groupby("setting")}
    (suite,) = (name for name in of if str(name).endswith("(the suite's)"))
    others = [
        f"with {name} it is {span(of[name], '.2f')} times as fast"
        for name in ("tcmalloc", "jemalloc")
        if name in of
    ]
    return f"Two runs side by side are {span(of[suite], '.2f')} times as fast with it" + (
        f"; {', and '.join(others)}." if others else "."
    )


def threads(measured: Measured) -> str:
    """Two runs on one thread each beside one on two."""
    contestant = CACHED.format("float32")
    alone = measured.speeds(SMALL, contestant)
    both = measured.speeds(SMALL, contestant + SIDE_BY_SIDE)
    gain = span((pair / one for pair, one in zip(both, alone, strict=True)), ".2f")
    return (
        f"Two runs side by side with one thread each train on {gain} times as many images per"
        " second as one\nrun with two threads, at the sizes of `fashion` and `cifar` in"
        " float32."
    )


def whole_sweep(measured: Measured) -> str:
    """How long `make tables` takes, and how much less than before."""
    frame = measured.read("stages")
    whole = frame[frame["rule"] == WHOLE].set_index("tree")["seconds"]
    training = frame[frame["rule"] == TRAINING].set_index("tree")
    runs = training["jobs"].iloc[-1]
    return (
        f"`make tables`, which trains the {runs} networks of `digits`, took"
        f" {whole.iloc[-1] / 60:.1f} minutes on two cores of this processor. An earlier version,"
        " in the same hour on the\n"
        f"same machine, took {whole.iloc[0] / 60:.1f} minutes: {whole.iloc[0] / whole.iloc[-1]:.2f}"
        " times as long, with byte-identical networks, tables and figures."
    )


BLOCKS: dict[Path, dict[str, Callable[[Measured], str]]] = {
    APPENDIX: {
        "machine": machine,
        "small networks": lambda measured: speeds(measured, SMALL),
        "large networks": lambda measured: speeds(measured, LARGE),
        "limits": limits,
        "changes": gains,
        "settings": tried,
        "stages": parts,
        "growth": growth,
    },
    PERFORMANCE: {
        "machine": machine,
        "how fast": how_fast,
        "limits": what_limits,
        "memory": memory,
        "threads": threads,
        "sweep": whole_sweep,
        "workflow": workflow,
    },
}
"""The blocks of each page, by the names in its comments, and what they say."""


def filled(page: Path, results: Path, root: Path = Path()) -> str:
    """The text of a page with every block as the csv files have it."""
    text, measured = (root / page).read_text(encoding="utf-8"), Measured(results)
    for name, block in BLOCKS[page].items():
        text = replace_table(text, name, block(measured))
    return text
