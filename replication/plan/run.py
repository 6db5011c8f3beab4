"""A run: one training of one network, with the teachers above it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from replication.config.datasets import AnyDataset

GIVEN = "given"
"""The objective of a network that was trained elsewhere: it is only evaluated."""


def network_tag(network: str) -> str:
    """How a folder's name has a network: timm:resnet18 as timm-resnet18."""
    return network.replace(":", "-")


def objective_tag(objective: str, parameters: Mapping[str, float]) -> str:
    """How a folder's name has an objective with its parameters, without dots: kd-alpha-0_5."""
    numbers = "".join(f"-{name}-{parameters[name]:g}" for name in sorted(parameters))
    return (objective.replace(":", "-") + numbers).replace(".", "_")


@dataclass(frozen=True)
class Run:
    """One training of one network with one objective and one seed, from one teacher or none.

    ``parameters`` are the objective's, by name; ``arguments``, as JSON, those of a network of timm.
    ``weights`` are the file of a network that was trained elsewhere, whose objective is `GIVEN`.
    """

    dataset: AnyDataset
    network: str
    objective: str
    seed: int
    teacher: "Run | None" = None
    share_ends: bool = False
    variant: str | None = None
    parameters: tuple[tuple[str, float], ...] = ()
    arguments: str = "{}"
    weights: str | None = None

    @cached_property
    def id(self) -> str:
        """The run's folder below ``runs/``, which lies inside its teacher's folder."""
        parent = self.teacher.id if self.teacher else self.dataset.name
        return f"{parent}/{self.name}"

    @property
    def name(self) -> str:
        """What the run is, without its data set and teachers; not unique."""
        variant = f".{self.variant}" if self.variant else ""
        objective = objective_tag(self.objective, dict(self.parameters))
        return f"{network_tag(self.network)}.{objective}{variant}.{self.seed}"

    @property
    def lineage(self) -> tuple["Run", ...]:
        """The teachers above this run, generation 0 first."""
        return (*self.teacher.lineage, self.teacher) if self.teacher else ()

    @property
    def with_lineage(self) -> tuple["Run", ...]:
        """The teachers above this run, generation 0 first, and the run itself."""
        return (*self.lineage, self)

    @property
    def generation(self) -> int:
        """The number of teachers above this run."""
        return len(self.lineage)

    @property
    def root_teacher(self) -> "Run":
        """Generation 0 of the lineage; the run itself where it has no teacher."""
        return self.with_lineage[0]
