"""What settings of the operating system are worth: allocators, large pages, pinned cores.

None of them changes a result. The suite's own setting is `replication.runtime.allocator`.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from ctypes.util import find_library
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from benchmarks import ours
from benchmarks.cases import Case, Pictures
from benchmarks.compare import Ready
from benchmarks.measure import medians, ratios
from benchmarks.turns import Worker, alternate, environment_of_jobs
from replication.runtime.allocator import TUNABLES, VARIABLE

DEFAULT = "glibc's defaults"
LIBRARIES = {"tcmalloc": "tcmalloc_minimal", "jemalloc": "jemalloc"}
"""Other allocators, by the names of their libraries; those that are not installed are left out."""


@dataclass(frozen=True)
class Setting:
    """Variables of the environment of two runs side by side, and whether they are pinned."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    pinned: bool = False


def settings() -> list[Setting]:
    """The defaults first, then what can be set instead."""
    kept = environment_of_jobs()
    small_pages = ":".join(f"{key}={n}" for key, n in TUNABLES.items() if "hugetlb" not in key)
    return [
        Setting(DEFAULT),
        Setting("freed memory is kept", {VARIABLE: small_pages}),
        Setting("freed memory is kept, in pages of 2 MiB (the suite's)", kept),
        Setting("the suite's, each training pinned to a core", kept, pinned=True),
        *(
            Setting(name, {"LD_PRELOAD": library})
            for name, short in LIBRARIES.items()
            if (library := find_library(short))
        ),
    ]


def table(
    cases: Sequence[Case], pictures: Callable[[int], Pictures], rounds: int, folder: Path
) -> pd.DataFrame:
    """Images per second of two runs side by side with each setting.

    In float32, on one thread each, with stored teacher logits. ``gain`` is the median over rounds
    of the speed over that with the defaults in the same round.
    """
    device, rows = torch.device("cpu"), []
    for case in cases:
        ours.write_random_logits(case, pictures(case.side), folder)
        contestant = partial(ours.Ours, kind=ours.Kind("float32", True), folder=folder)
        make = Ready(contestant, case, pictures(case.side), device, workers=1)
        with ExitStack() as stack:
            workers = [
                stack.enter_context(
                    Worker(
                        setting.name,
                        make,
                        device,
                        case.batch,
                        2,
                        setting.environment,
                        setting.pinned,
                    )
                )
                for setting in settings()
            ]
            measured = alternate(workers, case.steps, rounds)
        for name, speed in medians(measured).items():
            gain = statistics.median(ratios(measured, name, DEFAULT))
            rows.append((case.name, name, speed, gain))
    return pd.DataFrame(rows, columns=["network", "setting", "images_per_second", "gain"])
