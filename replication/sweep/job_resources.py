"""Memory and time that each training is given, without torch: Snakemake loads this at every start.

The scale's table has the values of a first attempt. Finished runs of the same network on the same
data raise them, and every further attempt doubles them.
"""

import math
from collections import defaultdict
from functools import cached_property
from statistics import median
from typing import Literal

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs.status import Measured, state_of

# At least these multiples of the median of the finished runs.
MEMORY_MARGIN, TIME_MARGIN = 1.5, 3
MB_PER_MIB = 2**20 / 1e6


class JobResources:
    """Resources of a plan's trainings; the finished runs are read once, at the first call."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def memory_mb(self, run: Run, attempt: int) -> int:
        """Megabytes of main memory."""
        least = math.ceil(MEMORY_MARGIN * MB_PER_MIB * self._median(run, "memory_mib"))
        return max(self.plan.scale.resources(run.network).memory_mb, least) << (attempt - 1)

    def minutes(self, run: Run, attempt: int) -> int:
        """Time limit in minutes."""
        least = math.ceil(TIME_MARGIN / 60 * self._median(run, "seconds"))
        return max(self.plan.scale.resources(run.network).minutes, least) << (attempt - 1)

    def _median(self, run: Run, what: Literal["memory_mib", "seconds"]) -> float:
        found = [getattr(it, what) for it in self._measured[run.dataset.name, run.network]]
        return float(median([value for value in found if value is not None] or [0]))

    @cached_property
    def _measured(self) -> defaultdict[tuple[str, str], list[Measured]]:
        found = defaultdict[tuple[str, str], list[Measured]](list)
        for run in self.plan.runs.values():
            if measured := state_of(self.plan, run).measured:
                found[run.dataset.name, run.network].append(measured)
        return found
