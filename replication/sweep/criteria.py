"""Is a scale a fair test of the paper? Its capacities as planned, the rest as its runs measure it.

* capacity: parameters relative to DenseNet-90-60's within a factor of two of the paper's ratio, and
  in the paper's order, unless the scale states an exception;
* fit: generation 0 errs on less than 1 % of its training images in the last epoch;
* error: it errs on 8 to 35 % of the test images, so that there is something to gain;
* schedule: the divergence KL(teacher ‖ student) of BAN's students on training images changes by
  less than 10 % from the last tenth but one of the epochs to the last. Means over a tenth, because
  at `digits` single epochs differ by 10 %; there it falls by 14 to 19 % two tenths earlier.

The paper's parameters are those that its networks have at full size with ten classes. They agree
with the printed ones to 3 % where the structure is settled, and unlike them lack misprints.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from replication import files
from replication.analysis.cells_csv import read_csv
from replication.architectures.catalogue import NETWORKS, kind_of
from replication.config.datasets import AnyDataset
from replication.config.networks import Networks
from replication.data.specs import IMAGE_DATASETS, ImageSpec
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.report.criteria_page import criteria_table
from replication.results.run_folder import HISTORY
from replication.results.run_record import read_record
from replication.results.run_status import state_of
from replication.sweep.flops import capacity, parameters

BASE = "densenet_90_60"
FACTOR = 2
ORDERED = 1.25
"""Two networks have to be in the paper's order where their sizes there differ by more than this."""
FIT = 1.0
ERROR = (8.0, 35.0)
SETTLED = 0.1
COLUMNS = [
    *("dataset", "network", "parameters", "ratio", "paper_ratio", "quotient", "seeds"),
    *("train_error", "test_error", "test_images", "test_items", "divergence"),
    *("divergence_change", "capacity", "fit", "error", "schedule", "reason"),
]


@dataclass(frozen=True)
class Capacities:
    """Sizes of a plan's image networks, relative to DenseNet-90-60, beside the paper's."""

    plan: Plan

    @cached_property
    def ratios(self) -> pd.DataFrame:
        """By network: `ratio` here, `paper_ratio`, and their `quotient`, all with ten classes."""
        runs = [run for run in _image_runs(self.plan) if run.network in NETWORKS]
        names = list(dict.fromkeys(run.network for run in runs))
        found = pd.DataFrame(index=names, columns=["ratio", "paper_ratio"], dtype=float)
        if not runs:
            return found.assign(quotient=found["ratio"])
        small = self.plan.scale.datasets.get("cifar10", runs[0].dataset)
        here = replace(_images(self.plan, small), classes=10)
        for column, sizes, data in (
            ("ratio", self.plan.scale.networks, here),
            ("paper_ratio", Networks(), IMAGE_DATASETS["cifar10"]),
        ):
            base = capacity(BASE, sizes, data)
            found[column] = [capacity(name, sizes, data) / base for name in names]
        return found.assign(quotient=found["ratio"] / found["paper_ratio"])

    def problem(self, network: str) -> str:
        """What is wrong with a network's size; empty if nothing is.

        Its order is compared with that of the networks within the factor and without an exception.
        """
        if network not in self.ratios.index:
            return ""
        ratio, paper, quotient = map(float, self.ratios.loc[network])
        if not _within(quotient):
            return f"{ratio:.2g} times the parameters of {BASE}, in the paper {paper:.2g} times"
        others = self.ratios[self.ratios["quotient"].map(_within)]
        others = others.drop([*self.plan.scale.exceptions], errors="ignore")
        for other, theirs, theirs_in_paper, _ in others.itertuples():
            if paper > ORDERED * theirs_in_paper and ratio <= theirs:
                return f"not larger than {other}, as it is in the paper"
            if theirs_in_paper > ORDERED * paper and theirs <= ratio:
                return f"not smaller than {other}, as it is in the paper"
        return ""

    def problems(self) -> list[str]:
        """Sizes outside the bounds without an exception, and exceptions that are not needed."""
        exceptions = self.plan.scale.exceptions
        found = {name: self.problem(name) for name in self.ratios.index}
        outside = [f"{name}: {it}" for name, it in found.items() if it and name not in exceptions]
        stale = [name for name, it in found.items() if not it and name in exceptions]
        return outside + [f"{name}: an exception, but within the bounds" for name in stale]


