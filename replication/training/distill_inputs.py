"""Checks what `distill` is given, so that a mistake gives one clear line before the training."""

import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, get_args

import torch
from torch import Tensor, nn

from replication.config.custom_objectives import as_objective
from replication.data.images import ImageData, Items, normalise, unit_pixels
from replication.errors import InputError
from replication.objectives import OBJECTIVES, Objective
from replication.runtime.conditions import Precision
from replication.training.image_trainer import EVALUATION_BATCH
from replication.training.loop import evaluation_mode
from replication.training.teacher import check_own_weights

BATCH = ("student_logits", "labels", "teacher_logits")
"""What an objective is called with before its parameters."""


def read_data(train: object, test: object, classes: int | None) -> ImageData:
    """Normalised data from the two parts that the caller gave, on the CPU.

    ``classes`` is the number of classes; None: one more than the largest label.

    Raises:
        InputError: a part is not a pair of an image and a label tensor of the same length, is
            empty, has other shapes or numbers than the other part, or has labels out of range.
    """
    parts = {"train": _part("train", train), "test": _part("test", test)}
    (first, first_labels), (second, second_labels) = parts.values()
    if first.shape[1:] != second.shape[1:] or first.dtype != second.dtype:
        raise InputError(
            f"train has images of shape {tuple(first.shape[1:])} in {first.dtype}, test of"
            f" {tuple(second.shape[1:])} in {second.dtype}; give both in the same form"
        )
    needed = int(max(first_labels.max(), second_labels.max())) + 1
    if classes is not None and (isinstance(classes, bool) or not isinstance(classes, Integral)):
        raise InputError(f"classes: {classes!r} is not a whole number")
    classes = needed if classes is None else int(classes)
    if classes < max(needed, 2):
        raise InputError(f"labels go up to {needed - 1}, which does not fit {classes} classes")
    items = [Items(unit_pixels(images), labels.long()) for images, labels in parts.values()]
    return normalise(items[0], items[1], classes)


def _part(name: str, part: object) -> tuple[Tensor, Tensor]:
    """Images (n, channels, height, width) and labels (n,) of one part, checked, on the CPU."""
    if not isinstance(part, tuple | list) or len(part) != 2:
        raise InputError(
            f"{name}: {type(part).__name__} is not a pair; give a tuple of images and labels"
        )
    for tensor, what in zip(part, ("images", "labels"), strict=True):
        if not isinstance(tensor, Tensor):
            raise InputError(
                f"{name}: the {what} are a {type(tensor).__name__}, not a tensor; convert them with"
                " torch.as_tensor"
            )
    images, labels = (tensor.detach().cpu() for tensor in part)
    if images.ndim != 4 or labels.shape != (len(images),):
        raise InputError(
            f"{name}: images of shape {tuple(images.shape)} with labels of shape"
            f" {tuple(labels.shape)}; they have to be (n, channels, height, width) and (n,)"
        )
    if not len(images):
        raise InputError(f"{name}: there are no images")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise InputError(
            f"{name}: images in {images.dtype}; give uint8, or floating-point numbers in [0, 1]"
        )
    if not images.isfinite().all():
        raise InputError(f"{name}: some pixels are infinite or not a number")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise InputError(f"{name}: labels in {labels.dtype}; give whole numbers starting at 0")
    if labels.min() < 0:
        raise InputError(
            f"{name}: the label {int(labels.min())} is negative; classes are counted from 0, and"
            " images without a class have to be left out"
        )
    return images, labels


def resolve_objective(
    objective: object, teacher: nn.Module | None, parameters: Mapping[str, float]
) -> tuple[str, Objective]:
    """An objective by name, or a function as one, with the name that messages call it.

    Raises:
        InputError: there is no such objective, it needs a teacher or has none, or it does not take
            the parameters.
    """
    if isinstance(objective, str):
        if objective not in OBJECTIVES:
            raise InputError(f"no objective `{objective}`; available: {', '.join(OBJECTIVES)}")
        name, chosen = objective, OBJECTIVES[objective]
        if chosen.teacher != (teacher is not None):
            needs = "needs a" if chosen.teacher else "has no"
            raise InputError(f"the objective `{name}` {needs} teacher")
        known: tuple[str, ...] | None = chosen.parameters
    elif callable(objective):
        name, chosen = getattr(objective, "__name__", "objective"), as_objective(objective)
        known = _keywords(objective)
    else:
        raise InputError(f"objective: {objective!r} is neither a name nor a function")
    if not isinstance(parameters, Mapping):
        raise InputError(f"parameters: {parameters!r} is not a dictionary of numbers by name")
    for key, value in parameters.items():
        if known is not None and key not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise InputError(f"the objective `{name}` has no parameter `{key}`; {takes}")
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise InputError(f"the parameter `{key}` is {value!r}, which is not a finite number")
    return name, chosen


