"""Measures whether a scale is a fair test of the paper: the paper's premises as criteria.

The sizes of the networks are known before any run. Errors and divergences are those of the runs
that are finished, also in the middle of a sweep.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from replication.analysis.collect import last_train_error
from replication.architectures.catalogue import NETWORKS, kind_of
from replication.config.datasets import AnyDataset
from replication.config.networks import Networks
from replication.data.specs import IMAGE_DATASETS, ImageSpec
from replication.networks.counting import capacity, parameters
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.csv_files import read_csv
from replication.results.run_folder import HISTORY
from replication.results.run_record import read_record
from replication.results.run_status import state_of
from replication.results.schema import CSV_FILES

BASE_NETWORK = "densenet_90_60"
"""The network whose parameters the others are compared with."""
MET, NOT_MET, EXCEPTION = "met", "not met", "exception"
"""What ``criteria.csv`` says about a criterion; empty where nothing is measured yet."""


@dataclass(frozen=True)
class Criterion:
    """One premise of a fair test.

    ``thresholds`` are the numbers that decide, and ``sentence`` states them in words, with
    ``reason``: why a result says little about the paper where the criterion is not met.
    """

    name: str
    thresholds: tuple[float, ...]
    template: str
    reason: str

    @property
    def sentence(self) -> str:
        """When the criterion is met, with its thresholds."""
        return self.template.format(*self.thresholds)


CAPACITY = Criterion(
    "capacity",
    (2, 1.25),
    "a network has at least 1/{0:g} and at most {0:g} times the paper’s ratio of parameters to"
    " those of DenseNet-90-60, both with ten classes, and two networks are in the paper’s order"
    " where their sizes in the paper differ by more than {1:g} times",
    "the claims are about small and large networks",
)
FIT = Criterion(
    "fit",
    (1,),
    "generation 0 errs on less than {0:g} % of its training images in the last epoch",
    "the paper’s teachers fit their training images; an underfitted student is worse than its"
    " teacher for another reason",
)
ROOM = Criterion(
    "error",
    (8, 80),
    "generation 0 errs on at least {0:g} % of the test images, and at most {1:g} % as often as"
    " guessing, which errs on (C − 1)/C of the images of C classes",
    "below there is little to gain; above labels are hardly learnt",
)
SCHEDULE = Criterion(
    "schedule",
    (10,),
    "the divergence of BAN’s students from their teachers (nats per training image) changes by less"
    " than {0:g} % from the last tenth but one of the epochs to the last; a tenth has at least two"
    " epochs",
    "a student needs longer than its teacher; single epochs differ too much to be compared",
)
FAIR_TEST = (CAPACITY, FIT, ROOM, SCHEDULE)
"""The criteria in the order of the columns of ``criteria.csv``."""


@dataclass(frozen=True)
class Capacities:
    """Sizes of a plan's image networks, relative to DenseNet-90-60, beside the paper's.

    The paper's parameters are those that its networks have at full size with ten classes. They
    agree with the printed ones to 3 % where the structure is settled, and unlike them have no
    misprints.
    """

    plan: Plan

    @cached_property
    def ratios(self) -> pd.DataFrame:
        """By network: `ratio` here, `paper_ratio`, and their `quotient`, all with ten classes."""
        runs = [run for run in _image_runs(self.plan) if run.network in NETWORKS]
        names = list(dict.fromkeys(run.network for run in runs))
        ratios = pd.DataFrame(index=names, columns=["ratio", "paper_ratio"], dtype=float)
        if not runs:
            return ratios.assign(quotient=ratios["ratio"])
        dataset = self.plan.scale.datasets.get("cifar10", runs[0].dataset)
        images = replace(_image_spec(self.plan, dataset), classes=10)
        for column, sizes, data in (
            ("ratio", self.plan.scale.networks, images),
            ("paper_ratio", Networks(), IMAGE_DATASETS["cifar10"]),
        ):
            base = capacity(BASE_NETWORK, sizes, data)
            ratios[column] = [capacity(name, sizes, data) / base for name in names]
        return ratios.assign(quotient=ratios["ratio"] / ratios["paper_ratio"])

    def problem(self, network: str) -> str:
        """What is wrong with a network's size; empty if nothing is.

        Its order is compared with that of the networks within the factor and without an exception.
        """
        if network not in self.ratios.index:
            return ""
        ratio, paper, quotient = map(float, self.ratios.loc[network])
        if not _within_factor(quotient):
            times = f"{ratio:.2g} times the parameters of {BASE_NETWORK}"
            return f"{times}, in the paper {paper:.2g} times"
        _, ordered_above = CAPACITY.thresholds
        others = self.ratios[self.ratios["quotient"].map(_within_factor)]
        others = others.drop([*self.plan.scale.exceptions], errors="ignore")
        for other, other_ratio, other_paper, _ in others.itertuples():
            if paper > ordered_above * other_paper and ratio <= other_ratio:
                return f"not larger than {other}, as it is in the paper"
            if other_paper > ordered_above * paper and other_ratio <= ratio:
                return f"not smaller than {other}, as it is in the paper"
        return ""

    def problems(self) -> list[str]:
        """Sizes outside the bounds without an exception, and exceptions that are not needed."""
        exceptions = self.plan.scale.exceptions
        problems = {name: self.problem(name) for name in self.ratios.index}
        outside = [
            f"{name}: {problem}"
            for name, problem in problems.items()
            if problem and name not in exceptions
        ]
        unneeded = [
            name for name, problem in problems.items() if not problem and name in exceptions
        ]
        return outside + [f"{name}: an exception, but within the bounds" for name in unneeded]


def _within_factor(quotient: float) -> bool:
    factor, _ = CAPACITY.thresholds
    return 1 / factor <= quotient <= factor


def measure_criteria(plan: Plan) -> pd.DataFrame:
    """The lines of ``criteria.csv``: one for each data set and image network.

    Means over the finished runs, missing where there are none. Only networks that are trained on
    labels have errors, only those that are trained by BAN have a divergence. The columns of the
    criteria are ``met``, ``not met``, ``exception`` or missing.

    Raises:
        InputError: the record or history of a finished run is damaged.
    """
    capacities, groups = Capacities(plan), defaultdict[tuple[str, str], list[Run]](list)
    for run in _image_runs(plan):
        groups[run.dataset.name, run.network].append(run)
    lines = [_line(plan, capacities, runs) for runs in groups.values()]
    return pd.DataFrame(lines, columns=CSV_FILES["criteria"].names)


def _line(plan: Plan, capacities: Capacities, runs: Sequence[Run]) -> dict[str, object]:
    """The line of one data set and network, from its runs."""
    run = runs[0]
    finished = [member for member in runs if state_of(plan, member).name == "done"]
    labelled = [member for member in finished if member.objective == "label"]
    students = [member for member in finished if member.objective == "ban"]
    records = [read_record(plan.folder(member)) for member in labelled]
    train_error = _mean([last_train_error(plan, member) for member in labelled])
    test_error = _mean([next(iter(record["result"].values())) for record in records])
    divergence, change = _divergence([_history(plan, member) for member in students])
    images, items = _test_items(plan, run)
    exception, problem = plan.scale.exceptions.get(run.network), capacities.problem(run.network)
    sized = EXCEPTION if exception else NOT_MET if problem else MET
    return {
        "dataset": run.dataset.name,
        "network": run.network,
        "parameters": records[0]["parameters"] if records else parameters(plan, run),
        **capacities.ratios.reindex([run.network]).iloc[0],
        "seeds": len(labelled),
        "train_error": train_error,
        "test_error": test_error,
        "test_images": images,
        "test_items": items,
        "divergence": divergence,
        "divergence_change": change,
        CAPACITY.name: sized if run.network in NETWORKS else None,
        FIT.name: judge_fit(train_error),
        ROOM.name: judge_error(test_error, _image_spec(plan, run.dataset).classes),
        SCHEDULE.name: judge_schedule(change),
        "reason": exception or problem or None,
    }


def judge_fit(train_error: float) -> str | None:
    """Whether generation 0 fits its training images, by its error on them in percent."""
    (limit,) = FIT.thresholds
    return _judge(train_error, train_error < limit)


def judge_error(test_error: float, classes: int) -> str | None:
    """Whether a test error in percent leaves something to gain and is far below guessing.

    Guessing one of C balanced classes errs on (C − 1)/C of the images.
    """
    lowest, percent_of_guessing = ROOM.thresholds
    guessing = 100 * (classes - 1) / classes
    return _judge(test_error, lowest <= test_error <= percent_of_guessing / 100 * guessing)


def judge_schedule(divergence_change: float) -> str | None:
    """Whether students no longer change, by the relative change of their divergence."""
    (percent,) = SCHEDULE.thresholds
    return _judge(divergence_change, abs(divergence_change) < percent / 100)


def _judge(value: float, met: bool) -> str | None:
    return None if pd.isna(value) else MET if met else NOT_MET


def _image_runs(plan: Plan) -> list[Run]:
    """The runs with the scale's own sizes and decisions."""
    return [
        run for run in plan.runs.values() if kind_of(run.network) == "image" and run.variant is None
    ]


