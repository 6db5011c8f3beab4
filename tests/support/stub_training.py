"""Trainings replaced by a stand-in: run folders invented beforehand, put in place by a script."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from support.workplace import PATH

from replication import files
from replication.analysis.measure import error, perplexity
from replication.config.scale import ImageDataset
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs import record as runs

SAMPLES, CLASSES = 40, 10
# Takes the place of `replication train`; anything else goes on to the real command. Each attempt
# at a run takes the next word of its fate: what is left at the end is to be done.
SCRIPT = """\
#!/bin/sh
[ "$1" = train ] || exec {real} "$@"
from={invented}/$2
to={results}/runs/$2
sleep 0.00$(($$ % 10))
read -r fate rest < "$from/fate" && echo "$rest" > "$from/fate"
echo "$2 ${{fate:-done}}" >> {log}
case $fate in
fail) exit 1 ;;
stop) exit 75 ;;
half) cp "$from/model.safetensors" "$from/predictions.safetensors" "$to/" && kill -9 $$ ;;
esac
exec cp "$from/model.safetensors" "$from/predictions.safetensors" "$from/history.csv" \\
    "$from/run.json" "$to/"
"""


class StandIn:
    """A stand-in for the trainings of a plan, whose results lie in a folder of their own."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.invented, self.log = folder / "invented", folder / "attempts"
        invent(plan, self.invented)
        self.log.touch()
        (folder / "bin").mkdir()
        script = folder / "bin/replication"
        real = shutil.which("replication", path=PATH)
        places = {"invented": self.invented, "log": self.log, "results": plan.results}
        script.write_text(SCRIPT.format(real=real, **places), encoding="utf-8")
        script.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{folder / 'bin'}:{PATH}"}

    def doom(self, fates: Mapping[str, Sequence[str]]) -> None:
        """Say what the first attempts at runs come to: `fail`, `stop` or `half`."""
        for run, words in fates.items():
            (self.invented / run / "fate").write_text(" ".join(words) + "\n", encoding="utf-8")

    def attempts(self) -> list[tuple[str, str]]:
        """Every attempt so far: the run, and what came of it."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [(run, fate) for run, _, fate in (line.partition(" ") for line in lines)]


def invent(plan: Plan, folder: Path, salt: int = 0) -> None:
    """Write what trainings of all runs of a plan could have left; with another ``salt``, others."""
    for number, run in enumerate(plan.runs.values()):
        _write_run(plan, run, folder, np.random.default_rng((salt, number)))


def _write_run(plan: Plan, run: Run, root: Path, generator: np.random.Generator) -> None:
    folder = root / run.id
    folder.mkdir(parents=True)
    save_file({"weight": generator.random(4, np.float32)}, folder / runs.MODEL)
    predictions, result, about = _measured(plan, run, generator)
    save_file(predictions, folder / runs.PREDICTIONS)
    (folder / runs.HISTORY).write_text("epoch,train_loss\n1,0.5\n", encoding="utf-8")
    (folder / "fate").touch()
    lineage = [
        {"run": it.id, "model_sha256": files.checksum(root / it.id / runs.MODEL)}
        for it in run.lineage
    ]
    record = {
        "run": run.id,
        "network": {"name": run.network},
        "objective": run.objective,
        "seed": run.seed,
        "generation": run.generation,
        "recipe": plan.recipe(run),
        "recipe_hash": plan.recipe_hash(run),
        "teacher": lineage[-1] if lineage else None,
        "lineage": lineage,
        "dataset": {"name": run.dataset.name, "sha256": run.dataset.name, **about},
        "precision": "float32",
        "parameters": 4,
        "result": result,
        "checksums": {
            name: files.checksum(folder / name)
            for name in (runs.MODEL, runs.PREDICTIONS, runs.HISTORY)
        },
    }
    (folder / runs.RECORD).write_text(json.dumps(record), encoding="utf-8")


def _measured(
    plan: Plan, run: Run, generator: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, float], dict[str, Any]]:
    """Predictions, the result that follows from them, and what a record says of the data."""
    if not isinstance(run.dataset, ImageDataset):
        parts = {
            part: generator.normal(-4, 0.3, SAMPLES).astype(np.float32)
            for part in ("validation", "test")
        }
        return parts, {f"{part} perplexity": perplexity(parts[part]) for part in parts}, {}
    labels = np.arange(SAMPLES) % CLASSES
    logits = generator.normal(0, 1, (SAMPLES, CLASSES)) + 2 * np.eye(CLASSES)[labels]
    predictions = {"logits": logits.astype(np.float32), "labels": labels}
    name = f"{plan.scale.evaluate_on} error (%)"
    result = {name: error(predictions["logits"][None], labels)}
    return predictions, result, {"classes": CLASSES, "evaluation": SAMPLES}
