"""The allocator's settings: a process that has them keeps what it frees."""

import os
import platform
import subprocess
import sys

import pytest

from replication.runtime.allocator import VARIABLE, keep_freed_memory

# Allocates and frees 8 MB a hundred times, as steps of a training do, and counts page faults.
STEPS = """
import resource
import numpy as np
for step in range(110):
    if step == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [np.ones(250_000) for _ in range(4)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(environment: dict[str, str]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", STEPS], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    default = {name: value for name, value in os.environ.items() if name != VARIABLE}
    kept = dict(default)
    keep_freed_memory(kept)
    assert page_faults(kept) < 100
    # The default returns at least one of the blocks in each step.
    assert page_faults(default | {VARIABLE: "glibc.malloc.trim_threshold=131072"}) > 10_000


def test_a_choice_of_the_user_stays() -> None:
    environment = {VARIABLE: "glibc.malloc.arena_max=1"}
    keep_freed_memory(environment)
    assert environment == {VARIABLE: "glibc.malloc.arena_max=1"}
