"""A run: one training of one network, with the teachers above it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from replication.config.datasets import AnyDataset

LABEL_OBJECTIVE = "label"
"""The objective of networks that are trained on labels alone."""
GIVEN = "given"
"""The objective of a network that was trained elsewhere: it is only evaluated."""


LONGEST_TAG = 100
"""Characters of a part of a folder's name; file systems allow 255 for the whole name."""


def network_tag(network: str, arguments: str = "{}") -> str:
    """A network in a folder's name, different for different networks and arguments.

    ``timm:resnet18.a1_in1k`` is ``timm-resnet18-a1_in1k``. ``arguments``, as JSON, add a hash.
    """
    kind, colon, name = network.partition(":")
    tag = f"{kind}-{_escaped(name)}" if colon else _escaped(network)
    return _shortened(f"{tag}+{_short_hash(arguments)}" if arguments != "{}" else tag)


def objective_tag(objective: str, parameters: Mapping[str, float]) -> str:
    """An objective with its parameters in a folder's name, without dots: ``kd-alpha-0_5``."""
    module, colon, function = objective.partition(":")
    tag = f"{module.replace('.', '-')}-{function}" if colon else objective
    numbers = "".join(f"-{name}-{_number_tag(parameters[name])}" for name in sorted(parameters))
    return _shortened(tag + numbers)


def _number_tag(number: float) -> str:
    """A number in a folder's name: with as many digits as tell it from every other number."""
    short = f"{number:g}"
    return (short if float(short) == number else repr(number)).replace(".", "_")


def _escaped(name: str) -> str:
    """A name of ASCII letters, digits, ``_``, ``-`` for a dot, and ``=`` before a code point."""
    return "".join(
        character
        if character.isascii() and (character.isalnum() or character == "_")
        else "-"
        if character == "."
        else f"={ord(character):x}="
        for character in name
    )


def _shortened(tag: str) -> str:
    """A tag whose end, where it is too long, is a hash of all of it."""
    return tag if len(tag) <= LONGEST_TAG else f"{tag[: LONGEST_TAG - 9]}+{_short_hash(tag)}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Run:
    """One training of one network with one objective and one seed, from one teacher or none.

    ``parameters`` are the objective's, by name; ``arguments``, as JSON, those of a network of timm.
    ``weights`` are the file of a network that was trained elsewhere, whose objective is `GIVEN`,
    and ``normalisation`` the mean and the standard deviation, a number per channel, that its table
    says its images were normalised by.
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
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    @cached_property
    def id(self) -> str:
        """The run's folder below ``runs/``, which lies inside its teacher's folder."""
        parent = self.teacher.id if self.teacher else self.dataset.name
        return f"{parent}/{self.name}"

    @property
    def name(self) -> str:
        """What the run is, without its data set and teachers; not unique."""
        variant = f".{self.variant}" if self.variant else ""
        network = network_tag(self.network, self.arguments)
        objective = objective_tag(self.objective, dict(self.parameters))
        return f"{network}.{objective}{variant}.{self.seed}"

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
