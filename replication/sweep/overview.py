"""How the cost of a plan, and the status of a sweep, look on a terminal or in a file."""

import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from replication.plan.plan import Plan
from replication.sweep.budget import Budget, OnDevices
from replication.sweep.costs import Basis
from replication.sweep.status import Status, Watch

WIDTH = 100
"""Columns where there is no terminal."""

PAUSE = 2.0
LINES = 12
"""Of the runs in active_run and of the failed ones that a live view shows."""

COLOURS = {"done": "green", "running": "cyan", "failed": "red", "missing": "dim"}
BASES: dict[Basis, str] = {
    "measured": "measured: by finished runs of the same network.",
    "scaled": "scaled: the estimate, corrected by finished runs of other networks.",
    "assumed": "assumed: by built-in rates, as no run of this scale has finished.",
}
ASSUMED = {
    "core": "A core's rates are those of docs/performance.md; another core's are not.",
    "GPU": "No GPU was measured: 15 % of an H100's bfloat16 peak and 60 % of its memory's speed are"
    " assumed.",
}


def console() -> Console:
    """The terminal, or plain text of a fixed width where it is none."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)


def show_budget(budget: Budget) -> None:
    """Print what a plan costs."""
    console().print(render_budget(budget))


def show_status(plan: Plan, once: bool) -> None:
    """Print where a sweep stands; on a terminal again and again until Ctrl-C, unless ``once``."""
    screen, watch = console(), Watch(plan)
    if once or not screen.is_terminal:
        screen.print(render_status(watch.look()))
        return
    try:
        with Live(render_status(watch.look(), LINES), console=screen) as live:
            while True:
                time.sleep(PAUSE)
                live.update(render_status(watch.look(), LINES))
    except KeyboardInterrupt:
        pass


def render_budget(budget: Budget) -> RenderableType:
    """What a plan costs: its tables, the longest chain, the time on devices, the cheapest order."""
    parts: list[RenderableType] = [
        _counts(budget.scale, budget.states, f", {_count(budget.seeds, 'seed')}"),
        Text(),
        _tables(budget),
        Text(),
    ]
    if budget.chain:
        parts += [_chain(budget), Text(), _devices(budget), Text(), _cheapest(budget)]
    parts.append(_memory(budget))
    parts += [Text(BASES[basis], style="dim") for basis in BASES if basis in budget.total.basis]
    if "assumed" in budget.total.basis:
        parts.append(Text(ASSUMED[budget.unit], style="dim"))
    return Group(*parts)


def render_status(status: Status, lines: int | None = None) -> RenderableType:
    """Where a sweep stands: cells, runs in active_run, failures, time left; so many lines of each."""
    parts: list[RenderableType] = [_counts(status.scale, status.states), Text(), _filled(status)]
    if status.active_runs:
        parts += [Text(), _flights(status, lines)]
    if status.failed:
        parts += [Text(), _failed(status, lines)]
    total = sum(status.states.values())
    if status.seconds_left is not None:
        said = f"{_duration(status.seconds_left)} left at what runs now"
    elif status.states.get("done", 0) == total:
        said = "everything is done"
    else:
        said = "nothing is running"
    return Group(*parts, Text(), Text(said, style="bold"))


def _counts(scale: str, states: dict[str, int], more: str = "") -> Text:
    text = Text(f"{scale}: {_count(sum(states.values()), 'run')}{more}:", style="bold")
    for name, colour in COLOURS.items():
        if states.get(name) or name == "done":
            text.append(f"  {states.get(name, 0):,} {name}", style=colour)
    return text


def _tables(budget: Budget) -> Table:
    unit = f"{budget.unit}-hours"
    table = _grid("table", "runs", "new", "done", f"{unit} spent", "to do", "disk", "cost is")
    for line in (*budget.tables, budget.total):
        if line is budget.total:
            table.add_section()
        table.add_row(
            line.table,
            f"{line.runs:,}",
            f"{line.new:,}",
            f"{line.done:,}",
            _hours(line.hours_done),
            _hours(line.hours_left),
            _bytes(line.disk),
            ", ".join(basis for basis in BASES if basis in line.basis),
        )
    return table


def _chain(budget: Budget) -> Text:
    first, *rest = (name.rsplit("/", 1)[-1] for name in budget.chain)
    chain = " → ".join((budget.chain[0].split("/")[0] + "/" + first, *rest))
    return Text(
        f"Longest chain: {_count(len(budget.chain), 'training')} one after the other,"
        f" {_duration(budget.chain_seconds)}: {chain}"
    )


def _devices(budget: Budget) -> Table:
    table = _grid(f"{budget.unit}s", "time for what is to do", "no schedule is below", "bound by")
    for line in budget.devices:
        table.add_row(
            f"{line.devices:,}",
            _duration(line.seconds),
            _duration(line.least),
            _bound(budget, line),
        )
    return table


def _bound(budget: Budget, line: OnDevices) -> str:
    return "the longest chain" if line.least <= budget.chain_seconds else "the work"


def _cheapest(budget: Budget) -> Text:
    steps = [f"{line.table} +{_hours(line.hours_left)}" for line in budget.cheapest]
    return Text(f"Cheapest order, in {budget.unit}-hours that each adds: {', '.join(steps)}")


def _memory(budget: Budget) -> Text:
    gpu = f", {_bytes(budget.gpu_mib * 2**20)} on a GPU" if budget.gpu_mib else ""
    return Text(
        f"A run takes up to {_bytes(budget.host_mib * 2**20)} of memory{gpu}, and"
        f" {_bytes(budget.transient)} of disk for its states."
    )


def _filled(status: Status) -> Table:
    table = _grid("table", "cells filled", "")
    for line in status.tables:
        table.add_row(
            line.table,
            f"{line.filled} of {line.cells}",
            ProgressBar(total=max(line.cells, 1), completed=line.filled, width=40),
        )
    return table


def _flights(status: Status, lines: int | None) -> Table:
    table = _grid("in training", "epoch", "", "per second")
    for active_run in status.active_runs[:lines]:
        table.add_row(
            _short(active_run.run.id),
            f"{active_run.epoch} of {active_run.epochs}",
            ProgressBar(total=active_run.epochs, completed=active_run.epoch, width=20),
            "" if active_run.per_second is None else f"{active_run.per_second:,.0f}",
        )
    if more := _beyond(status.active_runs, lines):
        table.add_row(more)
    return table


def _failed(status: Status, lines: int | None) -> Table:
    table = _grid("failed", "because")
    table.columns[1].justify = "left"
    for name, reason in list(status.failed.items())[:lines]:
        table.add_row(_short(name), reason.removeprefix(f"{name}: "))
    if more := _beyond(tuple(status.failed), lines):
        table.add_row(more)
    return table


def _beyond(items: tuple[object, ...], lines: int | None) -> str:
    hidden = len(items) - (lines or len(items))
    return f"and {hidden:,} more" if hidden > 0 else ""


def _grid(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        left = name == columns[0] or name in ("", "bound by", "cost is")
        table.add_column(name, justify="left" if left else "right", no_wrap=name == columns[0])
    return table


def _short(run_id: str) -> str:
    """Data set, generation 0 of the lineage where it is another run, and the run's own name."""
    dataset, *names = run_id.split("/")
    return f"{dataset}/{'…/' * (len(names) > 1)}{names[-1]}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 or not hours else f"{hours:.2g}"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


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
