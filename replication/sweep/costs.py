"""What a plan costs, by run and by table: seconds where finished runs give them, else FLOPs.

FLOPs are counted, and torch imported, only for a run whose network has not been measured.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Literal, NamedTuple

from replication.architectures.catalogue import find_network
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_status import state_of

Basis = Literal["measured", "scaled", "flops"]
"""How a cost is known: from finished runs of the same network, scaled by FLOPs from those of other
networks, or from FLOPs alone."""


class Cost(NamedTuple):
    """Seconds of a training; None where there are only FLOPs and the user named no speed."""

    seconds: float | None
    basis: Basis


class Costs:
    """Costs of a plan's runs, from their folders as they are now.

    ``tflops`` is the speed, in 1e12 FLOPs per second, for a plan of which no run is finished.
    ``left`` has the runs that are not done, teachers first, ``spent`` the seconds of finished ones.
    """

    def __init__(self, plan: Plan, tflops: float | None = None) -> None:
        self.plan, self.tflops = plan, tflops
        self.states = {name: state_of(plan, run) for name, run in plan.runs.items()}
        self.left = [run for run in plan.runs.values() if self.states[run.id].name != "done"]
        measured = {run: self.states[run.id].measured for run in plan.runs.values()}
        self.spent = {
            run: numbers.seconds for run, numbers in measured.items() if numbers and numbers.seconds
        }
        self._measured = _grouped((_treatment(run), spent) for run, spent in self.spent.items())
        self._teachers = {run.teacher.id for run in plan.runs.values() if run.teacher}
        self._flops: dict[Hashable, float] = {}

    def of(self, run: Run) -> Cost:
        """The cost of a run, finished or not."""
        if known := self._measured.get(_treatment(run)):
            return Cost(median(known), "measured")
        if self._measured:
            rates = self._seconds_per_flop
            rate = median(rates.get(_family(run)) or rates["all"])
            return Cost(rate * self.flops(run), "scaled")
        seconds = self.flops(run) / (self.tflops * 1e12) if self.tflops else None
        return Cost(seconds, "flops")

    def flops(self, run: Run) -> float:
        """FLOPs of a run."""
        teacher = network_of(run.teacher) if run.teacher else None
        key = (network_of(run), teacher, run.weights is not None, run.id in self._teachers)
        if key not in self._flops:
            from replication.sweep.flops import training_flops

            self._flops[key] = training_flops(self.plan, run)
        return self._flops[key]

    @cached_property
    def _seconds_per_flop(self) -> dict[Hashable, list[float]]:
        """Of finished runs, by family of networks and of all."""
        return _grouped(
            (key, spent / self.flops(run))
            for run, spent in self.spent.items()
            for key in (_family(run), "all")
        )


def _grouped(pairs: Iterable[tuple[Hashable, float]]) -> dict[Hashable, list[float]]:
    """The values of each key, in their order."""
    groups = defaultdict[Hashable, list[float]](list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _family(run: Run) -> str:
    network = find_network(run.network)
    return network.family if network else ""


def network_of(run: Run) -> Hashable:
    """Runs that have this in common train the same network on the same data."""
    return run.dataset.name, run.network, run.arguments, run.variant


def _treatment(run: Run) -> Hashable:
    """Runs that have this in common take the same time."""
    return network_of(run), run.teacher is not None, run.weights is not None


def longest_chain(weights: Mapping[Run, float]) -> tuple[Run, ...]:
    """The runs, each a student of the one before it, whose weights have the largest sum.

    Teachers without a weight are left out: they are done.
    """
    chains = [tuple(member for member in run.with_lineage if member in weights) for run in weights]
    return max(chains, key=lambda chain: sum(weights[run] for run in chain), default=())


def least_seconds(seconds: Mapping[Run, float], at_once: int) -> float:
    """No schedule is shorter: the longest chain, or all runs spread evenly over ``at_once``."""
    chain = sum(seconds[run] for run in longest_chain(seconds))
    return max(chain, sum(seconds.values()) / at_once)


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
    """Costs of a plan; `least_hours` has the hours left with this many runs at once."""

    scale: str
    seeds: int
    states: dict[str, int]
    tables: tuple[TableCost, ...]
    total: TableCost
    chain: tuple[str, ...]
    chain_names: str
    chain_hours: float | None
    least_hours: dict[int, float]


def summarise_costs(
    plan: Plan, at_once: Sequence[int] = (), tflops: float | None = None
) -> PlanCost:
    """Costs of a plan; ``tflops`` is the speed for a plan of which no run is finished."""
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
        seeds=len(plan.seeds),
        states=dict(Counter(state.name for state in costs.states.values())),
        tables=tuple(tables),
        total=total,
        chain=tuple(run.id for run in chain),
        chain_names=_names(chain),
        chain_hours=sum(weights[run] for run in chain) / 3600 if timed else None,
        least_hours={n: least_seconds(weights, n) / 3600 for n in at_once} if timed else {},
    )


def _names(chain: Sequence[Run]) -> str:
    """A chain of runs in words; empty where nothing is left to train."""
    names = " → ".join(run.name for run in chain)
    return f"{chain[-1].dataset.name}/{names}" if chain else ""


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
