"""The registries of network families and of the paper's networks, and ratios that shrink them.

Readable without torch.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, NamedTuple

Kind = Literal["image", "language"]


class Family(NamedTuple):
    """A family of networks.

    ``constructor`` names a function or class, as in `pkgutil.resolve_name`. For images it makes the
    features of an `ImageNetwork` from `in_chans`, for language a model from the vocabulary; then
    come the arguments of `Network.kwargs` and the options of the family in the scale's `networks`.
    """

    constructor: str
    kind: Kind = "image"


_IMAGE, _LANGUAGE = "replication.networks.families:", "replication.networks.language:"

FAMILIES = {
    "wide_resnet": Family(_IMAGE + "wide_resnet"),
    "densenet": Family(_IMAGE + "densenet"),
    "wide_resnet_as_dense": Family(_IMAGE + "wide_resnet_as_dense"),
    "pre_resnet_as_dense": Family(_IMAGE + "pre_resnet_as_dense"),
    "pre_resnet": Family(_IMAGE + "pre_resnet"),
    "timm": Family("timm:create_model"),
    "lstm": Family(_LANGUAGE + "Lstm", "language"),
    "cnn_lstm": Family(_LANGUAGE + "CnnLstm", "language"),
}


@dataclass(frozen=True)
class Network:
    """One network of the paper: its family, and the arguments that distinguish it.

    ``kwargs`` are arguments of the family's constructor at the paper's size;
    docs/reference/networks.md says how they follow from the paper's text and parameter counts.
    """

    family: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """Whether it classifies images or predicts words."""
        return FAMILIES[self.family].kind


TIMM = "timm"
"""Prefix of timm's networks, as in ``timm:resnet18``, and the name of their family."""


def find_network(name: str) -> Network | None:
    """A network of the catalogue, or one of timm's.

    It is None where the name is neither. Whether timm has a network of the name is not checked.
    """
    if name.startswith(f"{TIMM}:"):
        return Network(TIMM)
    return NETWORKS.get(name)


def kind_of(name: str) -> Kind:
    """Whether a network classifies images or predicts words; all of timm's classify images.

    The network has to be one that `find_network` knows.
    """
    network = find_network(name)
    assert network is not None, name
    return network.kind


_DENSENET_90_60 = {"units": 14, "growth": 60}

NETWORKS: dict[str, Network] = {
    # Tables 1 and 3
    **{f"wide_resnet_28_{k}": Network("wide_resnet", {"widening": k}) for k in (1, 2, 5, 10)},
    # Tables 1 to 3
    "densenet_112_33": Network("densenet", {"units": 17, "growth": 33, "final_transition": False}),
    "densenet_90_60": Network("densenet", _DENSENET_90_60),
    "densenet_80_80": Network("densenet", {"units": 12, "growth": 80}),
    "densenet_80_120": Network("densenet", {"units": 12, "growth": 120}),
    # Table 4
    **{
        f"densenet_90_60_{name}": Network("densenet", {**_DENSENET_90_60, factor: value})
        for name, factor, value in (
            ("half_depth", "depth_factor", "1/2"),
            ("double_depth", "depth_factor", 2),
            ("triple_depth", "depth_factor", 3),
            ("quadruple_depth", "depth_factor", 4),
            ("compression_50", "compression_factor", "1/2"),
            ("compression_75", "compression_factor", "3/4"),
            ("compression_150", "compression_factor", "3/2"),
        )
    },
    # Table 5
    "pre_resnet_1001": Network("pre_resnet", {"units": 111}),
    **{
        f"{name}_{units}_{percent}": Network(family, {"units": units, "relative_width": width})
        for name, family, units, percent, width in (
            ("pre_resnet", "pre_resnet_as_dense", 14, 50, "1/2"),
            ("pre_resnet", "pre_resnet_as_dense", 14, 100, 1),
            ("wide_resnet_as_dense", "wide_resnet_as_dense", 1, 100, 1),
            ("wide_resnet_as_dense", "wide_resnet_as_dense", 2, 100, 1),
            ("wide_resnet_as_dense", "wide_resnet_as_dense", 4, 50, "1/2"),
            ("wide_resnet_as_dense", "wide_resnet_as_dense", 4, 100, 1),
        )
    },
    # Table 6
    "lstm": Network("lstm"),
    "cnn_lstm": Network("cnn_lstm"),
}

Ratio = int | float | str | Fraction


def scaled(value: int, ratio: Ratio) -> int:
    """`value` times `ratio`, rounded up and at least 1.

    "1/12" and Fraction(1, 12) are exact, and a float is the decimal it prints: 60 × 0.2 is 12.
    """
    return max(1, math.ceil(value * Fraction(str(ratio))))
