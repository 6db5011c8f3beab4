"""What a plan, or a part of it, costs: by table, in which order, and on how many devices."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.sweep.costs import Basis, Costs
from replication.sweep.schedule import Task, least_seconds, list_schedule, longest_chain


@dataclass(frozen=True)
class TableCost:
    """What a table costs: its runs, of which `new` are not of the tables before it, and of these
    hours that are spent and hours still to do, and bytes on the disk."""

    table: str
    runs: int
    new: int
    done: int
    hours_done: float
    hours_left: float
    disk: int
    basis: tuple[Basis, ...]


@dataclass(frozen=True)
class OnDevices:
    """Seconds for what is left on so many devices: by a list schedule, and at the very least."""

    devices: int
    seconds: float
    least: float


@dataclass(frozen=True)
class Budget:
    """What a plan costs; hours are those of cores or, as `unit` says, of GPUs.

    `host_mib`, `gpu_mib` and `transient`, the bytes of its saved states, are the largest run's.
    """

    scale: str
    seeds: int
    unit: str
    states: dict[str, int]
    tables: tuple[TableCost, ...]
    total: TableCost
    cheapest: tuple[TableCost, ...]
    chain: tuple[str, ...]
    chain_seconds: float
    devices: tuple[OnDevices, ...]
    host_mib: float
    gpu_mib: float
    transient: int


def budget(plan: Plan, devices: Sequence[int]) -> Budget:
    """What a plan costs, on each of these numbers of devices too.

    Raises:
        InputError: it is to be done on no device.
    """
    if not all(devices):
        raise InputError("--devices: 0 devices never finish; name more")
    costs = Costs(plan)
    tasks = tasks_left(costs)
    chain = longest_chain(tasks)
    named = {name: plan.needed(name) for name in plan.tables if plan.table_cells(name)}
    every = [costs.of(run) for run in plan.runs.values()]
    return Budget(
        scale=plan.scale.scale,
        seeds=len(plan.scale.seeds),
        unit=costs.unit,
        states=dict(Counter(state.name for state in costs.states.values())),
        tables=_in_order(costs, named),
        total=_table("all", costs, plan.runs, plan.runs.values()),
        cheapest=_cheapest(costs, named),
        chain=tuple(task.name for task in chain),
        chain_seconds=sum(task.seconds for task in chain),
        devices=tuple(
            OnDevices(n, list_schedule(tasks, n), least_seconds(tasks, n)) for n in devices
        ),
        host_mib=max(cost.host_mib for cost in every),
        gpu_mib=max(cost.gpu_mib for cost in every),
        transient=max(cost.transient for cost in every),
    )


def tasks_left(costs: Costs) -> list[Task]:
    """The runs that are not done, in full, teachers first."""
    found = []
    for name, run in costs.plan.runs.items():
        if costs.states[name].name != "done":
            cost = costs.of(run)
            after = run.teacher.id if run.teacher else None
            found.append(Task(name, cost.seconds, cost.devices, after))
    return found


def _in_order(costs: Costs, tables: dict[str, dict[str, Run]]) -> tuple[TableCost, ...]:
    seen: set[str] = set()
    found = []
    for name, needed in tables.items():
        found.append(_beyond(name, costs, needed, seen))
        seen |= needed.keys()
    return tuple(found)


def _cheapest(costs: Costs, tables: dict[str, dict[str, Run]]) -> tuple[TableCost, ...]:
    """The tables in the order in which each next one adds least that is still to do."""
    left, seen, found = dict(tables), set[str](), []
    while left:
        each = [_beyond(name, costs, needed, seen) for name, needed in left.items()]
        first = min(each, key=_price)
        found.append(first)
        seen |= left.pop(first.table).keys()
    return tuple(found)


def _price(table: TableCost) -> tuple[float, float]:
    return table.hours_left, table.hours_done


def _beyond(name: str, costs: Costs, needed: dict[str, Run], seen: set[str]) -> TableCost:
    return _table(name, costs, needed, [run for run in needed.values() if run.id not in seen])


def _table(name: str, costs: Costs, needed: dict[str, Run], new: Iterable[Run]) -> TableCost:
    new = list(new)
    left = [run for run in new if costs.states[run.id].name != "done"]
    done = [run for run in new if costs.states[run.id].name == "done"]
    priced = [costs.of(run) for run in new]
    return TableCost(
        table=name,
        runs=len(needed),
        new=len(new),
        done=len(done),
        hours_done=sum(map(costs.hours_spent, done)),
        hours_left=sum(costs.of(run).hours for run in left),
        disk=sum(cost.disk for cost in priced),
        basis=tuple(sorted({cost.basis for cost in priced})),
    )
