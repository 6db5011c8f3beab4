"""What the runs of a plan cost: seconds where finished runs tell them, else FLOPs.

FLOPs are counted, and torch imported, only for a run whose network has not been measured.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from functools import cached_property
from statistics import median
from typing import Literal, NamedTuple

from replication.architectures.catalogue import NETWORKS
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs.status import state_of

TERA = 1e12
Basis = Literal["measured", "scaled", "flops"]
"""By finished runs of the same network; by those of others, scaled by FLOPs; by FLOPs alone."""


class Cost(NamedTuple):
    """Seconds of a training; None where there are only FLOPs and the user named no speed."""

    seconds: float | None
    basis: Basis


class Costs:
    """Costs of a plan's runs, from their folders as they are now.

    ``tflops`` is the speed, in 1e12 FLOPs per second, for a plan of which no run is finished.
    """

    def __init__(self, plan: Plan, tflops: float | None = None) -> None:
        self.plan, self.tflops = plan, tflops
        self.states = {name: state_of(plan, run) for name, run in plan.runs.items()}
        self._teachers = {run.teacher.id for run in plan.runs.values() if run.teacher}
        self._flops: dict[Hashable, float] = {}

    def of(self, run: Run) -> Cost:
        """The cost of a run, finished or not."""
        if known := self._measured.get(_treatment(run)):
            return Cost(median(known), "measured")
        if self._measured:
            rates = self._seconds_per_flop
            rate = median(rates.get(NETWORKS[run.network].family) or rates["all"])
            return Cost(rate * self.flops(run), "scaled")
        seconds = self.flops(run) / (self.tflops * TERA) if self.tflops else None
        return Cost(seconds, "flops")

    def flops(self, run: Run) -> float:
        """FLOPs of a run."""
        teacher = _network(run.teacher) if run.teacher else None
        key = (_network(run), teacher, run.id in self._teachers)
        if key not in self._flops:
            from replication.sweep.flops import training_flops

            self._flops[key] = training_flops(self.plan, run)
        return self._flops[key]

    def left(self) -> list[Run]:
        """The runs that are not done, teachers first."""
        return [run for run in self.plan.runs.values() if self.states[run.id].name != "done"]

    def seconds_spent(self, run: Run) -> float:
        """Seconds that a finished run took; 0 where it is not finished."""
        measured = self.states[run.id].measured
        return measured.seconds or 0.0 if measured else 0.0

    @cached_property
    def _measured(self) -> dict[Hashable, list[float]]:
        """Seconds of the finished runs."""
        found = defaultdict[Hashable, list[float]](list)
        for run in filter(self.seconds_spent, self.plan.runs.values()):
            found[_treatment(run)].append(self.seconds_spent(run))
        return dict(found)

    @cached_property
    def _seconds_per_flop(self) -> dict[str, list[float]]:
        """The same per FLOP, by family of networks and of all."""
        found = defaultdict[str, list[float]](list)
        for run in filter(self.seconds_spent, self.plan.runs.values()):
            for key in (NETWORKS[run.network].family, "all"):
                found[key].append(self.seconds_spent(run) / self.flops(run))
        return dict(found)


def _network(run: Run) -> Hashable:
    return run.dataset.name, run.network, run.variant


def _treatment(run: Run) -> Hashable:
    """Runs that have this in common take the same time."""
    return _network(run), run.teacher is not None


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
