"""All that a GPU is measured for, in less than ten minutes and without a network.

In order of importance; what there is no time for is listed as not measured.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks import ours
from benchmarks.cases import CASES, Case, Pictures
from benchmarks.compare import PEERS, Entry, Line, Ready, table
from benchmarks.costs import ROOT
from benchmarks.measure import flops, peak_flops
from benchmarks.turns import Worker
from replication.config.decisions import Decisions
from replication.config.scale import check_scale
from replication.config.yaml_model import merge, read_yaml
from replication.data.prepare import prepare
from replication.objectives import OBJECTIVES
from replication.plan.plan import Plan
from replication.training.loop import TrainingContext
from replication.training.train_run import train

TOLERANCE = 1e-3
"""Largest relative difference of a loss on the device from that on the CPU, after three steps."""
LARGE = ("Wide-ResNet-28-2", "Wide-ResNet-28-10", "DenseNet-90-60")
TINY = replace(
    CASES["Wide-ResNet-16-1"],
    name="tiny",
    arguments={"depth_ratio": "1/4", "width_ratio": "1/2", "dropout": 0.0},
    steps=1,
    batch=8,
)
SHARED = Case(
    "DenseNet-90-60 of fashion-gpu",
    "densenet_90_60",
    {"depth_ratio": "1/2", "width_ratio": "1/3"},
    steps=20,
)


def kinds(device: torch.device) -> list[ours.Kind]:
    """Ours: live and cached logits and labels, eager; then compiled; then with CUDA graphs."""
    best = ours.automatic(device)
    eager = [ours.Kind(best, True), ours.Kind(best), ours.Kind(best, objective="label")]
    return [*eager, ours.Kind(best, True, "default"), ours.Kind(best, True, "reduce-overhead")]


def entries(case: Case, pictures: Pictures, device: torch.device, folder: Path) -> dict[str, Entry]:
    """Everybody on one network.

    Peers compute as their users' code does: on a GPU cuDNN's convolutions then use TF32, so their
    share of the float32 peak can exceed 100 %.
    """
    entries = {
        peer.name: Entry(Ready(peer, case, pictures, device), torch.float32, True) for peer in PEERS
    }
    for kind in kinds(device):
        make = Ready(partial(ours.Ours, kind=kind, folder=folder), case, pictures, device)
        asks = kind.objective != "label" and not kind.cached
        entries[kind.name] = Entry(make, ours.DTYPES[kind.precision], asks)
    return entries


def compare(
    case: Case,
    pictures: Pictures,
    device: torch.device,
    folder: Path,
    rounds: int,
    in_time: Callable[[str], bool],
) -> list[Line]:
    """One after another, because two on one GPU would share it: a line for each in time."""
    ours.write_random_logits(case, pictures, folder)
    measured: dict[str, tuple[list[float], float, Entry]] = {}
    for name, entry in entries(case, pictures, device, folder).items():
        if not in_time(f"{case.name}: {name}"):
            continue
        with Worker(name, entry.make, device, case.batch) as worker:
            worker.seconds(1, warm=2)
            images = case.steps * case.batch
            speeds = [images / worker.seconds(case.steps, warm=1) for _ in range(rounds)]
            measured[name] = (speeds, worker.memory(), entry)
    of_peers = [
        median(speeds) for name, (speeds, *_) in measured.items() if not name.startswith("ours")
    ]
    fastest = max(of_peers, default=float("nan"))
    lines = []
    for name, (speeds, memory, entry) in measured.items():
        speed = median(speeds)
        share = flops(case, entry.asks_teacher) / case.batch * speed
        share /= peak_flops(device, entry.precision)
        extremes = min(speeds), max(speeds)
        lines.append(Line(case.name, name, speed, *extremes, speed / fastest, 100 * share, memory))
    return lines


def sharing(
    case: Case, pictures: Pictures, device: torch.device, folder: Path, counts: tuple[int, ...]
) -> Iterator[tuple[int, float]]:
    """Images per second of all together, with this many small runs on the device."""
    ours.write_random_logits(case, pictures, folder)
    kind = ours.Kind(ours.automatic(device), True)
    make = Ready(partial(ours.Ours, kind=kind, folder=folder), case, pictures, device)
    for count in counts:
        with Worker(kind.name, make, device, case.batch, count) as worker:
            worker.seconds(1, warm=2)
            yield count, case.steps * worker.images / worker.seconds(case.steps, warm=1)


def correctness(device: torch.device, compiled: bool) -> Iterator[tuple[str, str, float]]:
    """By objective and mode, how far losses on the device are from those on the CPU.

    In float32, over three steps of SGD on one batch; TF32 is switched off.
    """
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    torch.backends.cudnn.fp32_precision = "ieee"
    for objective in OBJECTIVES:
        expected = losses(objective, torch.device("cpu"), compiled=False)
        for mode in ("eager", "compiled")[: 1 + compiled]:
            measured = losses(objective, device, compiled=mode == "compiled")
            yield objective, mode, float(np.max(np.abs(measured / expected - 1)))


def losses(objective: str, device: torch.device, compiled: bool) -> Any:
    """The losses of three steps."""
    case, classes = TINY, 10
    generator = torch.Generator().manual_seed(0)
    network = case.build().to(device).train()
    if compiled:
        network.compile(dynamic=False)
    images = torch.randn(case.batch, 1, case.side, case.side, generator=generator).to(device)
    teacher_logits = torch.randn(case.batch, classes, generator=generator).to(device)
    labels = (torch.arange(case.batch) % classes).to(device)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
    index = torch.arange(case.batch).to(device)
    # Permutations come from the device's own generator: the same for each sample, drawn on the CPU.
    context = TrainingContext(
        "benchmark",
        network,
        objective,
        OBJECTIVES[objective],
        None,
        None,
        Decisions(dkpp_permutation="sample"),
        nullcontext,
    )
    loss = context.make_loss(device, (case.batch, classes))
    values = []
    for _ in range(3):
        value = loss(network(images), labels, teacher_logits, index)
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        values.append(value.item())
    return np.array(values)


def lineage(folder: Path, device: torch.device, quick: bool) -> Iterator[tuple[str, float]]:
    """Seconds of generation 0 and a student of `fashion-gpu`, end to end, on noise.

    Of 3 epochs instead of the scale's, with as many images as Fashion-MNIST has.
    """
    n, test = (64, 16) if quick else (60_000, 10_000)
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, count in (("train", n), ("test", test)):
        arrays[f"x_{part}"] = generator.integers(0, 256, (count, 28, 56), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 10
    np.savez(folder / "noise.npz", **arrays)
    noise = {"npz": str(folder / "noise.npz")}
    changed: dict[str, Any] = {
        "tables": ["table2"],
        "seeds": [0],
        "data_root": str(folder),
        "device": device.type,
        "teacher_at_chance": "allow",
        # 50 views of every pair would take as long as 50 epochs.
        "logit_cache_limit_gib": 0.0,
        "images": {"epochs": 1 if quick else 3, "milestones": [2]},
    }
    if quick:
        changed["networks"] = {"densenet": {"depth_ratio": "1/14", "width_ratio": "1/20"}}
    config = merge(read_yaml(ROOT / "config/fashion-gpu.yaml"), changed)
    config["datasets"] = {"cifar100": noise}
    plan = Plan.make(check_scale(config, "benchmark"), ROOT / "tables", folder / "results")
    dataset = plan.scale.datasets["cifar100"]
    prepare(dataset.name, plan.scale.data_root, dataset.sizes, plan.scale.evaluate_on)
    teacher = f"{dataset.name}/densenet_90_60.label.0"
    for name, run in (("generation 0", teacher), ("student", f"{teacher}/densenet_90_60.ban.0")):
        started = time.monotonic()
        train(plan, plan.run(run))
        yield name, time.monotonic() - started


def measure(
    device: torch.device,
    make_pictures: Callable[[int], Pictures],
    folder: Path,
    minutes: float,
    quick: bool,
) -> Iterator[tuple[str, pd.DataFrame | str]]:
    """Each frame by name as soon as it is ready, and ``not measured`` with what had no time.

    The comparison begins nothing more after two thirds of the minutes.
    """
    begun = time.monotonic()
    skipped: list[str] = []

    def in_time(what: str, share: float = 1.0) -> bool:
        if time.monotonic() - begun > 60 * minutes * share:
            skipped.append(what)
            return False
        return True

    pictures = make_pictures(TINY.side)
    columns = ["objective", "mode", "difference"]
    differences = pd.DataFrame(correctness(device, not quick), columns=columns)
    yield "correctness", differences.assign(within=differences["difference"] <= TOLERANCE)
    lines: list[Line] = []
    for case in [TINY] if quick else [CASES[name] for name in LARGE]:
        rounds, soon = (1 if quick else 3), partial(in_time, share=2 / 3)
        lines += compare(case, pictures, device, folder, rounds, soon)
        yield "comparison", table(lines)
    if in_time("small training runs sharing the device"):
        counts, case = ((1, 2), TINY) if quick else ((1, 2, 4, 8), SHARED)
        rows = list(sharing(case, pictures, device, folder, counts))
        yield "sharing", pd.DataFrame(rows, columns=["trainings", "images_per_second"])
    if in_time("a lineage of fashion-gpu", 0.85):
        rows_of_lineage = list(lineage(folder, device, quick))
        yield "lineage", pd.DataFrame(rows_of_lineage, columns=["run", "seconds"])
    for what in skipped:
        yield "not measured", what
