"""What each run of a plan costs: time, memory and disk, estimated and then corrected by what ran.

The estimate counts a run's arithmetic, the numbers that go through memory and the calls of the
interpreter. Finished runs of the plan correct it: those of the same network that learned from the
same kind of thing, or else those of its family, or else all. Pure Python: Snakemake loads this at
every start, so neither torch nor pandas is imported.
"""

import statistics
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from replication.architectures.catalogue import NETWORKS
from replication.config.scale import GPU_SLOTS
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs.status import Measured, State, state_of
from replication.sweep.footprint import Footprint
from replication.sweep.workload import FLOAT, Workload, workload_of

MIB = 2**20
Basis = Literal["measured", "scaled", "assumed"]
"""Of a cost: by runs of its own network, scaled by other runs, or by the built-in rates alone."""


@dataclass(frozen=True)
class Rates:
    """How fast a device is: operations and numbers moved per second, and seconds for each call.

    `number` are the bytes of a number in its forward pass, `host` and `device` the MiB that torch
    takes before there is a network.
    """

    flops: float
    numbers: float
    call: float
    number: int
    host: int
    device: int


# One core, in float32: fitted to docs/performance.md's steps on two cores of a Xeon.
CORE = Rates(flops=165e9, numbers=200e6, call=10e-6, number=4, host=750, device=0)
# Nothing was measured on a GPU. Assumed: 15 % of an H100's 989 Tflop/s in bfloat16; 60 % of its
# 3.35 TB/s, where a number of two bytes passes twelve times; a core that makes the calls.
GPU = Rates(flops=150e12, numbers=80e9, call=10e-6, number=2, host=3000, device=1000)
# Data, weights, files.
START = 0.3


@dataclass(frozen=True)
class Cost:
    """What a run costs.

    `seconds` on its `devices`, which are cores or, as a fraction of one where several share it,
    GPUs; memory in MiB that each of its `processes` takes, of the machine and of a GPU; `disk` in
    bytes that stay, `transient` in bytes while it trains.
    """

    seconds: float
    devices: float
    host_mib: float
    gpu_mib: float
    disk: int
    transient: int
    basis: Basis = "assumed"

    @property
    def hours(self) -> float:
        """Core-hours, or GPU-hours."""
        return self.seconds * self.devices / 3600


class Costs:
    """The costs of a plan's runs; `states` are read from their folders where they are not given."""

    def __init__(self, plan: Plan, states: Mapping[str, State] | None = None) -> None:
        self.plan = plan
        self._given = states
        self._students = defaultdict[str, list[Run]](list)
        for run in plan.runs.values():
            if run.teacher:
                self._students[run.teacher.id].append(run)
        self._workloads: dict[Hashable, Workload] = {}

    @cached_property
    def states(self) -> Mapping[str, State]:
        """Where each run stands, by its id."""
        if self._given is not None:
            return self._given
        return {name: state_of(self.plan, run) for name, run in self.plan.runs.items()}

    @cached_property
    def on_gpu(self) -> bool:
        """Whether runs take GPUs; with `device: auto` as those did that are done, else they do."""
        if self.plan.scale.device != "auto":
            return self.plan.scale.device == "cuda"
        done = [state.measured for state in self.states.values() if state.measured]
        return not done or any(measured.gpu_mib for measured in done)

    @property
    def unit(self) -> str:
        """What an hour of `Cost.hours` is an hour of."""
        return "GPU" if self.on_gpu else "core"

    def of(self, run: Run) -> Cost:
        """The cost of a run, corrected by what was measured."""
        cost = self.estimate(run)
        seconds, basis = self._ratios["seconds"].of(self._keys(run))
        host, _ = self._ratios["host_mib"].of(self._keys(run))
        gpu, _ = self._ratios["gpu_mib"].of(self._keys(run))
        return replace(
            cost,
            seconds=cost.seconds * seconds,
            host_mib=cost.host_mib * host,
            gpu_mib=cost.gpu_mib * gpu,
            basis=basis,
        )

    def hours_spent(self, run: Run) -> float:
        """Core- or GPU-hours that a finished run took, or would where its record does not say."""
        cost, measured = self.of(run), self.states[run.id].measured
        if measured is None or measured.seconds is None:
            return cost.hours
        return measured.seconds * self._as_measured(run, measured).devices / 3600

    def estimate(self, run: Run) -> Cost:
        """The cost of a run by the built-in rates, on what the scale gives it."""
        takes = self.plan.scale.resources(run.network)
        return self._estimate(run, takes.threads)

    def _as_measured(self, run: Run, measured: Measured) -> Cost:
        """The same on what it had when it was measured."""
        return self._estimate(run, measured.threads)

    def _estimate(self, run: Run, threads: int) -> Cost:
        share = min(1.0, self.plan.scale.resources(run.network).gpu_slots / GPU_SLOTS)
        rates, devices = (GPU, share) if self.on_gpu else (CORE, float(threads))
        return _cost(self.workload(run), rates, devices)

    def workload(self, run: Run) -> Workload:
        """What a run has to do; runs that do the same share it."""
        students = self._students[run.id]
        variants = {student.variant for student in students}
        teacher = (run.teacher.network, run.teacher.variant) if run.teacher else None
        key = (run.dataset, run.network, run.variant, teacher, frozenset(variants))
        if key not in self._workloads:
            self._workloads[key] = workload_of(self.plan, run, students)
        return self._workloads[key]

    def _keys(self, run: Run) -> Sequence[Hashable]:
        """What a run is alike in to others, the closest first."""
        kind = self.workload(run).kind
        exact = (run.dataset.name, run.network, run.variant, kind)
        return exact, NETWORKS[run.network].family, None

    @cached_property
    def _ratios(self) -> dict[str, "Ratios"]:
        """Measured by estimated, for each quantity."""
        ratios = {name: Ratios() for name in ("seconds", "host_mib", "gpu_mib")}
        for name, state in self.states.items():
            measured, run = state.measured, self.plan.runs.get(name)
            if measured is None or run is None or bool(measured.gpu_mib) != self.on_gpu:
                continue
            estimate = self._as_measured(run, measured)
            for quantity, found in ratios.items():
                value = getattr(measured, quantity)
                if value is not None:
                    found.add(self._keys(run), value / getattr(estimate, quantity))
        return ratios


