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
from replication.runs.status import State, state_of

TERA = 1e12
Basis = Literal["measured", "scaled", "flops"]
"""Seconds are those of finished runs of the same network; or of others, scaled by FLOPs; or FLOPs
at the speed that the user named, if any."""


class Cost(NamedTuple):
    """Seconds of a training, None where neither a finished run nor the user tells the speed."""

    seconds: float | None
    basis: Basis


class Costs:
    """Costs of a plan's runs; ``states`` are read from their folders where they are not given.

    ``tflops`` is the speed of the runs that no finished run tells, in 1e12 FLOPs per second.
    """

    def __init__(
        self,
        plan: Plan,
        states: Mapping[str, State] | None = None,
        tflops: float | None = None,
    ) -> None:
        self.plan = plan
        self.states = states or {name: state_of(plan, run) for name, run in plan.runs.items()}
        self.tflops = tflops
        self._teachers = {run.teacher.id for run in plan.runs.values() if run.teacher}
        self._flops: dict[Hashable, float] = {}

    def of(self, run: Run) -> Cost:
        """The cost of a run, whether it is finished or not."""
        if known := self._seconds.get(_treatment(run)):
            return Cost(median(known), "measured")
        if self._seconds:
            per_flop = self._seconds_per_flop
            family = NETWORKS[run.network].family
            return Cost(self.flops(run) * median(per_flop.get(family) or per_flop[None]), "scaled")
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
    def _seconds(self) -> dict[Hashable, list[float]]:
        """Seconds of the finished runs."""
        found = defaultdict[Hashable, list[float]](list)
        for run in self._finished:
            found[_treatment(run)].append(self.seconds_spent(run))
        return dict(found)

    @cached_property
    def _seconds_per_flop(self) -> dict[str | None, list[float]]:
        """The same per FLOP, by family of networks and, under None, of all."""
        found = defaultdict[str | None, list[float]](list)
        for run in self._finished:
            for key in (NETWORKS[run.network].family, None):
                found[key].append(self.seconds_spent(run) / self.flops(run))
        return dict(found)

    @property
    def _finished(self) -> list[Run]:
        return [run for run in self.plan.runs.values() if self.seconds_spent(run)]


def _network(run: Run) -> Hashable:
    return run.dataset.name, run.network, run.variant


def _treatment(run: Run) -> Hashable:
    """Runs of which this is the same take the same time."""
    return _network(run), run.teacher is not None


def longest_chain(weights: Mapping[Run, float]) -> tuple[Run, ...]:
    """The runs, each a student of the one before it, whose weights have the largest sum.

    Teachers that have no weight are left out: they are done.
    """
    chains = [tuple(member for member in run.with_lineage if member in weights) for run in weights]
    return max(chains, key=lambda chain: sum(weights[run] for run in chain), default=())


def least_seconds(seconds: Mapping[Run, float], at_once: int) -> float:
    """No schedule is shorter: the longest chain, or all runs spread evenly over ``at_once``."""
    chain = sum(seconds[run] for run in longest_chain(seconds))
    return max(chain, sum(seconds.values()) / at_once)
