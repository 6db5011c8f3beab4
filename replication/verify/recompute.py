"""Runs trained networks on the data again and compares predictions and teacher logits."""

import json
import math
from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.distributions import Categorical

from replication.config.recipes import LanguageRecipe
from replication.data.images import ImageData
from replication.data.prepared import describe_data
from replication.networks import network_arguments
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.csv_files import read_csv
from replication.results.run_folder import HISTORY, MODEL, PREDICTIONS, RETRAIN
from replication.results.run_record import read_predictions
from replication.runtime.conditions import Autocast, Precision, configure_precision, find_device
from replication.training import image_trainer, language_trainer
from replication.training.logit_cache import Data, find_cache, logits_in_order
from replication.training.teacher import Teacher
from replication.training.train_run import load_data
from replication.verify.findings import Findings, Records, differing_values

TOLERANCE = {"float32": 1e-3, "tf32": 0.05, "bfloat16": 0.25}
"""Largest difference of a prediction, in standard deviations of the network's predictions."""
HALF = 2.0**-10
"""Distance between neighbouring half-precision numbers, in which teacher logits are stored."""
ENTROPY_TOLERANCE = 1e-4
"""Largest relative and absolute difference of a teacher's entropy from a history's, in nats.

On a CPU, honest histories differ by at most 1e-5, by their six digits. The entropies of teachers
that have learned little differ by a few thousandths.
"""


def check_predictions(
    plan: Plan, records: Records, share: float, seed: int, findings: Findings
) -> None:
    """Check a share of the runs, drawn at random; the same ``seed`` draws the same runs.

    Raises:
        InputError: a data set is missing.
    """
    device = find_device(plan.scale)
    chosen = draw_runs(plan, records, share, seed)
    loaded = {run.dataset: run for run in chosen}
    data = {dataset: load_data(plan, run, device) for dataset, run in loaded.items()}
    for run in chosen:
        findings.recomputed_runs += 1
        with findings.noting():
            of_run = plan, run, records, data[run.dataset], device
            for problem in chain(_problems(*of_run), _teacher_problems(*of_run)):
                findings.problems.append(f"{plan.folder(run)}: {problem}")
        file = plan.folder(run).relative_to(plan.results) / PREDICTIONS
        findings.mark(file, "recomputed")


def draw_runs(plan: Plan, records: Records, share: float, seed: int) -> list[Run]:
    """At least this share of the planned runs that have a record, in the order of the records."""
    runs = [plan.runs[run] for run in records if run in plan.runs]
    count = math.ceil(share * len(runs))
    drawn = np.random.default_rng(seed).choice(len(runs), count, replace=False)
    return [runs[number] for number in sorted(drawn)]


def _problems(
    plan: Plan, run: Run, records: Records, data: Data, device: torch.device
) -> Iterator[str]:
    record = records[run.id]
    described = json.loads(json.dumps(describe_data(run.dataset.name, data)))
    for key, value, expected in differing_values(record["dataset"], described):
        yield f"its record has {value} for `dataset.{key}`, but the data set has {expected}"
    arguments = json.loads(json.dumps(network_arguments(data, plan.options(run))))
    for key, value, expected in differing_values(record["network"].get("arguments"), arguments):
        yield f"its record has {value} for `network.arguments.{key}`, but the scale has {expected}"
    checksum, precision = record["checksums"][MODEL], record["precision"]
    network = Teacher(plan, run, dict(record), checksum).predictor(data, device)
    if precision not in TOLERANCE:
        yield f"its precision is {precision}, but must be one of {', '.join(TOLERANCE)}"
        return
    # A CPU may have no bfloat16 for every layer, and float32 is within the tolerance.
    own_precision: Precision = precision if device.type == "cuda" else "float32"
    autocast, tolerance = configure_precision(own_precision, device), TOLERANCE[precision]
    stored = read_predictions(plan.folder(run))
    for name, tensor in _predict(plan, run, network, data, autocast).items():
        stored_tensor = torch.from_numpy(stored[name]) if name in stored else torch.zeros(0)
        if name == "labels":
            if not torch.equal(stored_tensor, tensor):
                yield f"the labels in {PREDICTIONS} are not those of the data set"
        elif not (distance := _distance(stored_tensor, tensor)) <= tolerance:
            yield (
                f"{PREDICTIONS} is not what its weights give: `{name}` differs by up to"
                f" {distance:.2g} standard deviations, but at most {tolerance} is expected in"
                f" {precision}"
            )
    compared = set()
    for student in plan.students(run):
        cache = find_cache(plan, student, data, checksum, device)
        if cache is None or cache.file in compared or not cache.file.exists():
            continue
        compared.add(cache.file)
        logits = next(logits_in_order(network, plan.training(student), data, autocast)).cpu()
        with safe_open(cache.file, "pt") as file:
            cached = file.get_slice("logits")[0, : len(logits)].float()
        shifted = logits - logits.amax(-1, keepdim=True)
        rounding = HALF * shifted.abs().max() / shifted.std()
        if not _distance(cached, shifted) <= tolerance + rounding:
            yield f"{cache.file.name} is not what its weights give"


def _teacher_problems(
    plan: Plan, run: Run, records: Records, data: Data, device: torch.device
) -> Iterator[str]:
    """Compare BAN's loss and divergence in every epoch: they differ by the teacher's entropy."""
    if run.objective != "ban" or run.teacher is None or run.teacher.id not in records:
        return
    checksum = records[run.teacher.id]["checksums"][MODEL]
    cache = find_cache(plan, run, data, checksum, device)
    history = read_csv(plan.folder(run) / HISTORY, RETRAIN)
    # With several views of an image it depends on those that were drawn.
    if cache and cache.file.exists() and cache.shape[0] == 1 and "divergence" in history:
        logits = load_file(cache.file)["logits"].float()
        entropy = Categorical(logits=logits).entropy().mean()  # type: ignore[no-untyped-call]
        of_history = history["train_loss"] - history["divergence"]
        if not np.allclose(of_history, entropy.item(), ENTROPY_TOLERANCE, ENTROPY_TOLERANCE):
            yield f"{HISTORY} has losses and divergences from another teacher"


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