class Ratios:
    """Ratios of measured to estimated values, by what the runs are alike in."""

    def __init__(self) -> None:
        self.found = defaultdict[Hashable, list[float]](list)

    def add(self, keys: Sequence[Hashable], ratio: float) -> None:
        """Add the ratio of a run, under all its keys."""
        for key in keys:
            self.found[key].append(ratio)

    def of(self, keys: Sequence[Hashable]) -> tuple[float, Basis]:
        """The median ratio of the runs that are closest, and whether those are of the first key."""
        for key in keys:
            if key in self.found:
                return statistics.median(self.found[key]), (
                    "measured" if key == keys[0] else "scaled"
                )
        return 1.0, "assumed"


def _cost(work: Workload, rates: Rates, devices: float) -> Cost:
    weights = FLOAT * work.own.parameters
    each = work
    return Cost(
        seconds=_seconds(work, rates, devices),
        devices=devices,
        host_mib=rates.host + _host_bytes(each, rates) / MIB,
        gpu_mib=rates.device + _network_bytes(each, rates) / MIB if rates.device else 0.0,
        disk=weights + work.predictions + work.answers,
        # Two states of weights and momentum.
        transient=4 * weights,
    )


def _seconds(work: Workload, rates: Rates, devices: float) -> float:
    """Three passes a step, the backward one being two; the teacher's; and those that only look."""
    looked = work.evaluated + work.answered
    return (
        START
        + 3 * _pass(work.own, rates, devices, work.trained, work.steps)
        + _pass(work.own, rates, devices, looked, looked / work.evaluation_batch)
        + (_pass(work.teacher, rates, devices, work.trained, work.steps) if work.teacher else 0.0)
    )


def _pass(of: Footprint, rates: Rates, devices: float, samples: float, calls: float) -> float:
    # Calls are made by one thread, whatever it has to call for.
    sample = of.flops / rates.flops + of.moved / 3 / rates.numbers
    return samples * sample / devices + calls * of.operators * rates.call


def _network_bytes(work: Workload, rates: Rates) -> float:
    """Weights, gradients and momentum; what waits for the backward pass; data and answers."""
    own, teacher = work.own, work.teacher
    training = rates.number * work.batch * (own.kept + 2 * own.widest)
    looking = rates.number * work.evaluation_batch * 4 * own.widest
    return (
        3 * FLOAT * own.parameters
        + (
            FLOAT * teacher.parameters + rates.number * work.batch * 4 * teacher.widest
            if teacher
            else 0
        )
        + max(training, looking)
        + FLOAT * work.data
        + work.teacher_logits
    )


def _host_bytes(work: Workload, rates: Rates) -> float:
    """All of it on a CPU; beside a GPU the data as they are read, the weights, and the answers."""
    held = float(max(work.answers, work.teacher_logits))
    if not rates.device:
        return _network_bytes(work, rates) + max(0.0, held - work.teacher_logits)
    return FLOAT * (work.data + work.own.parameters) + held
