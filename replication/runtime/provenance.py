"""What a result was computed with: code, package versions, device, memory."""

import functools
import importlib.metadata
import platform
import resource
import subprocess
from pathlib import Path

import torch

from replication import __version__

PACKAGES = ("torch", "torchvision", "timm", "numpy", "safetensors")
ROOT = Path(__file__).resolve().parents[2]
DESCRIBE = "describe --always --abbrev=40 --dirty --exclude=*"
GIT = ["git", "-C", str(ROOT), *DESCRIBE.split()]


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
