"""Registers the paper's image networks with timm, for `timm.create_model` and its kin."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from pkgutil import resolve_name
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model

from replication.architectures.catalogue import FAMILIES, NETWORKS, Network
from replication.networks.base import ImageNetwork

_IMAGE_NETWORKS = {name: net for name, net in NETWORKS.items() if net.kind == "image"}
_CFG = {"first_conv": "features.conv0", "classifier": "classifier", "paper_ids": "arXiv:1805.04770"}

# timm looks for the configurations of the networks of this module under this name.
default_cfgs = generate_default_cfgs(
    {name: {**_CFG, "input_size": (3, 32, 32), "num_classes": 10} for name in _IMAGE_NETWORKS}
)


def hub_config(
    name: str,
    num_classes: int,
    in_chans: int,
    kwargs: Mapping[str, Any],
    input_size: tuple[int, int],
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> dict[str, Any]:
    """The content of `config.json` for timm's `local-dir:` names, `model.safetensors` beside it.

    `timm.create_model(f"local-dir:{folder}", pretrained=True)` then builds the network and loads
    its weights. `kwargs` are its arguments other than `num_classes` and `in_chans`;
    `input_size` is (height, width) in pixels; `mean` and `std`, one number per channel of images in
    [0, 1], are the constants that `timm.data.resolve_model_data_config` returns.
    """
    return {
        "architecture": name,
        "num_classes": num_classes,
        "model_args": {
            key: str(value) if isinstance(value, Fraction) else value
            for key, value in kwargs.items()
        },
        "pretrained_cfg": {
            **_CFG,
            "num_classes": num_classes,
            "input_size": [in_chans, *input_size],
            "mean": mean,
            "std": std,
        },
    }


def _register(name: str, network: Network) -> None:
    def create(pretrained: bool = False, **kwargs: Any) -> ImageNetwork:
        model: ImageNetwork = build_model_with_cfg(
            partial(ImageNetwork, resolve_name(FAMILIES[network.family].constructor)),
            name,
            pretrained,
            **{**network.kwargs, **kwargs},
        )
        return model

    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"The paper's {name}: a {network.family} with {network.kwargs}."
    # timm has appended the name to this module's __all__, so the module must hold it.
    globals()[name] = register_model(create)


for _name, _network in _IMAGE_NETWORKS.items():
    _register(_name, _network)
