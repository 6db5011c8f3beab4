"""Costs of a plan and status of a sweep, rendered for a terminal or a file."""

import time
from contextlib import suppress
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.sweep.costs import Basis, PlanCost
from replication.sweep.monitor import Status, poll
from replication.wording import counted

WIDTH = 100
"""Columns of the output where there is no terminal."""
POLL_SECONDS = 2.0
"""Pause between two looks at the folders of the runs."""
STATE_COLOURS = {"done": "green", "running": "cyan", "failed": "red", "missing": "dim"}
BASES: dict[Basis, str] = {
    "measured": "measured: median of finished runs of the same network.",
    "scaled": "scaled: finished runs of other networks, scaled by FLOPs.",
    "flops": "flops: no run of this scale is finished; hours are those at --tflops N TFLOP/s.",
}


def console() -> Console:
    """The terminal, or plain text of a fixed width where there is none."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=WIDTH)


def show_status(plan: Plan, once: bool) -> None:
    """Print where a sweep stands; a terminal is updated until Ctrl-C, unless ``once``."""
    screen = console()
    if once or not screen.is_terminal:
        screen.print(render_status(poll(plan)))
        return
    with suppress(KeyboardInterrupt), Live(render_status(poll(plan)), console=screen) as live:
        while True:
            time.sleep(POLL_SECONDS)
            live.update(render_status(poll(plan)))


def render_costs(costs: PlanCost) -> RenderableType:
    """Costs of a plan: its tables, the longest chain, and the time with several runs at once."""
    columns = ("runs", "new", "done", "hours spent", "hours left", "FLOPs left", "basis")
    table = _grid("table", *columns)
    for line in (*costs.tables, costs.total):
        if line is costs.total:
            table.add_section()
        table.add_row(
            line.table,
            *(f"{number:,}" for number in (line.runs, line.new, line.done)),
            *(_hours(hours) for hours in (line.hours_spent, line.hours_left)),
            f"{line.flops_left:.3g}" if line.flops_left else "",
            ", ".join(line.basis),
        )
    counts = _counts(costs.scale, costs.states, f", {counted(costs.seeds, 'seed')}")
    parts: list[RenderableType] = [counts, Text(), table, Text()]
    if costs.chain:
        length = "" if costs.chain_hours is None else f", {_duration(3600 * costs.chain_hours)}"
        count = counted(len(costs.chain), "training run")
        parts.append(Text(f"Longest chain: {count}{length}: {costs.chain_names}"))
    parts += [
        Text(f"At least {_duration(3600 * hours)} with {counted(number, 'training run')} at once.")
        for number, hours in costs.least_hours.items()
    ]
    return Group(*parts, *(Text(BASES[basis], style="dim") for basis in costs.total.basis))


def render_status(status: Status) -> RenderableType:
    """Time left, cells, failures and active runs; what may not fit on a screen comes last."""
    tables = _grid("table", "cells filled", "")
    for table, (filled, cells) in status.cells.items():
        bar = ProgressBar(total=max(cells, 1), completed=filled, width=40)
        tables.add_row(table, f"{filled} of {cells}", bar)
    outlook = Text(_outlook(status), style="bold")
    parts: list[RenderableType] = [_counts(status.scale, status.states), outlook, Text(), tables]
    if status.failed:
        failed = _grid("failed", "")
        for failed_run, reason in status.failed.items():
            failed.add_row(_short(failed_run), reason.removeprefix(f"{failed_run.id}: "))
        parts += [Text(), failed]
    if status.active_runs:
        active = _grid("in training", "epoch", "", "seconds per epoch")
        for training in status.active_runs:
            bar = ProgressBar(total=training.epochs, completed=training.epoch, width=20)
            seconds = training.epoch_seconds
            speed = "" if seconds is None else f"{seconds:,.3g}"
            progress = f"{training.epoch} of {training.epochs}"
            active.add_row(_short(training.run), progress, bar, speed)
        parts += [Text(), active]
    return Group(*parts)


def _outlook(status: Status) -> str:
    if status.seconds_left is not None:
        return f"at least {_duration(status.seconds_left)} left with as many runs at once as now"
    if status.active_runs:
        return "time left: known when the first run is finished"
    done = status.states.get("done", 0) == sum(status.states.values())
    return "all runs are done" if done else "nothing is running"


def _counts(scale: str, states: dict[str, int], more: str = "") -> Text:
    text = Text(f"{scale}: {counted(sum(states.values()), 'run')}{more}:", style="bold")
    for name, colour in STATE_COLOURS.items():
        if states.get(name) or name == "done":
            text.append(f"  {states.get(name, 0):,} {name}", style=colour)
    return text


def _grid(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="left" if name in ("", "basis") else "right")
    return table


def _short(run: Run) -> str:
    """Data set and name of a run, with an ellipsis for its teachers."""
    return f"{run.dataset.name}/{'…/' if run.teacher else ''}{run.name}"


def _hours(hours: float | None) -> str:
    if hours is None:
        return ""
    return f"{hours:,.0f}" if hours >= 10 or not hours else f"{hours:.2g}"


def _duration(seconds: float) -> str:
    unit = 1 if seconds < 3600 else 60
    return str(timedelta(seconds=unit * round(seconds / unit)))
