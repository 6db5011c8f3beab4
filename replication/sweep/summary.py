"""What a plan costs, table by table, and the longest chain of generations that is left."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.sweep.costs import Basis, Costs, least_seconds, longest_chain


@dataclass(frozen=True)
class TableCost:
    """Costs of a table's new runs, those that the tables before it do not have.

    Hours are of one run after the other, `hours_left` None where no speed is known; `flops_left`
    are those of the runs left that have not been measured.
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
    """Costs of a plan; `least_hours` has the hours left with so many trainings at once."""

    scale: str
    seeds: int
    states: dict[str, int]
    tables: tuple[TableCost, ...]
    total: TableCost
    chain: tuple[str, ...]
    chain_hours: float | None
    least_hours: dict[int, float]


def summarise_costs(
    plan: Plan, at_once: Sequence[int] = (), tflops: float | None = None
) -> PlanCost:
    """Costs of a plan; ``tflops`` is the speed for a plan of which no run is finished.

    Raises:
        InputError: a number of trainings at once is 0.
    """
    if not all(at_once):
        raise InputError("--devices: no training ever ends on 0 devices; give at least 1")
    costs = Costs(plan, tflops)
    tables, seen = [], set[str]()
    for name in plan.tables:
        if needed := plan.needed(name):
            tables.append(_table(name, costs, needed, seen))
            seen |= needed.keys()
    total = _table("all", costs, plan.runs, set())
    timed = total.hours_left is not None
    weights = {run: costs.of(run).seconds or costs.flops(run) for run in costs.left}
    chain = longest_chain(weights)
    return PlanCost(
        scale=plan.scale.scale,
        seeds=len(plan.scale.seeds),
        states=dict(Counter(state.name for state in costs.states.values())),
        tables=tuple(tables),
        total=total,
        chain=tuple(run.id for run in chain),
        chain_hours=sum(weights[run] for run in chain) / 3600 if timed else None,
        least_hours={n: least_seconds(weights, n) / 3600 for n in at_once} if timed else {},
    )


def _table(name: str, costs: Costs, runs: dict[str, Run], seen: set[str]) -> TableCost:
    new = [run for run in runs.values() if run.id not in seen]
    left = {run: costs.of(run) for run in new if costs.states[run.id].name != "done"}
    seconds = [cost.seconds for cost in left.values() if cost.seconds is not None]
    return TableCost(
        table=name,
        runs=len(runs),
        new=len(new),
        done=len(new) - len(left),
        hours_spent=sum(costs.spent.get(run, 0.0) for run in new) / 3600,
        hours_left=sum(seconds) / 3600 if len(seconds) == len(left) else None,
        flops_left=sum(costs.flops(run) for run, cost in left.items() if cost.basis == "flops"),
        basis=tuple(sorted({cost.basis for cost in left.values()})),
    )
