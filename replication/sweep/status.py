"""What a sweep is doing, read from the folders of its runs: nothing is written, torch not needed.

The results may be another machine's, over a network file system.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs.folder import LOG, RECORD
from replication.runs.status import State, state_of
from replication.sweep.budget import tasks_left
from replication.sweep.costs import Costs
from replication.sweep.schedule import list_schedule

TAIL = 4096
EPOCH = re.compile(rb"^epoch (\d+)/\d+  (?:.*  )?(\d+(?:\.\d+)?(?:e[+-]\d+)?) s each", re.M)


@dataclass(frozen=True)
class ActiveRun:
    """A run in training: epochs that are over, and samples per second where its log tells."""

    run: Run
    epoch: int
    epochs: int
    per_second: float | None


@dataclass(frozen=True)
class Filled:
    """A table's cells, and how many of them have all their runs."""

    table: str
    filled: int
    cells: int


@dataclass(frozen=True)
class Status:
    """A sweep at one moment.

    `seconds_left` is None where nothing runs; what has failed, and what would learn from it, is not
    in it.
    """

    scale: str
    states: dict[str, int]
    tables: tuple[Filled, ...]
    active_runs: tuple[ActiveRun, ...]
    failed: dict[str, str]
    seconds_left: float | None


class Watch:
    """Looks at the runs of a plan again and again; what is done is read once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._done: dict[str, tuple[int, State]] = {}

    def look(self) -> Status:
        """Where the sweep stands now."""
        states = {name: self._state(run) for name, run in self.plan.runs.items()}
        costs = Costs(self.plan, states)
        active_runs = tuple(
            self._flight(costs, run)
            for name, run in self.plan.runs.items()
            if states[name].name == "running"
        )
        return Status(
            scale=self.plan.scale.scale,
            states=dict(Counter(state.name for state in states.values())),
            tables=tuple(self._filled(states)),
            active_runs=active_runs,
            failed={name: state.reason for name, state in states.items() if state.name == "failed"},
            seconds_left=_seconds_left(costs, active_runs),
        )

    def _state(self, run: Run) -> State:
        try:
            written = (self.plan.folder(run) / RECORD).stat().st_mtime_ns
        except OSError:
            return state_of(self.plan, run)
        known = self._done.get(run.id)
        if known is None or known[0] != written:
            known = written, state_of(self.plan, run)
            if known[1].name != "done":
                return known[1]
            self._done[run.id] = known
        return known[1]

    def _filled(self, states: dict[str, State]) -> Iterator[Filled]:
        for table in self.plan.tables:
            cells = self.plan.table_cells(table)
            filled = [
                cell for cell in cells if all(states[run.id].name == "done" for run in cell.runs())
            ]
            yield Filled(table, len(filled), len(cells))

    def _flight(self, costs: Costs, run: Run) -> ActiveRun:
        epochs = self.plan.training(run).epochs
        lines = EPOCH.findall(self._tail(run))
        if not lines:
            return ActiveRun(run, 0, epochs, None)
        epoch, seconds = int(lines[-1][0]), float(lines[-1][1])
        samples = costs.workload(run).trained / epochs
        return ActiveRun(run, min(epoch, epochs), epochs, samples / seconds if seconds else None)

    def _tail(self, run: Run) -> bytes:
        try:
            with (self.plan.folder(run) / LOG).open("rb") as log:
                log.seek(-min(TAIL, os.fstat(log.fileno()).st_size), os.SEEK_END)
                return log.read()
        except OSError:
            return b""


def _seconds_left(costs: Costs, active_runs: tuple[ActiveRun, ...]) -> float | None:
    """What is left of the sweep on as many devices as it has now."""
    if not active_runs:
        return None
    over = {active_run.run.id: active_run.epoch / active_run.epochs for active_run in active_runs}
    failed = {name for name, state in costs.states.items() if state.name == "failed"}
    runs = costs.plan.runs
    tasks = [
        replace(task, seconds=task.seconds * (1 - over.get(task.name, 0.0)))
        for task in tasks_left(costs)
        if not failed & {member.id for member in (*runs[task.name].lineage, runs[task.name])}
    ]
    devices = sum(costs.of(active_run.run).devices for active_run in active_runs)
    return list_schedule(tasks, devices)
