"""The device and the number format of a training: what the scale asks for, or the fastest."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Literal

import torch

from replication.config.scale import Scale
from replication.errors import InputError

Precision = Literal["bfloat16", "tf32", "float32"]
Autocast = Callable[[], AbstractContextManager[object]]


def find_device(scale: Scale) -> torch.device:
    """The scale's device; ``auto`` is CUDA where available.

    Raises:
        InputError: CUDA is requested and not available.
    """
    cuda = torch.cuda.is_available()
    if scale.device == "cuda" and not cuda:
        raise InputError("`device: cuda`: PyTorch finds no CUDA device; use `device: auto`")
    return torch.device("cuda" if cuda and scale.device != "cpu" else "cpu")


def choose_precision(
    scale: Scale, device: torch.device, kind: Literal["image", "language"]
) -> Precision:
    """The precision of a run; ``auto`` is bfloat16 where the device has hardware support for it.

    On a CPU that support is for convolutions; the language models' small steps are faster in
    float32.
    """
    if scale.precision != "auto":
        return scale.precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "tf32"
    return "bfloat16" if kind == "image" and torch.cpu._is_amx_tile_supported() else "float32"


def configure_precision(precision: Precision, device: torch.device) -> Autocast:
    """Switch TF32 on or off, and return the context manager of a forward pass."""
    if device.type == "cuda":
        units = "tf32" if precision == "tf32" else "ieee"
        torch.backends.cuda.matmul.fp32_precision = units
        torch.backends.cudnn.fp32_precision = units
    if precision == "bfloat16":
        return partial(torch.autocast, device.type, dtype=torch.bfloat16)
    return nullcontext