def _within(quotient: float) -> bool:
    return 1 / FACTOR <= quotient <= FACTOR


def measure_criteria(plan: Plan) -> pd.DataFrame:
    """One line per data set and image network: what the criteria are about, and whether it is met.

    Means over the finished runs, missing where there are none. Only networks that are trained on
    labels have errors, only those that are trained by BAN have a divergence. ``capacity``, ``fit``,
    ``error`` and ``schedule`` are ``met``, ``not met``, ``exception`` or missing.

    Raises:
        InputError: the record or history of a finished run is damaged.
    """
    capacities, groups = Capacities(plan), defaultdict[tuple[str, str], list[Run]](list)
    for run in _image_runs(plan):
        groups[run.dataset.name, run.network].append(run)
    lines = [_line(plan, capacities, runs) for runs in groups.values()]
    return pd.DataFrame(lines, columns=COLUMNS)


def _line(plan: Plan, capacities: Capacities, runs: Sequence[Run]) -> dict[str, object]:
    run = runs[0]
    done = [it for it in runs if state_of(plan, it).name == "done"]
    labelled = [it for it in done if it.objective == "label"]
    records = [read_record(plan.folder(it)) for it in labelled]
    histories = [_history(plan, it) for it in labelled]
    train_error = _mean([it["train_error"].iloc[-1] for it in histories if "train_error" in it])
    test_error = _mean([next(iter(it["result"].values())) for it in records])
    divergence, change = _divergence([_history(plan, it) for it in done if it.objective == "ban"])
    exception, problem = plan.scale.exceptions.get(run.network), capacities.problem(run.network)
    images, items = _test_items(plan, run)
    sized = "exception" if exception else "not met" if problem else "met"
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
        "capacity": sized if run.network in NETWORKS else None,
        "fit": _verdict(train_error, train_error < FIT),
        "error": _verdict(test_error, ERROR[0] <= test_error <= ERROR[1]),
        "schedule": _verdict(change, abs(change) < SETTLED),
        "reason": exception or problem or None,
    }


def _image_runs(plan: Plan) -> list[Run]:
    """The runs with the scale's own sizes and decisions."""
    return [
        run for run in plan.runs.values() if kind_of(run.network) == "image" and run.variant is None
    ]


def _test_items(plan: Plan, run: Run) -> tuple[int, int]:
    """Test images, and the single items that they are made of where they are pairs."""
    spec = _images(plan, run.dataset)
    items = _images(plan, run.dataset.model_copy(update={"test": None}))
    return spec.test, min(spec.test, items.test)


def _images(plan: Plan, dataset: AnyDataset) -> ImageSpec:
    spec = plan.data_spec(dataset)
    assert isinstance(spec, ImageSpec)
    return spec


def _history(plan: Plan, run: Run) -> pd.DataFrame:
    return read_csv(plan.folder(run) / HISTORY)


def _mean(values: Sequence[float]) -> float:
    return float(pd.Series(values, dtype=float).mean())


def _divergence(histories: Sequence[pd.DataFrame]) -> tuple[float, float]:
    """Mean divergence in the last tenth of the epochs, and its relative change from the one before.

    A tenth has at least two epochs. NaN where histories have no divergence or too few epochs.
    """
    curves = [it["divergence"] for it in histories if "divergence" in it]
    mean = pd.concat(curves, axis=1).mean(axis=1) if curves else pd.Series(dtype=float)
    tenth = max(2, len(mean) // 10)
    last = _mean(mean.tail(tenth).tolist())
    before = _mean(mean.iloc[:-tenth].tail(tenth).tolist())
    return last, last / before - 1


def _verdict(value: float, met: bool) -> str | None:
    return None if pd.isna(value) else "met" if met else "not met"


def write_criteria(plan: Plan, criteria: pd.DataFrame) -> None:
    """Write the frame of `measure_criteria` as ``criteria.csv`` and ``criteria.html``."""
    files.write_text(plan.results / "criteria.csv", criteria.to_csv(index=False))
    page = criteria_table(criteria).as_raw_html()
    files.write_text(plan.results / "criteria.html", page + "\n")
