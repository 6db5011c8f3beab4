"""Memory and time that each training is given, without torch: Snakemake loads this at every start.

The scale's table has the values of a first attempt. Finished runs of the same network on the same
data raise them, and every further attempt doubles them.
"""

import math
from collections import defaultdict
from functools import cached_property
from statistics import median

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs.status import Measured, state_of

MEMORY_MARGIN = 1.5
TIME_MARGIN = 3
"""Memory and time are at least these multiples of the median of the finished runs."""
MB_PER_MIB = 2**20 / 1e6

Network = tuple[str, str]
"""Names of a data set and a network."""


class JobResources:
    """Resources of a plan's trainings; the finished runs are read once, at the first call."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def memory_mb(self, run: Run, attempt: int) -> int:
        """Megabytes of main memory."""
        table = self.plan.scale.resources(run.network).memory_mb
        measured = [found.memory_mib for found in self._measured[_network(run)]]
        return _at_least(table, measured, MEMORY_MARGIN * MB_PER_MIB) << (attempt - 1)

    def minutes(self, run: Run, attempt: int) -> int:
        """Time limit in minutes."""
        table = self.plan.scale.resources(run.network).minutes
        measured = [found.seconds for found in self._measured[_network(run)]]
        return _at_least(table, measured, TIME_MARGIN / 60) << (attempt - 1)

    @cached_property
    def _measured(self) -> defaultdict[Network, list[Measured]]:
        found = defaultdict[Network, list[Measured]](list)
        for run in self.plan.runs.values():
            if measured := state_of(self.plan, run).measured:
                found[_network(run)].append(measured)
        return found


def _network(run: Run) -> Network:
    return run.dataset.name, run.network


def _at_least(table: int, measured: list[float | None], factor: float) -> int:
    known = [value for value in measured if value is not None]
    return max(table, math.ceil(factor * median(known))) if known else table
