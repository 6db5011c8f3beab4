"""Costs of a plan and status of a sweep, rendered for a terminal or a file."""

import time
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from replication.plan.plan import Plan
from replication.sweep.costs import Basis
from replication.sweep.status import Monitor, Status
from replication.sweep.summary import PlanCost

WIDTH = 100
"""Columns where there is no terminal."""
PAUSE = 2.0
"""Seconds between two polls."""
LINES = 12
"""Active runs, and failed ones, that the live view shows."""

COLOURS = {"done": "green", "running": "cyan", "failed": "red", "missing": "dim"}
BASES: dict[Basis, str] = {
    "measured": "measured: median of finished runs of the same network.",
    "scaled": "scaled: finished runs of other networks, scaled by FLOPs.",
    "flops": "flops: no run of this scale is finished; --tflops N gives hours at a speed of N"
    " TFLOP/s.",
}


def console() -> Console:
    """The terminal, or plain text of a fixed width where there is none."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)


def show_status(plan: Plan, once: bool) -> None:
    """Print where a sweep stands; a terminal is updated until Ctrl-C, unless ``once``."""
    screen, monitor = console(), Monitor(plan)
    if once or not screen.is_terminal:
        screen.print(render_status(monitor.poll()))
        return
    try:
        with Live(render_status(monitor.poll(), LINES), console=screen) as live:
            while True:
                time.sleep(PAUSE)
                live.update(render_status(monitor.poll(), LINES))
    except KeyboardInterrupt:
        pass


def render_costs(costs: PlanCost) -> RenderableType:
    """Costs of a plan: its tables, the longest chain, and the time with several runs at once."""
    table = _grid(
        "table", "runs", "new", "done", "hours spent", "hours to do", "FLOPs to do", "basis"
    )
    for line in (*costs.tables, costs.total):
        if line is costs.total:
            table.add_section()
        table.add_row(
            line.table,
            f"{line.runs:,}",
            f"{line.new:,}",
            f"{line.done:,}",
            _hours(line.hours_spent),
            "" if line.hours_left is None else _hours(line.hours_left),
            f"{line.flops_left:.3g}" if line.flops_left else "",
            ", ".join(line.basis),
        )
    parts: list[RenderableType] = [
        _counts(costs.scale, costs.states, f", {_count(costs.seeds, 'seed')}"),
        Text(),
        table,
        Text(),
    ]
    if costs.chain:
        long = "" if costs.chain_hours is None else f", {_duration(3600 * costs.chain_hours)}"
        dataset, *names = costs.chain[-1].split("/")
        parts.append(
            Text(
                f"Longest chain: {_count(len(costs.chain), 'training')}{long}:"
                f" {dataset}/{' → '.join(names[-len(costs.chain) :])}"
            )
        )
    for n, hours in costs.least_hours.items():
        parts.append(
            Text(f"At least {_duration(3600 * hours)} with {_count(n, 'training')} at once.")
        )
    parts += [Text(BASES[basis], style="dim") for basis in costs.total.basis]
    return Group(*parts)


def render_status(status: Status, lines: int | None = None) -> RenderableType:
    """Cells, active runs, failures and time left; at most ``lines`` of active and failed runs."""
    tables = _grid("table", "cells filled", "")
    for line in status.tables:
        bar = ProgressBar(total=max(line.cells, 1), completed=line.filled, width=40)
        tables.add_row(line.table, f"{line.filled} of {line.cells}", bar)
    parts: list[RenderableType] = [_counts(status.scale, status.states), Text(), tables]
    if status.active_runs:
        active = _grid("in training", "epoch", "", "seconds per epoch")
        for run in status.active_runs[:lines]:
            bar = ProgressBar(total=run.epochs, completed=run.epoch, width=20)
            speed = "" if run.epoch_seconds is None else f"{run.epoch_seconds:,.3g}"
            active.add_row(_short(run.run.id), f"{run.epoch} of {run.epochs}", bar, speed)
        parts += [Text(), active, *_more(status.active_runs, lines)]
    if status.failed:
        failed = _grid("failed", "because")
        failed.columns[1].justify = "left"
        for name, reason in list(status.failed.items())[:lines]:
            failed.add_row(_short(name), reason.removeprefix(f"{name}: "))
        parts += [Text(), failed, *_more(tuple(status.failed), lines)]
    return Group(*parts, Text(), Text(_outlook(status), style="bold"))


def _outlook(status: Status) -> str:
    if status.seconds_left is not None:
        return f"at least {_duration(status.seconds_left)} left with as many runs at once as now"
    if status.active_runs:
        return "time left: known when the first run is finished"
    done = status.states.get("done", 0) == sum(status.states.values())
    return "all runs are done" if done else "nothing is running"


def _counts(scale: str, states: dict[str, int], more: str = "") -> Text:
    text = Text(f"{scale}: {_count(sum(states.values()), 'run')}{more}:", style="bold")
    for name, colour in COLOURS.items():
        if states.get(name) or name == "done":
            text.append(f"  {states.get(name, 0):,} {name}", style=colour)
    return text


def _more(items: Sequence[object], lines: int | None) -> list[Text]:
    hidden = len(items) - (lines or len(items))
    return [Text(f"and {hidden:,} more")] if hidden > 0 else []


def _grid(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="left" if name in ("", "basis") else "right")
    return table


def _short(run_id: str) -> str:
    """Data set and name of a run, with an ellipsis for its teachers."""
    dataset, *names = run_id.split("/")
    return f"{dataset}/{'…/' * (len(names) > 1)}{names[-1]}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 or not hours else f"{hours:.2g}"


def _duration(seconds: float) -> str:
    """Two units at most: 3 d 4 h, 2 h 10 min, 40 s."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h"
