"""What the rounds say, and what the machine could do at best."""

import platform
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

import torch
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases import Case
from benchmarks.contestants import synchronise
from benchmarks.turns import Round

PACKAGES = ("torch", "torchvision", "timm", "torchdistill", "numpy")


def ratios(rounds: Sequence[Round], of: str, to: str) -> list[float]:
    """How many times as fast ``of`` is as ``to``, round by round."""
    speed: dict[tuple[str, int], float] = {
        (each.contestant, each.number): each.images_per_second for each in rounds
    }
    return [speed[of, number] / speed[to, number] for name, number in sorted(speed) if name == of]


def medians(rounds: Sequence[Round]) -> dict[str, float]:
    """Median images per second of every contestant."""
    names = dict.fromkeys(each.contestant for each in rounds)
    return {
        name: statistics.median(r.images_per_second for r in rounds if r.contestant == name)
        for name in names
    }


def flops(case: Case, asks_teacher: bool) -> int:
    """Floating-point operations of one step: student forward and backward, teacher forward."""
    student = case.build()
    images = torch.zeros(case.batch, 1, case.side, case.side)
    labels = torch.zeros(case.batch, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        cross_entropy(student(images), labels).backward()  # type: ignore[no-untyped-call]
        if asks_teacher:
            with torch.no_grad():
                student.eval()(images)
    return int(counter.get_total_flops())


def peak_flops(device: torch.device, precision: torch.dtype, repeats: int = 7) -> float:
    """Operations per second of the best matrix product of some sizes."""
    best = 0.0
    for side in (2048, 4096, 8192) if device.type == "cuda" else (1024, 2048):
        a, b = (torch.randn(side, side, device=device, dtype=precision) for _ in range(2))
        for _ in range(repeats):
            synchronise(device)
            started = perf_counter()
            torch.matmul(a, b)
            synchronise(device)
            best = max(best, 2 * side**3 / (perf_counter() - started))
    return best


def machine(device: torch.device) -> dict[str, object]:
    """Device, threads and versions; no names of hosts or users."""
    return {
        "device": device_name(device),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **_versions(PACKAGES),
    }


def _versions(packages: Sequence[str]) -> Mapping[str, str]:
    versions = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def processor() -> str:
    """The processor's name and its vector and matrix units, as Linux tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {key.strip(): value.strip() for key, value in facts.items()}
    flags = set(facts.get("flags", "").split())
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if unit in flags]
    return f"{facts.get('model name', platform.machine())} ({', '.join(units)})"


def device_name(device: torch.device) -> str:
    """What computes."""
    return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else processor()
