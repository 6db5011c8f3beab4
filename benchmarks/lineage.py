"""Trains one lineage at the paper's size in the minutes for which a GPU is available.

Wide-ResNet-28-2 of Table 3 on CIFAR-100, by the paper's recipe: two label-trained networks side by
side, then two BAN students of the first of them. The speed is measured first; where 200 epochs do
not fit into the time, as many are trained as do, with the milestones at the same shares of them.
The runs are ordinary ones: their folders, and tables/lineage.yaml, are in the folder of results.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from benchmarks.measure import peak_flops
from replication.config.merging import merge_scales
from replication.config.scale import read_config
from replication.config.yaml_model import read_yaml
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_record import read_record
from replication.sweep.flops import forward_flops

ROOT = Path(__file__).resolve().parents[1]
SCALE = "gpu-lineage"
OVERRIDES: Mapping[str, Any] = {
    "scale": SCALE,
    "tables": ["lineage"],
    "seeds": [0],
    # Storing the logits of all 162 views of the images would take as long as 162 epochs.
    "logit_cache_limit_gib": 0.0,
    # What does not fit into the minutes continues at the next call.
    "checkpoint": {"epochs": 0, "seconds": 60},
}
TRIAL_EPOCHS = 2
"""The number of epochs that are trained to measure the speed; the first one also warms up."""
STUDENT = 4 / 3
"""What a student's epoch takes relative to its teacher's: one more forward pass of three."""
START_SECONDS = 30.0
"""What two processes are given to start and to read the data, once in each generation."""
DTYPES = {"bfloat16": torch.bfloat16, "tf32": torch.float32, "float32": torch.float32}
COLUMNS = [
    "run",
    "generation",
    "epochs",
    "error",
    "paper_error",
    "images_per_second",
    "percent_of_peak",
    "seconds",
]


@dataclass(frozen=True)
class Lineage:
    """The scale file of the lineage, its plan, and the folder of all results."""

    file: Path
    results: Path

    @property
    def plan(self) -> Plan:
        """The four runs."""
        return Plan.read([self.file], root=self.results)

    def generation(self, number: int) -> list[Run]:
        """The two runs of a generation, which are trained side by side."""
        return [run for run in self.plan.runs.values() if run.generation == number]


def train_lineage(
    results: Path, minutes: float, changed: Sequence[Path] = (), device: str = "cuda"
) -> pd.DataFrame:
    """Train both generations; returns a line for each run, with `COLUMNS`.

    A call that runs out of time is continued by the next one, with the same number of epochs.

    Args:
        results: folder of all results; those of the lineage are in ``gpu-lineage/`` there.
        minutes: what measuring the speed and training may take together.
        changed: scale files with keys that replace the paper's, such as other data; the epochs
            there are the most that are trained.
        device: ``cuda``, or ``cpu`` for a test.

    Raises:
        InputError: data are missing, a training fails, or the time is over before the last one.
    """
    deadline = time.monotonic() + 60 * minutes
    lineage = Lineage(results / SCALE / "lineage.yaml", results)
    if not lineage.file.exists():
        config = merge_scales(read_config([ROOT / "config/paper.yaml"]), OVERRIDES)
        for file in changed:
            config = merge_scales(config, read_yaml(file))
        config |= {"device": device, "folder": None}
        seconds = measure_epoch(config, results, deadline)
        config = with_epochs(config, epochs_in_time(config, seconds, deadline - time.monotonic()))
        _write(lineage.file, config)
    for number in (0, 1):
        _train_side_by_side(lineage, lineage.generation(number), deadline)
    return table(lineage)


def measure_epoch(config: Mapping[str, Any], results: Path, deadline: float) -> float:
    """Seconds of an epoch of a label-trained network while a second one trains beside it."""
    trial = Lineage(results / SCALE / "trial" / "trial.yaml", results / SCALE / "trial")
    _write(trial.file, with_epochs(config, TRIAL_EPOCHS))
    _call_all(trial.file, [["data"]], deadline)
    runs = trial.generation(0)
    _train_side_by_side(trial, runs, deadline)
    records = [read_record(trial.plan.folder(run)) for run in runs]
    images = float(records[0]["dataset"]["train"])
    return images / min(float(record["images_per_second"]) for record in records)


def epochs_in_time(config: Mapping[str, Any], epoch_seconds: float, seconds: float) -> int:
    """How many epochs of both generations fit into the time; at most those of the recipe."""
    fitting = (seconds - 2 * START_SECONDS) / (epoch_seconds * (1 + STUDENT))
    return max(1, min(int(config["images"]["epochs"]), int(fitting)))


def with_epochs(config: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """The scale with this many epochs, and the milestones at the same shares of them."""
    images = config["images"]
    share = epochs / images["epochs"]
    milestones = sorted({max(1, round(share * epoch)) for epoch in images["milestones"]})
    return {**config, "images": {**images, "epochs": epochs, "milestones": milestones}}


def table(lineage: Lineage) -> pd.DataFrame:
    """A line for each run: errors in percent beside the paper's, and its speed.

    The share of the device's peak is that of both runs of a generation, which trained side by
    side: FLOPs of the forward and backward passes, and of the teacher's forward pass, a second,
    relative to the fastest matrix product in the precision of the run.
    """
    plan = lineage.plan
    printed = {
        cell.members[0][0].generation: cell.reported
        for cell in plan.cells
        if cell.reported is not None
    }
    lines = []
    for number in (0, 1):
        runs = lineage.generation(number)
        records = [read_record(plan.folder(run)) for run in runs]
        flops = sum(
            record["images_per_second"] * forward_flops(plan, run) * (3 + number)
            for run, record in zip(runs, records, strict=True)
        )
        device = torch.device("cuda" if plan.scale.device == "cuda" else "cpu")
        share = flops / peak_flops(device, DTYPES[records[0]["precision"]])
        for run, record in zip(runs, records, strict=True):
            (error,) = record["result"].values()
            lines.append(
                (
                    run.id,
                    run.generation,
                    plan.scale.image_recipe("wide_resnet").epochs,
                    error,
                    printed[number],
                    record["images_per_second"],
                    100 * share,
                    record["seconds"],
                )
            )
    return pd.DataFrame(lines, columns=COLUMNS)


def _train_side_by_side(lineage: Lineage, runs: Sequence[Run], deadline: float) -> None:
    missing = [run for run in runs if not (lineage.plan.folder(run) / "run.json").exists()]
    _call_all(
        lineage.file,
        [["train", run.id, "--results", str(lineage.results)] for run in missing],
        deadline,
    )


def _call_all(file: Path, commands: Sequence[list[str]], deadline: float) -> None:
    """Run the suite's commands side by side; raises InputError when one fails or is too late."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "replication", *command, "--configfile", str(file)], cwd=ROOT
        )
        for command in commands
    ]
    try:
        codes = [process.wait(max(1.0, deadline - time.monotonic())) for process in started]
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{file}: the time is up; run the same command again, which continues from the"
            " checkpoints"
        ) from None
    finally:
        for process in started:
            # A training that is told to stop saves a checkpoint.
            process.terminate()
        for process in started:
            process.wait()
    if any(codes):
        raise InputError(f"{file}: a command has failed; its message is above")


def _write(file: Path, config: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(json.loads(json.dumps(config))), encoding="utf-8")