def _keywords(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """The parameters that a function takes after the batch; None if it takes or may take any."""
    try:
        arguments = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(argument.kind is argument.VAR_KEYWORD for argument in arguments):
        return None
    return tuple(
        argument.name
        for place, argument in enumerate(arguments)
        if argument.kind is argument.KEYWORD_ONLY
        or (argument.kind is argument.POSITIONAL_OR_KEYWORD and place >= len(BATCH))
    )


def choose_device(device: str | torch.device | None) -> torch.device:
    """A device by name; None: CUDA where available, else the CPU.

    Raises:
        InputError: there is no such device, or it is neither a CPU nor CUDA.
    """
    try:
        target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except (RuntimeError, TypeError):
        raise InputError(f"device: {device!r} is not a device; use cpu or cuda") from None
    if target.type not in EVALUATION_BATCH:
        raise InputError(f"device: `{target.type}` is not supported; use cpu or cuda")
    if target.type == "cuda" and not torch.cuda.is_available():
        raise InputError("device: PyTorch finds no CUDA device; use cpu")
    return target


def check_precision(precision: object) -> None:
    """Check the number format of forward passes; raises InputError if it is not a known one."""
    if precision not in get_args(Precision):
        raise InputError(
            f"precision: {precision!r} must be one of {', '.join(get_args(Precision))}"
        )


def check_modules(network: object, teacher: object) -> None:
    """Check that student and teacher are two networks that share nothing.

    Raises:
        InputError: one is not a network, or they share parameters or buffers, as a network with
            itself does.
    """
    for module, name in ((network, "network"), (teacher, "teacher")):
        if not isinstance(module, nn.Module) and (module is not None or name == "network"):
            has_one = isinstance(getattr(module, "network", None), nn.Module)
            advice = "give its `network`" if has_one else "give a network"
            raise InputError(f"{name}: {type(module).__name__} is not a torch.nn.Module; {advice}")
    if isinstance(network, nn.Module) and any(
        parameter.is_inference() for parameter in network.parameters()
    ):
        raise InputError(
            "network: was built under torch.inference_mode, so it cannot be trained; build it"
            " outside"
        )
    if isinstance(network, nn.Module) and isinstance(teacher, nn.Module):
        if network is teacher:
            raise InputError(
                "the teacher is the student itself, which would change while it teaches; build"
                " another network"
            )
        held = {tensor.data_ptr(): name for name, tensor in _tensors(teacher)}
        for name, tensor in _tensors(network):
            if tensor.data_ptr() in held:
                raise InputError(
                    f"the student's {name} is the teacher's {held[tensor.data_ptr()]}, which would"
                    " change while it teaches; build another network, or copy.deepcopy one"
                )


def _tensors(network: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and buffers by name; not those without content, which have no place in memory."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    return [(name, tensor) for name, tensor in tensors if tensor.data_ptr()]


def check_logits(network: nn.Module, teacher: nn.Module | None, data: ImageData) -> None:
    """Run both networks on two images in evaluation mode, and compare their weights.

    Raises:
        InputError: a network fails, or returns something other than a logit for each class.
        TrainingError: the student starts with the teacher's weights.
    """
    images = data.train.images[:2]
    for module, name in ((network, "network"), (teacher, "teacher")):
        if module is None:
            continue
        with evaluation_mode(module), torch.no_grad():
            try:
                logits: object = module(images)
            except Exception as error:
                reason = " ".join(str(error).split())
                raise InputError(
                    f"{name}: fails on images of shape {tuple(images.shape)}"
                    f" ({type(error).__name__}: {reason})"
                ) from None
        if not isinstance(logits, Tensor):
            raise InputError(
                f"{name}: returns a {type(logits).__name__} instead of a tensor of logits"
            )
        if logits.shape != (len(images), data.classes):
            raise InputError(
                f"{name}: returns logits of shape {tuple(logits.shape)} for {len(images)} images of"
                f" {data.classes} classes; give it {data.classes} outputs, or pass `classes` if no"
                " image has the largest label"
            )
    if teacher:
        weights = {name: tensor.cpu() for name, tensor in teacher.state_dict().items()}
        check_own_weights("distill", network, weights)


def weights_checksum(network: nn.Module) -> str:
    """SHA-256 of a network's parameters and buffers, by name, in hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        if isinstance(tensor, Tensor):
            content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(content.numpy().data)
    return digest.hexdigest()
