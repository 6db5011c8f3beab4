"""Trainings replaced by a stub: run folders made beforehand, put in place by a script."""

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
from replication.config.datasets import ImageDataset
from replication.config.recipes import ImageRecipe
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_folder import (
    CONFIDENCE_WEIGHTS,
    HISTORY,
    MODEL,
    PREDICTIONS,
    RECORD,
)
from replication.results.run_history import write_confidence_weights

SAMPLES, CLASSES = 40, 10
# Replaces `replication train` and `replication data`; other commands go to the real one. The
# n-th attempt at a run takes the n-th word of its file `outcomes`. The log alone says which attempt
# it is, because a line is appended whole or not at all when the script is killed.
SCRIPT = """\
#!/bin/sh
[ "$1" = --worker ] && shift 2
if [ "$1" = data ]; then
    for output; do :; done
    echo {{}} > "$output"
    exit
fi
[ "$1" = train ] || exec {real} "$@"
from={finished}/$2
to={results}/runs/$2
sleep 0.00$(($$ % 10))
attempts=$(grep -cF "$2 " {log})
outcome=$(awk -v number=$((attempts + 1)) '{{ print $number }}' "$from/outcomes")
echo "$2 ${{outcome:-done}}" >> {log}
case $outcome in
fail) exit 1 ;;
stop) exit 75 ;;
half) cp "$from/model.safetensors" "$from/predictions.safetensors" "$to/" && kill -9 $$ ;;
esac
exec cp "$from/model.safetensors" "$from/predictions.safetensors" "$from/history.csv" \\
    "$from/confidence_weights.csv" "$from/run.json" "$to/"
"""


class StubTraining:
    """Takes the place of a plan's trainings; their results lie ready in ``finished``."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.finished, self.log = folder / "finished", folder / "attempts"
        write_finished_runs(plan, self.finished)
        self.log.touch()
        (folder / "bin").mkdir()
        script = folder / "bin/replication"
        real = shutil.which("replication", path=PATH)
        places = {"finished": self.finished, "log": self.log, "results": plan.results}
        script.write_text(SCRIPT.format(real=real, **places), encoding="utf-8")
        script.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{folder / 'bin'}:{PATH}"}

    def inject_failures(self, outcomes: Mapping[str, Sequence[str]]) -> None:
        """Set the outcomes of the first attempts at runs: `fail`, `stop` or `half`."""
        for run, words in outcomes.items():
            (self.finished / run / "outcomes").write_text(" ".join(words) + "\n", encoding="utf-8")

    def attempts(self) -> list[tuple[str, str]]:
        """Every attempt so far: the run and its outcome."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [(run, outcome) for run, _, outcome in (line.partition(" ") for line in lines)]


def write_finished_runs(plan: Plan, folder: Path, salt: int = 0) -> None:
    """Write run folders as trainings of a plan leave them; another ``salt`` gives other results."""
    for number, run in enumerate(plan.runs.values()):
        _write_run(plan, run, folder, np.random.default_rng((salt, number)))


def _write_run(plan: Plan, run: Run, root: Path, generator: np.random.Generator) -> None:
    folder = root / run.id
    folder.mkdir(parents=True)
    save_file({"weight": generator.random(4, np.float32)}, folder / MODEL)
    predictions, result, about = _results(plan, run, generator)
    save_file(predictions, folder / PREDICTIONS)
    (folder / HISTORY).write_text(_history(plan, run, result), encoding="utf-8")
    write_confidence_weights(folder / CONFIDENCE_WEIGHTS, [])
    (folder / "outcomes").touch()
    lineage = [
        {"run": ancestor.id, "model_sha256": files.checksum(root / ancestor.id / MODEL)}
        for ancestor in run.lineage
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
        "dataset": {"name": run.dataset.name, "sha256": run.dataset.name, "train": 1, **about},
        "precision": "float32",
        "parameters": 4,
        "seconds": 1e9,
        "images_per_second": 1.0,
        "result": result,
        "checksums": {
            name: files.checksum(folder / name)
            for name in (MODEL, PREDICTIONS, HISTORY, CONFIDENCE_WEIGHTS)
        },
    }
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")


def _history(plan: Plan, run: Run, result: Mapping[str, float]) -> str:
    """A history by the recipe that ends in the result; words improve in every epoch."""
    recipe, last = plan.training(run), next(iter(result.values()))
    epochs = range(1, recipe.epochs + 1)
    image = isinstance(recipe, ImageRecipe)
    metric = "test_error" if image else "validation_perplexity"
    rates = (
        [
            recipe.learning_rate * recipe.gamma ** sum(m < e for m in recipe.milestones)
            for e in epochs
        ]
        if image
        else [recipe.learning_rate] * recipe.epochs
    )
    lines = [
        f"{e},{rate:.6g},{1 / e:.6g},{last + recipe.epochs - e:.6g}"
        for e, rate in zip(epochs, rates, strict=True)
    ]
    return "\n".join([f"epoch,learning_rate,train_loss,{metric}", *lines, ""])


def _results(
    plan: Plan, run: Run, generator: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, float], dict[str, Any]]:
    """Predictions, the result that follows from them, and the record's fields on the data."""
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