def _test_items(plan: Plan, run: Run) -> tuple[int, int]:
    """Test images, and the single items that they are made of where they are pairs."""
    spec = _image_spec(plan, run.dataset)
    items = _image_spec(plan, run.dataset.model_copy(update={"test": None}))
    return spec.test, min(spec.test, items.test)


def _image_spec(plan: Plan, dataset: AnyDataset) -> ImageSpec:
    spec = plan.data_spec(dataset)
    assert isinstance(spec, ImageSpec)
    return spec


def _history(plan: Plan, run: Run) -> pd.DataFrame:
    return read_csv(plan.folder(run) / HISTORY)


def _mean(values: Sequence[float | None]) -> float:
    """The mean of the values that are known; NaN if there are none."""
    return float(np.nanmean(known)) if (known := [x for x in values if x is not None]) else np.nan


def _divergence(histories: Sequence[pd.DataFrame]) -> tuple[float, float]:
    """Mean divergence in the last tenth of the epochs, and its relative change from the one before.

    Means over a tenth, because at `digits` single epochs differ by 10 %. A tenth has at least two
    epochs. NaN where histories have no divergence or too few epochs.
    """
    curves = [history["divergence"] for history in histories if "divergence" in history]
    mean = pd.concat(curves, axis=1).mean(axis=1) if curves else pd.Series(dtype=float)
    tenth = max(2, len(mean) // 10)
    last = _mean(mean.tail(tenth).tolist())
    before = _mean(mean.iloc[:-tenth].tail(tenth).tolist())
    return last, last / before - 1
