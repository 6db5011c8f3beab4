"""How time grows: with students, width, images, seeds and jobs, as exponents with intervals."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import stats

from benchmarks import ours
from benchmarks.cases import CASES, Pictures, wide_resnet_16
from benchmarks.compare import Ready
from benchmarks.contestants import Plain, Task
from benchmarks.costs import ROOT, snakemake, workplace
from benchmarks.measure import medians
from benchmarks.tiny import TINY
from benchmarks.turns import race
from replication.config.scale import check_scale
from replication.config.yaml_model import merge, read_yaml
from replication.plan.plan import Plan


class Point(NamedTuple):
    """One measurement of a study: ``value`` at ``x``, of one line of the figure."""

    study: str
    line: str
    x: float
    value: float
    unit: str


def widths(
    pictures: Pictures, device: torch.device, folder: Path, rounds: int, ks: Sequence[int]
) -> Iterator[Point]:
    """Images per second of Wide-ResNet-16-k, ours and the plain loop."""
    best = ours.automatic(device)
    for k in ks:
        case = wide_resnet_16(k)
        ours.write_random_logits(case, pictures, folder)
        makers: dict[str, Ready] = {Plain.name: Ready(Plain, case, pictures, device)}
        for kind in (ours.Kind(best, True), ours.Kind(best, True, "default")):
            make = partial(ours.Ours, kind=kind, folder=folder)
            makers[kind.name] = Ready(make, case, pictures, device)
        measured = medians(race(makers, max(2, 8 // k), rounds, device, case.batch))
        for name, speed in measured.items():
            yield Point("width", name, k, speed, "images/s")


def students(
    pictures: Pictures, device: torch.device, folder: Path, counts: Sequence[int]
) -> Iterator[Point]:
    """Seconds until this many students of one teacher are trained, its logits included.

    Of a Wide-ResNet-16-1 on 512 images. The paper shows each image 200 times in 162 views; here it
    is 22 times in 18 views, by a crop of one pixel, so that computing all logits once is the same
    share of a training.
    """
    case, few, best = wide_resnet_16(1), pictures.first(512), ours.automatic(device)
    epochs, recipe = 22, ours.recipe_of(case).model_copy(update={"crop_padding": 1})
    steps = epochs * len(few.labels) // case.batch
    for cached in (False, True):
        kind = ours.Kind(best, cached)
        spent = (
            ours.compute_logits(Task.make(case, few, device), kind, recipe, folder)
            if cached
            else 0.0
        )
        for number in range(1, max(counts) + 1):
            student = ours.Ours(Task.make(case, few, device), kind, folder, recipe)
            spent += student.seconds(steps, warm=0)
            if number in counts:
                yield Point("students", kind.name, number, spent, "s")
    plain = Plain(Task.make(case, few, device))
    one = plain.seconds(steps, warm=5)
    plain.close()
    for number in counts:
        yield Point("students", plain.name, number, number * one, "s")


def images(
    pictures: Pictures, device: torch.device, folder: Path, counts: Sequence[int]
) -> Iterator[Point]:
    """Seconds to train two epochs of DenseNet-90-60 at 14×14 on this many images, and to evaluate.

    Half as many are evaluated after each epoch.
    """
    case = CASES["DenseNet-90-60, 14×14, batch 32"]
    kind = ours.Kind("float32", objective="label")
    for count in counts:
        recipe = ours.recipe_of(case).model_copy(update={"evaluate_every": 1})
        task = Task.make(case, pictures.first(count), device)
        training = ours.Ours(task, kind, folder, recipe, evaluated=count // 2)
        yield Point("images", kind.name, count, training.seconds(2 * count // case.batch, 0), "s")


def seeds(counts: Sequence[int]) -> Iterator[Point]:
    """Seconds in which Snakemake builds a Table 1 of tiny runs with this many seeds."""
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            workplace(Path(name), {**TINY, "tables": ["table1"], "seeds": list(range(count))})
            built = snakemake(Path(name), "--cores", "2", "table1")
        yield Point("seeds", "a tiny Table 1", count, built.seconds, "s")


def exponents(points: pd.DataFrame) -> pd.DataFrame:
    """The power of ``x`` with which each line of a study grows, with its 95 % t-interval.

    The slope of log(value) on log(x), by least squares; of lines with at least three points.
    """
    rows = []
    for (study, line), measured in points.groupby(["study", "line"], sort=False):
        if len(measured) < 3:
            continue
        fit = stats.linregress(np.log(measured["x"]), np.log(measured["value"]))
        reach = stats.t.ppf(0.975, len(measured) - 2) * fit.stderr
        rows.append((study, line, fit.slope, fit.slope - reach, fit.slope + reach, len(measured)))
    columns = ["study", "line", "exponent", "low", "high", "points"]
    return pd.DataFrame(rows, columns=columns)


# Tables and seeds that give plans of about ten to about five thousand runs.
SIX = ("table1", "table2", "table3", "table4", "table5", "table6")
PLANS = (
    (("table1",), 1),
    (("table2", "table3", "table4"), 2),
    (SIX, 4),
    (SIX, 25),
    ((*SIX, "controls", "sensitivity"), 44),
)


def jobs(plans: Iterable[tuple[tuple[str, ...], int]], draw: bool = True) -> Iterator[Point]:
    """Seconds to plan, and to ``draw`` the workflow's graph too, by the runs of the plan.

    For a drawing, also the memory, in MiB.
    """
    for tables, seeds in plans:
        config = merge(TINY, {"tables": list(tables), "seeds": list(range(seeds))})
        scale = check_scale(merge(read_yaml(ROOT / "config/digits.yaml"), config), "benchmark")
        started = perf_counter()
        plan = Plan.make(scale, ROOT / "tables")
        planned = perf_counter() - started
        yield Point("jobs", "plan", len(plan.runs), planned, "s")
        if draw:
            with tempfile.TemporaryDirectory() as name:
                workplace(Path(name), config)
                drawn = snakemake(Path(name), "--cores", "1", "--dry-run", "--quiet")
            yield Point("jobs", "dry run of Snakemake", len(plan.runs), drawn.seconds, "s")
            yield Point("jobs", "memory of the dry run", len(plan.runs), drawn.mib, "MiB")
