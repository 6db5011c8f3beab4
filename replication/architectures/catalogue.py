"""The registries of network families and of the paper's networks, readable without torch."""

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["image", "language"]


@dataclass(frozen=True)
class Family:
    """A family of networks.

    ``constructor`` names its class or function, as in `pkgutil.resolve_name`. Arguments of an image
    network are `num_classes` and `in_chans`, the first of a language model is the vocabulary; then
    come the arguments of `Network.kwargs` and the options of the family in the scale's `networks`.
    """

    constructor: str
    kind: Kind = "image"


_NETWORKS = "replication.networks."

FAMILIES = {
    "wide_resnet": Family(_NETWORKS + "wide_resnet:WideResNet"),
    "densenet": Family(_NETWORKS + "densenet:DenseNet"),
    "wide_resnet_as_dense": Family(_NETWORKS + "residual_students:WideResNetAsDense"),
    "pre_resnet_as_dense": Family(_NETWORKS + "residual_students:PreResNetAsDense"),
    "pre_resnet": Family(_NETWORKS + "pre_resnet:PreResNet"),
    "lstm": Family(_NETWORKS + "language:lstm", "language"),
    "cnn_lstm": Family(_NETWORKS + "language:cnn_lstm", "language"),
}


@dataclass(frozen=True)
class Network:
    """One network of the paper: its family, and the arguments that distinguish it.

    ``kwargs`` are arguments of the family's constructor at the paper's size; docs/networks.md says
    how they follow from the paper's text and parameter counts.
    """

    family: str
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What it classifies or predicts: images or words."""
        return FAMILIES[self.family].kind


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
        f"densenet_90_60_{name}_depth": Network(
            "densenet", {**_DENSENET_90_60, "depth_factor": factor}
        )
        for name, factor in {"half": "1/2", "double": 2, "triple": 3, "quadruple": 4}.items()
    },
    **{
        f"densenet_90_60_compression_{percent}": Network(
            "densenet", {**_DENSENET_90_60, "compression_factor": factor}
        )
        for percent, factor in {50: "1/2", 75: "3/4", 150: "3/2"}.items()
    },
    # Table 5
    "pre_resnet_1001": Network("pre_resnet", {"units": 111}),
    **{
        f"pre_resnet_14_{percent}": Network(
            "pre_resnet_as_dense", {"units": 14, "relative_width": relative_width}
        )
        for percent, relative_width in {50: "1/2", 100: 1}.items()
    },
    **{
        f"wide_resnet_as_dense_{units}_{percent}": Network(
            "wide_resnet_as_dense", {"units": units, "relative_width": relative_width}
        )
        for units, percent, relative_width in (
            (1, 100, 1),
            (2, 100, 1),
            (4, 50, "1/2"),
            (4, 100, 1),
        )
    },
    # Table 6
    "lstm": Network("lstm"),
    "cnn_lstm": Network("cnn_lstm"),
}
