"""The sizes of a plan's networks relative to each other, beside the paper's."""

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from replication.analysis.fair_test import CAPACITY, is_within_factor
from replication.architectures.catalogue import NETWORKS, kind_of
from replication.config.datasets import AnyDataset
from replication.config.networks import Networks
from replication.data.specs import IMAGE_DATASETS, ImageSpec
from replication.networks.counting import capacity
from replication.plan.plan import Plan
from replication.plan.run import Run

BASE_NETWORK = "densenet_90_60"
"""The network whose parameters the others are compared with."""


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
        runs = [run for run in image_runs(self.plan) if run.network in NETWORKS]
        names = list(dict.fromkeys(run.network for run in runs))
        ratios = pd.DataFrame(index=names, columns=["ratio", "paper_ratio"], dtype=float)
        if not runs:
            return ratios.assign(quotient=ratios["ratio"])
        dataset = self.plan.scale.datasets.get("cifar10", runs[0].dataset)
        images = replace(planned_image_spec(self.plan, dataset), classes=10)
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
        if not is_within_factor(quotient):
            times = f"{ratio:.2g} times the parameters of {BASE_NETWORK}"
            return f"{times}, but {paper:.2g} times in the paper"
        _, ordered_above = CAPACITY.thresholds
        others = self.ratios[self.ratios["quotient"].map(is_within_factor)]
        others = others.drop([*self.plan.scale.exceptions], errors="ignore")
        for other, other_ratio, other_paper, _ in others.itertuples():
            if paper > ordered_above * other_paper and ratio <= other_ratio:
                return f"not larger than {other}, unlike in the paper"
            if other_paper > ordered_above * paper and other_ratio <= ratio:
                return f"not smaller than {other}, unlike in the paper"
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
        return outside + [
            f"{name}: listed as an exception, but within the bounds" for name in unneeded
        ]


def image_runs(plan: Plan) -> list[Run]:
    """The image runs with the scale's own sizes and decisions."""
    return [
        run for run in plan.runs.values() if kind_of(run.network) == "image" and run.variant is None
    ]


def planned_image_spec(plan: Plan, dataset: AnyDataset) -> ImageSpec:
    """The sizes of an image data set as the plan uses it; raises like `Plan.data_spec`."""
    spec = plan.data_spec(dataset)
    assert isinstance(spec, ImageSpec)
    return spec
