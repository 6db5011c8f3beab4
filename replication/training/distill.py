"""One training by a call: a network of one's own, in a notebook, with its record."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from replication.config.custom_objectives import as_objective
from replication.config.scale import Decisions, ImageRecipe
from replication.config.yaml_model import validate
from replication.data.images import ImageData, Items, normalise
from replication.errors import InputError
from replication.metrics import error
from replication.objectives import OBJECTIVES, Objective
from replication.runtime import provenance
from replication.runtime.precision import Precision, configure_precision
from replication.training.image_trainer import ImageTrainer
from replication.training.loop import TrainingContext, check_finite_predictions

DEFAULTS: dict[str, Any] = {
    "epochs": 30,
    "batch_size": 128,
    "learning_rate": 0.1,
    "milestones": [],
    "weight_decay": 5e-4,
}


@dataclass(frozen=True)
class Trained:
    """A trained network in evaluation mode, and what came of its training.

    ``history`` has a line per epoch, ``logits`` (n, classes) are those on the test images, and
    ``record`` says what the training was: recipe, result, versions, device, seconds.
    """

    network: nn.Module
    history: pd.DataFrame
    logits: Tensor
    record: dict[str, Any]

    @property
    def test_error(self) -> float:
        """Test error in percent."""
        return float(self.record["result"]["test error (%)"])


def distill(
    network: nn.Module,
    train: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    teacher: nn.Module | None = None,
    objective: str | Callable[..., Tensor] | None = None,
    *,
    seed: int = 0,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
    parameters: Mapping[str, float] | None = None,
    **recipe: Any,
) -> Trained:
    """Train a network on labels, or on a teacher's predictions, as a run of a study does.

    ``network`` keeps its weights as they are and is trained in place: build it under a seed.
    ``train`` and ``test`` are images (n, channels, height, width), uint8 or floats in [0, 1], and
    labels (n,) from 0 on; they are normalised by the training images, for the teacher as well.
    ``objective`` is a name of `OBJECTIVES`, or a function of student logits, labels, teacher logits
    and its ``parameters`` to a scalar; by default ``ban`` with a teacher and ``label`` without.
    ``recipe`` are keys of the scale's `images`: epochs, learning_rate, optimizer and so on. The
    teacher is run in evaluation mode at every step and left as it is.

    Raises:
        InputError: recipe, data or objective are wrong, or the loss is not finite.
    """
    name = objective or ("ban" if teacher else "label")
    found = _find(name, teacher)
    where = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    chosen = validate(ImageRecipe, {**DEFAULTS, **recipe}, "distill")
    data = _data(train, test).to(where)
    network.to(where).to(memory_format=torch.channels_last)
    was_training = teacher.training if teacher else False
    if teacher:
        teacher.to(where).eval()
    started = time.monotonic()
    label = name if isinstance(name, str) else getattr(name, "__name__", "objective")
    context = TrainingContext(
        f"distill/{label}.{seed}",
        network,
        label,
        teacher,
        chosen,
        Decisions(),
        configure_precision(precision, where),
        dict(parameters or {}),
        found=found,
    )
    try:
        trainer = ImageTrainer(context, data)
        while len(trainer.history) < trainer.epochs:
            while trainer.step():
                pass
            trainer.end_epoch()
        predictions = trainer.predictions()
        check_finite_predictions(context.run_id, predictions)
    finally:
        if teacher:
            teacher.train(was_training)
    record = {
        "objective": label,
        "parameters": dict(parameters or {}),
        "seed": seed,
        "recipe": chosen.model_dump(mode="json"),
        "result": {"test error (%)": error(predictions["logits"], predictions["labels"])},
        "dataset": {"sha256": data.fingerprint, "mean": data.mean, "std": data.std},
        "precision": precision,
        "device": provenance.device_name(where),
        "versions": provenance.versions(),
        "seconds": round(time.monotonic() - started, 2),
    }
    return Trained(network.eval(), pd.DataFrame(trainer.history), predictions["logits"], record)


def _find(objective: str | Callable[..., Tensor], teacher: nn.Module | None) -> Objective:
    if not isinstance(objective, str):
        return as_objective(objective)
    if objective not in OBJECTIVES:
        raise InputError(f"no objective `{objective}`; there are: {', '.join(OBJECTIVES)}")
    found = OBJECTIVES[objective]
    if found.teacher != (teacher is not None):
        needs = "needs a" if found.teacher else "has no"
        raise InputError(f"the objective `{objective}` {needs} teacher")
    return found


def _data(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> ImageData:
    parts = []
    for images, labels in (train, test):
        if images.ndim != 4 or labels.shape != (len(images),):
            raise InputError(
                f"images of shape {tuple(images.shape)} with labels of shape {tuple(labels.shape)};"
                " they have to be (n, channels, height, width) and (n,)"
            )
        pixels = images / 255 if images.dtype == torch.uint8 else images.float()
        parts.append(Items(pixels, labels.long()))
    classes = int(max(part.labels.max() for part in parts)) + 1
    return normalise(parts[0], parts[1], classes)
