"""What a plan costs, table by table, and the longest chain of generations that is left."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.sweep.costs import Basis, Costs, least_seconds, longest_chain


@dataclass(frozen=True)
class TableCost:
    """Costs of a table's new runs, those that the tables before it do not have.

    Hours are of training, one run after the other. `hours_left` is None where no speed is known;
    `flops_left` are those of the runs left that have not been measured.
    """

    table: str
    runs: int
    new: int
    done: int
    hours_spent: float
    hours_left: float | None
    flops_left: float
    basis: tuple[Basis, ...]


@dataclass(frozen=True)
class PlanCost:
    """Costs of a plan; `least_hours` are those with so many trainings at once, by their number."""

    scale: str
    seeds: int
    states: dict[str, int]
    tables: tuple[TableCost, ...]
    total: TableCost
    chain: tuple[str, ...]
    chain_hours: float | None
    least_hours: dict[int, float]


def summarise(plan: Plan, at_once: Sequence[int] = (1,), tflops: float | None = None) -> PlanCost:
    """Costs of a plan; ``tflops`` is the speed assumed where no run of it is finished.

    Raises:
        InputError: a number of trainings at once is 0.
    """
    if not all(at_once):
        raise InputError("--devices: no training ever ends on 0 devices; give at least 1")
    costs = Costs(plan, tflops=tflops)
    tables, seen = [], set[str]()
    for name in plan.tables:
        needed = plan.needed(name)
        if needed:
            new = [run for run in needed.values() if run.id not in seen]
            tables.append(_table(name, costs, len(needed), new))
            seen |= needed.keys()
    seconds = {run: costs.of(run).seconds for run in costs.left()}
    known = {run: value for run, value in seconds.items() if value is not None}
    timed = len(known) == len(seconds)
    chain = longest_chain(known if timed else {run: costs.flops(run) for run in seconds})
    return PlanCost(
        scale=plan.scale.scale,
        seeds=len(plan.scale.seeds),
        states=dict(Counter(state.name for state in costs.states.values())),
        tables=tuple(tables),
        total=_table("all", costs, len(plan.runs), plan.runs.values()),
        chain=tuple(run.id for run in chain),
        chain_hours=sum(known[run] for run in chain) / 3600 if timed else None,
        least_hours={n: least_seconds(known, n) / 3600 for n in at_once} if timed else {},
    )


def _table(name: str, costs: Costs, runs: int, new: Iterable[Run]) -> TableCost:
    new = list(new)
    left = [run for run in new if costs.states[run.id].name != "done"]
    each = {run: costs.of(run) for run in left}
    seconds = [cost.seconds for cost in each.values()]
    known = [value for value in seconds if value is not None]
    return TableCost(
        table=name,
        runs=runs,
        new=len(new),
        done=len(new) - len(left),
        hours_spent=sum(map(costs.seconds_spent, new)) / 3600,
        hours_left=sum(known) / 3600 if len(known) == len(seconds) else None,
        flops_left=sum(costs.flops(run) for run, cost in each.items() if cost.basis == "flops"),
        basis=tuple(sorted({cost.basis for cost in each.values()})),
    )
