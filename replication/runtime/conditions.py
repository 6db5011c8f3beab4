"""The conditions that a training depends on besides its recipe: device, number format, versions."""

import functools
import importlib.metadata
import platform
import resource
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import torch

from replication import __version__
from replication.config.scale import Scale
from replication.errors import InputError

Precision = Literal["bfloat16", "tf32", "float32"]
Autocast = Callable[[], AbstractContextManager[object]]
"""Makes the context manager of a forward pass."""
Conditions = dict[str, Any]
"""What may change between two attempts at a training: threads, device, versions, code."""

PACKAGES = ("torch", "torchvision", "timm", "numpy", "safetensors")
ROOT = Path(__file__).resolve().parents[2]
DESCRIBE = "describe --always --abbrev=40 --dirty --exclude=*"
GIT = ["git", "-C", str(ROOT), *DESCRIBE.split()]


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
    return "bfloat16" if kind == "image" and _processor_has_bfloat16() else "float32"


def _processor_has_bfloat16() -> bool:
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def configure_precision(precision: Precision, device: torch.device) -> Autocast:
    """Switch TF32 on or off, and return what makes the context manager of a forward pass."""
    if device.type == "cuda":
        units = "tf32" if precision == "tf32" else "ieee"
        torch.backends.cuda.matmul.fp32_precision = units
        torch.backends.cudnn.fp32_precision = units
    if precision == "bfloat16":
        return functools.partial(torch.autocast, device.type, dtype=torch.bfloat16)
    return nullcontext


def describe_conditions(device: torch.device, threads: int) -> Conditions:
    """The conditions of a training with this many threads, as its record and checkpoints have them.

    ``device`` is a name, ``versions`` are by package, ``code`` is the commit.
    """
    return {
        "code": code(),
        "versions": versions(),
        "device": device_name(device),
        "threads": threads,
    }


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python, this suite and the packages that a result depends on."""
    return {
        "python": platform.python_version(),
        "born-again-networks": __version__,
        **{package: importlib.metadata.version(package) for package in PACKAGES},
    }


@functools.cache
def code() -> dict[str, str | bool | None]:
    """The commit of this suite's checkout, and whether its files differ from it.

    Both are None where the suite was installed without its history or git is not available.
    """
    unknown: dict[str, str | bool | None] = {"commit": None, "dirty": None}
    try:
        done = subprocess.run(GIT, capture_output=True, text=True, check=False)
    except OSError:
        return unknown
    if done.returncode or not (ROOT / ".git").exists():
        return unknown
    commit, _, dirty = done.stdout.strip().partition("-")
    return {"commit": commit, "dirty": bool(dirty)}


def device_name(device: torch.device) -> str:
    """The name of the GPU, or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    file = Path("/proc/cpuinfo")
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def peak_memory(device: torch.device) -> dict[str, int]:
    """Peak memory of this process in MiB: of the machine and, on CUDA, of the GPU."""
    peaks = {"peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10}
    if device.type == "cuda":
        peaks["peak_gpu_memory_mib"] = torch.cuda.max_memory_allocated(device) >> 20
    return peaks
