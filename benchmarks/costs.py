"""What single parts take: an objective, a batch of views, a job of the workflow."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import pandas as pd
import torch
import yaml

from benchmarks.cases import wide_resnet_16
from benchmarks.contestants import synchronise
from benchmarks.ours import recipe_of
from benchmarks.tiny import LINKED, TINY
from replication.objectives import OBJECTIVES
from replication.training.image_trainer import Augmenter, draw_views

ROOT = Path(__file__).resolve().parent.parent
BATCH = 128
TINY_TABLE = {**TINY, "tables": ["table2"]}


def time_of(work: Callable[[], object], device: torch.device, repeats: int = 50) -> float:
    """Median seconds of a call."""
    durations = []
    for _ in range(repeats + 5):
        synchronise(device)
        started = perf_counter()
        work()
        synchronise(device)
        durations.append(perf_counter() - started)
    return statistics.median(durations[5:])


def objectives(device: torch.device) -> Iterator[tuple[str, float]]:
    """Milliseconds of each objective, forward and backward, on a batch of 128."""
    for classes in (10, 100):
        logits = torch.randn(BATCH, classes, device=device, requires_grad=True)
        teacher_logits = torch.randn(BATCH, classes, device=device)
        labels = torch.randint(classes, (BATCH,), device=device)
        generator = torch.Generator(device).manual_seed(0)
        for name, objective in OBJECTIVES.items():

            def step(objective: Callable[..., torch.Tensor] = objective) -> None:
                objective(logits, labels, teacher_logits, generator).backward()  # type: ignore[no-untyped-call]  # noqa: B023

            yield f"objective {name}, {classes} classes", 1e3 * time_of(step, device)


def views(device: torch.device) -> float:
    """Milliseconds in which a batch of views is cut."""
    recipe = recipe_of(wide_resnet_16(1))
    images = torch.rand(10_000, 1, 32, 32, device=device)
    augment = Augmenter(images, recipe.crop_padding, recipe.flip)
    generator = torch.Generator().manual_seed(0)

    def cut() -> None:
        index = torch.randint(len(images), (BATCH,), generator=generator).to(device)
        drawn = draw_views(BATCH, recipe.crop_padding, recipe.flip, generator)
        augment(index, drawn.to(device))

    return 1e3 * time_of(cut, device)


# Says on its last line how many KiB a command had at most. A process between: what Linux says of a
# child begins with its parent's own memory, which here has torch in it.
PEAK = [
    sys.executable,
    "-c",
    "import resource, subprocess, sys; status = subprocess.call(sys.argv[1:]);"
    " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(status)",
]


class Call(NamedTuple):
    """What a call takes: time, and memory at its highest."""

    seconds: float
    mib: float


def snakemake(folder: Path, *arguments: str) -> Call:
    """Call Snakemake in a folder.

    Raises:
        RuntimeError: the call failed.
    """
    started = perf_counter()
    done = subprocess.run(
        [*PEAK, "snakemake", *arguments, "--configfile", "config/digits.yaml", "mine.yaml"],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return Call(perf_counter() - started, int(done.stdout.split()[-1]) / 1024)


def workplace(folder: Path, config: dict[str, Any]) -> None:
    """The repository's own files, and a scale of one's own."""
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    (folder / "mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def workflow(cores: int = 2) -> Iterator[tuple[str, float]]:
    """Seconds of the workflow beside training: of each job, and of a call that has nothing to do.

    A job's is what the cores spend on all jobs, less what ``run.json`` says that training took.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workplace(folder, TINY_TABLE)
        total = snakemake(folder, "--cores", str(cores), "table2").seconds
        records = [json.loads(file.read_text()) for file in folder.glob("results/**/run.json")]
        training = sum(record["seconds"] for record in records)
        yield "runs of a tiny Table 2", len(records)
        yield "training in one run", training / len(records)
        yield "workflow per run", (total * cores - training) / len(records)
        again = snakemake(folder, "--cores", str(cores), "table2").seconds
        yield "a call with nothing to do", again


def table(device: torch.device) -> pd.DataFrame:
    """All of them, with their units."""
    rows = [(what, value, "ms") for what, value in objectives(device)]
    rows.append((f"cutting {BATCH} views", views(device), "ms"))
    rows += [(what, value, "" if what.startswith("runs") else "s") for what, value in workflow()]
    return pd.DataFrame(rows, columns=["what", "value", "unit"])
