"""Where a sweep stands, read from the folders of its runs: nothing is written.

The results may be those of another machine, over a network file system.
"""

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_folder import LOG
from replication.sweep.costs import Costs, least_seconds

EPOCH = re.compile(rb"^epoch (\d+)/\d+  (?:.*  )?(\d+(?:\.\d+)?(?:e[+-]\d+)?) s each", re.M)


@dataclass(frozen=True)
class ActiveRun:
    """A run in training: its finished epochs, and seconds per epoch where its log has them."""

    run: Run
    epoch: int
    epochs: int
    epoch_seconds: float | None


@dataclass(frozen=True)
class Status:
    """A sweep at one moment.

    `cells` has by table how many cells have all their runs, and how many there are. `failed` has
    the reason of each run that has failed. `seconds_left` is without failed runs and their
    students; None where nothing is in training or finished.
    """

    scale: str
    states: dict[str, int]
    cells: dict[str, tuple[int, int]]
    active_runs: tuple[ActiveRun, ...]
    failed: dict[Run, str]
    seconds_left: float | None


def poll(plan: Plan) -> Status:
    """Where the sweep stands now."""
    costs = Costs(plan)
    states = {name: state.name for name, state in costs.states.items()}
    active = tuple(_active(plan, run) for run in costs.left if states[run.id] == "running")
    cells = {}
    for table in plan.tables:
        shown = [{states[run.id] for run in cell.runs()} for cell in plan.table_cells(table)]
        cells[table] = shown.count({"done"}), len(shown)
    return Status(
        scale=plan.scale.scale,
        states=dict(Counter(states.values())),
        cells=cells,
        active_runs=active,
        failed={
            plan.runs[name]: state.reason
            for name, state in costs.states.items()
            if state.name == "failed"
        },
        seconds_left=_seconds_left(costs, active),
    )


def _active(plan: Plan, run: Run) -> ActiveRun:
    epochs = plan.training(run).epochs
    with suppress(OSError, IndexError):
        epoch, seconds = EPOCH.findall((plan.folder(run) / LOG).read_bytes())[-1]
        return ActiveRun(run, min(int(epoch), epochs), epochs, float(seconds))
    return ActiveRun(run, 0, epochs, None)


def _seconds_left(costs: Costs, active: tuple[ActiveRun, ...]) -> float | None:
    """Seconds until the sweep ends if as many runs train at once as now, at least."""
    if not active or not costs.spent:
        return None
    progress = {training.run: training.epoch / training.epochs for training in active}
    seconds = {
        run: (costs.of(run).seconds or 0.0) * (1 - progress.get(run, 0.0))
        for run in costs.left
        if all(costs.states[member.id].name != "failed" for member in run.with_lineage)
    }
    return least_seconds(seconds, len(active))
