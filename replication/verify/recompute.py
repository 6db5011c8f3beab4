"""Runs trained networks on the data again and compares predictions and teacher logits."""

import json
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from replication.config.scale import LanguageRecipe
from replication.data.images import ImageData
from replication.data.prepare import describe
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs.folder import MODEL, PREDICTIONS
from replication.runs.record import read_predictions
from replication.runtime.precision import Autocast, configure_precision, find_device
from replication.training import image_trainer, language_trainer
from replication.training.logit_cache import find_cache
from replication.training.setup import Data, load_data, network_arguments
from replication.training.teacher import Teacher
from replication.verify.findings import Findings, Records, differences

TOLERANCE = {"float32": 1e-3, "tf32": 0.05, "bfloat16": 0.5}
"""Largest difference of a prediction, in standard deviations of the network's predictions."""
HALF = 2.0**-10
"""Distance between neighbouring half-precision numbers, in which teacher logits are stored."""


def check_predictions(plan: Plan, records: Records, share: float, found: Findings) -> None:
    """Check a share of the runs, drawn at random; raises InputError if a data set is missing."""
    device = find_device(plan.scale)
    runs = [plan.runs[run] for run in records if run in plan.runs]
    chosen = random.sample(runs, math.ceil(share * len(runs)))
    loaded = {run.dataset: run for run in chosen}
    data = {dataset: load_data(plan, run, device) for dataset, run in loaded.items()}
    for run in chosen:
        found.recomputed += 1
        with found.noting():
            for problem in _problems(plan, run, records[run.id], data[run.dataset], device):
                found.problems.append(f"{plan.folder(run)}: {problem}")


def _problems(
    plan: Plan, run: Run, record: Mapping[str, Any], data: Data, device: torch.device
) -> Iterator[str]:
    described = json.loads(json.dumps(describe(run.dataset.name, data)))
    for key, own, it in differences(record["dataset"], described):
        yield f"its record has {own} for `dataset.{key}`, the data set {it}"
    arguments = json.loads(json.dumps(network_arguments(plan, run, data)))
    for key, own, it in differences(record["network"].get("arguments"), arguments):
        yield f"its record has {own} for `network.arguments.{key}`, the scale {it}"
    checksum, precision = record["checksums"][MODEL], record["precision"]
    network = Teacher(plan, run, dict(record), checksum).network(data, device)
    autocast, tolerance = configure_precision(precision, device), TOLERANCE[precision]
    stored = read_predictions(plan.folder(run))
    for name, tensor in _predict(plan, run, network, data, autocast).items():
        own = torch.from_numpy(stored[name]) if name in stored else torch.zeros(0)
        if name == "labels":
            if not torch.equal(own, tensor):
                yield f"the labels in {PREDICTIONS} are not those of the data set"
        elif not (distance := _distance(own, tensor)) <= tolerance:
            yield (
                f"{PREDICTIONS} is not what its weights give: `{name}` differs by up to"
                f" {distance:.2g} standard deviations, in {precision} at most {tolerance}"
            )
    caches = (find_cache(plan, it, data, checksum, device) for it in plan.students(run))
    for cache in {cache.file: cache for cache in caches if cache and cache.file.exists()}.values():
        logits = next(cache.compute(network, autocast)).cpu()
        with safe_open(cache.file, "pt") as file:
            own = file.get_slice("logits")[0, : len(logits)].float()
        shifted = logits - logits.amax(-1, keepdim=True)
        rounding = HALF * shifted.abs().max() / shifted.std()
        if not _distance(own, shifted) <= tolerance + rounding:
            yield f"{cache.file.name} is not what its weights give"


def _predict(
    plan: Plan, run: Run, network: nn.Module, data: Data, autocast: Autocast
) -> dict[str, Tensor]:
    """What a run leaves for its tables, as its trainer computes it."""
    if isinstance(data, ImageData):
        logits = image_trainer.forward(network, data.evaluation.images, autocast)
        return {"logits": logits.cpu(), "labels": data.evaluation.labels.cpu()}
    recipe, device = plan.training(run), next(network.parameters()).device
    assert isinstance(recipe, LanguageRecipe)
    return {
        part: language_trainer.log_likelihoods(
            network, getattr(data, part).to(device), recipe, autocast
        )
        for part in ("validation", "test")
    }


def _distance(stored: Tensor, recomputed: Tensor) -> float:
    """Largest difference in standard deviations; infinite where the shapes differ."""
    if stored.shape != recomputed.shape:
        return math.inf
    return ((stored - recomputed).abs().max() / recomputed.std()).item()
