"""One run from its plan to its folder: data, network, teacher, training, files."""

import importlib.metadata
import json
import math
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from replication import __version__, runs
from replication.catalogue import NETWORKS
from replication.cells import Run
from replication.data import text
from replication.data.images import ImageData, load_images
from replication.errors import InputError
from replication.networks import hub_config
from replication.networks.language import LANGUAGE_MODELS
from replication.plan import Plan
from replication.scale import ImageDataset, LanguageRecipe, Scale
from replication.training import images, language
from replication.training.progress import EpochProgress
from replication.training.setting import Row, Setting
from replication.training.streams import seed

Data = ImageData | text.Corpus
PACKAGES = ("torch", "torchvision", "timm", "numpy", "safetensors")


def train(plan: Plan, run: Run, threads: int = 1) -> dict[str, Any]:
    """Train one run and write its folder; returns what ``run.json`` holds.

    The folder is written at the end, ``run.json`` last, each file whole or not at all.

    Raises:
        InputError: the teacher is missing, damaged or of another recipe; data are missing; shared
            layers do not fit; the training diverges; or the folder cannot be written.
    """
    started = time.monotonic()
    torch.set_num_threads(threads)
    device = find_device(plan.scale)
    data = load_data(plan, run, device)
    torch.manual_seed(seed(run.id, "initialisation"))
    network = build(plan, run, data).to(device)
    teacher, taught_by = load_teacher(plan, run, data, device)
    if run.share_ends:
        assert teacher is not None
        share_ends(network, teacher, run.id)
    if isinstance(data, ImageData):
        network = network.to(memory_format=torch.channels_last)
    record = {
        "run": run.id,
        "network": {"name": run.network, "arguments": arguments(plan, run, data)},
        "objective": run.objective,
        "generation": run.generation,
        "seed": run.seed,
        "teacher": taught_by,
        "recipe": plan.recipe(run),
        "recipe_hash": plan.recipe_hash(run),
        "dataset": describe(run, data),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    history, result, predictions = _train(plan, run, data, network, teacher)
    folder = plan.folder(run)
    weights = {key: tensor.contiguous().cpu() for key, tensor in network.state_dict().items()}
    _write(folder / runs.MODEL, weights)
    _write(folder / runs.PREDICTIONS, predictions)
    runs.write_history(folder / runs.HISTORY, history)
    if isinstance(data, ImageData):
        size = (data.train.images.shape[2], data.train.images.shape[3])
        extra = {k: v for k, v in arguments(plan, run, data).items() if k not in HEAD}
        config = hub_config(
            run.network, data.classes, data.channels, extra, size, data.mean, data.std
        )
        runs.write_text(folder / "config.json", json.dumps(config, indent=2) + "\n")
    record |= {
        "result": result,
        "checksums": {
            name: runs.checksum(folder / name) for name in (runs.MODEL, runs.PREDICTIONS)
        },
        "device": device_name(device),
        "threads": threads,
        "seconds": round(time.monotonic() - started, 2),
        "versions": versions(),
    }
    runs.write_text(folder / runs.RECORD, json.dumps(record, indent=2) + "\n")
    return record


def _train(
    plan: Plan, run: Run, data: Data, network: nn.Module, teacher: nn.Module | None
) -> tuple[list[Row], dict[str, float], dict[str, Tensor]]:
    """Train; returns history, final results, and predictions."""
    scale, device = plan.scale_of(run), next(network.parameters()).device
    parts, options = (
        (run.id, network, run.objective, teacher),
        (scale.decisions, autocast(scale, device)),
    )
    if isinstance(data, ImageData):
        recipe = scale.image_recipe(NETWORKS[run.network].family)
        pictures = Setting(*parts, recipe, *options)
        with EpochProgress(run.id, recipe.epochs) as progress:
            history = images.train_images(pictures, data, partial(_report, run, progress))
        predictions = images.predictions(pictures, data.evaluation)
        wrong = images.error(predictions["logits"], predictions["labels"])
        return history, {f"{scale.evaluate_on} error (%)": wrong}, predictions
    unrolled: LanguageRecipe = getattr(scale.language, run.network)
    words = Setting(*parts, unrolled, *options)
    with EpochProgress(run.id, unrolled.epochs) as progress:
        history = language.train_language(words, data, partial(_report, run, progress))
    predictions = language.predictions(words, data)
    result = {
        f"{part} perplexity": math.exp(-values.double().mean().item())
        for part, values in predictions.items()
    }
    return history, result, predictions


def _report(run: Run, progress: EpochProgress, row: Row) -> None:
    loss = row["train_loss"]
    if loss is None or not math.isfinite(loss):
        raise InputError(
            f"{run.id}: the loss is not finite in epoch {row['epoch']}; lower `learning_rate` in"
            " the scale"
        )
    progress.epoch(row)


def find_device(scale: Scale) -> torch.device:
    """The scale's device; ``auto`` is CUDA where there is one.

    Raises:
        InputError: CUDA is asked for and there is none.
    """
    cuda = torch.cuda.is_available()
    if scale.device == "cuda" and not cuda:
        raise InputError("`device: cuda`: PyTorch finds no CUDA device; use `device: auto`")
    return torch.device("cuda" if cuda and scale.device != "cpu" else "cpu")


def device_name(device: torch.device) -> str:
    """The device as a person would call it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()


def autocast(scale: Scale, device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    """The context of a forward pass at the scale's precision."""
    if scale.precision == "float32":
        return nullcontext
    return partial(torch.autocast, device.type, dtype=torch.bfloat16)


def load_data(plan: Plan, run: Run, device: torch.device) -> Data:
    """The data set of a run; images on the device.

    Raises:
        InputError: files are missing and cannot be downloaded.
    """
    root = Path(plan.scale.data_root)
    if isinstance(run.dataset, ImageDataset):
        return load_images(run.dataset, root, plan.scale.evaluate_on).to(device)
    return text.load_corpus(run.dataset, root)


def describe(run: Run, data: Data) -> dict[str, Any]:
    """What a run records of its data, with a checksum of every item in their order."""
    found: dict[str, Any] = {"name": run.dataset.name}
    if isinstance(data, ImageData):
        return found | {
            "classes": data.classes,
            "train": len(data.train.labels),
            "evaluation": len(data.evaluation.labels),
            "mean": data.mean,
            "std": data.std,
            "sha256": data.fingerprint,
        }
    return found | {
        "words": len(data.vocabulary),
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
        "sha256": text.fingerprint(data),
    }


HEAD = ("num_classes", "in_chans")


def arguments(plan: Plan, run: Run, data: Data) -> dict[str, Any]:
    """The keyword arguments that the run's network is built with."""
    options: dict[str, Any] = plan.recipe(run)["network"]["options"]
    if isinstance(data, ImageData):
        return {"num_classes": data.classes, "in_chans": data.channels, **options}
    return options


def build(plan: Plan, run: Run, data: Data) -> nn.Module:
    """A run's network with new weights, from torch's global random state."""
    if isinstance(data, ImageData):
        network: nn.Module = timm.create_model(run.network, **arguments(plan, run, data))
        return network
    return LANGUAGE_MODELS[run.network](data.vocabulary, **arguments(plan, run, data))


def load_teacher(
    plan: Plan, run: Run, data: Data, device: torch.device
) -> tuple[nn.Module | None, dict[str, str] | None]:
    """The trained teacher in evaluation mode, and what the student records of it.

    Raises:
        InputError: the teacher is not trained, damaged, or of another recipe than the plan's.
    """
    if run.teacher is None:
        return None, None
    folder = plan.folder(run.teacher)
    record, file = runs.read_record(folder), folder / runs.MODEL
    checksum = runs.checksum(file)
    if record.get("recipe_hash") != plan.recipe_hash(run.teacher):
        raise InputError(f"{folder}: trained by another recipe; call snakemake, which renews it")
    if record.get("checksums", {}).get(runs.MODEL) != checksum:
        raise InputError(f"{file}: not the file that {runs.RECORD} names; {runs.RETRAIN}")
    teacher = build(plan, run.teacher, data)
    try:
        teacher.load_state_dict(load_file(file))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{file}: damaged ({reason}); {runs.RETRAIN}") from None
    teacher = teacher.to(device).eval().requires_grad_(False)
    if isinstance(data, ImageData):
        teacher = teacher.to(memory_format=torch.channels_last)
    return teacher, {"run": run.teacher.id, "model_sha256": checksum}


def share_ends(student: nn.Module, teacher: nn.Module, run_id: str) -> None:
    """Copy first convolution and last linear layer from the teacher and freeze them (Table 5).

    Raises:
        InputError: their shapes differ.
    """
    for end in ("first_conv", "classifier"):
        source, target = (
            network.get_submodule(network.pretrained_cfg[end])  # type: ignore[index, arg-type]
            for network in (teacher, student)
        )
        try:
            target.load_state_dict(source.state_dict())
        except RuntimeError:
            raise InputError(
                f"{run_id}: the {end} of student and teacher differ in shape; the teacher has to be"
                " densenet_90_60 with the scale's own options of `networks.densenet`"
            ) from None
        target.requires_grad_(False)


def versions() -> dict[str, str]:
    """Versions of Python, of this suite and of the packages that a result depends on."""
    return {
        "python": platform.python_version(),
        "born-again-networks": __version__,
        **{package: importlib.metadata.version(package) for package in PACKAGES},
    }


def _write(file: Path, tensors: dict[str, Tensor]) -> None:
    runs.write_atomically(file, lambda part: save_file(tensors, part))
