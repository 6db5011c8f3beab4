"""Where a sweep stands, read from the folders of its runs: nothing is written.

The results may be those of another machine, over a network file system.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs.folder import LOG, RECORD
from replication.runs.status import State, state_of
from replication.sweep.costs import Costs, least_seconds

TAIL = 4096
EPOCH = re.compile(rb"^epoch (\d+)/\d+  (?:.*  )?(\d+(?:\.\d+)?(?:e[+-]\d+)?) s each", re.M)


@dataclass(frozen=True)
class ActiveRun:
    """A run in training: its finished epochs, and seconds per epoch where its log has them."""

    run: Run
    epoch: int
    epochs: int
    epoch_seconds: float | None


@dataclass(frozen=True)
class TableProgress:
    """How many of a table's cells have all their runs."""

    table: str
    filled: int
    cells: int


@dataclass(frozen=True)
class Status:
    """A sweep at one moment.

    `seconds_left` is None where nothing is in training or no run is finished. It does not include
    failed runs and their students.
    """

    scale: str
    states: dict[str, int]
    tables: tuple[TableProgress, ...]
    active_runs: tuple[ActiveRun, ...]
    failed: dict[str, str]
    seconds_left: float | None


class Monitor:
    """Polls the runs of a plan; the record of a finished run is read again only if it changes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._done: dict[str, tuple[int, State]] = {}

    def poll(self) -> Status:
        """Where the sweep stands now."""
        states = {name: self._state(run) for name, run in self.plan.runs.items()}
        active = tuple(
            self._active(run)
            for name, run in self.plan.runs.items()
            if states[name].name == "running"
        )
        return Status(
            scale=self.plan.scale.scale,
            states=dict(Counter(state.name for state in states.values())),
            tables=tuple(self._progress(table, states) for table in self.plan.tables),
            active_runs=active,
            failed={name: state.reason for name, state in states.items() if state.name == "failed"},
            seconds_left=_seconds_left(Costs(self.plan, states), active),
        )

    def _state(self, run: Run) -> State:
        try:
            written = (self.plan.folder(run) / RECORD).stat().st_mtime_ns
        except OSError:
            return state_of(self.plan, run)
        time, state = self._done.get(run.id, (None, None))
        if state is None or time != written:
            state = state_of(self.plan, run)
            if state.name == "done":
                self._done[run.id] = written, state
        return state

    def _progress(self, table: str, states: dict[str, State]) -> TableProgress:
        cells = self.plan.table_cells(table)
        filled = [all(states[run.id].name == "done" for run in cell.runs()) for cell in cells]
        return TableProgress(table, sum(filled), len(cells))

    def _active(self, run: Run) -> ActiveRun:
        epochs = self.plan.training(run).epochs
        lines = EPOCH.findall(self._tail(run))
        if not lines:
            return ActiveRun(run, 0, epochs, None)
        epoch, seconds = lines[-1]
        return ActiveRun(run, min(int(epoch), epochs), epochs, float(seconds))

    def _tail(self, run: Run) -> bytes:
        try:
            with (self.plan.folder(run) / LOG).open("rb") as log:
                log.seek(-min(TAIL, os.fstat(log.fileno()).st_size), os.SEEK_END)
                return log.read()
        except OSError:
            return b""


def _seconds_left(costs: Costs, active: tuple[ActiveRun, ...]) -> float | None:
    """Seconds until the sweep ends if as many runs train at once as now, at least."""
    if not active:
        return None
    progress = {found.run: found.epoch / found.epochs for found in active}
    seconds: dict[Run, float] = {}
    for run in costs.left():
        if any(costs.states[member.id].name == "failed" for member in run.with_lineage):
            continue
        whole = costs.of(run).seconds
        if whole is None:
            return None
        seconds[run] = whole * (1 - progress.get(run, 0.0))
    return least_seconds(seconds, len(active))
