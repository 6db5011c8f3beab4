"""The networks: the paper's image networks registered with timm, and how a run builds its own.

``import replication.networks`` is enough for `timm.create_model` and its kin to know the networks.
"""

from __future__ import annotations

import difflib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import timm
import torch
from timm.layers.classifier import create_classifier
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from replication.architectures.catalogue import FAMILIES, NETWORKS, TIMM, Network
from replication.errors import InputError

if TYPE_CHECKING:
    from replication.data.images import ImageData
    from replication.data.text import Corpus

_IMAGE_NETWORKS = {name: network for name, network in NETWORKS.items() if network.kind == "image"}
NOT_OF_THE_MODEL = {
    *("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"),
    *("scriptable", "exportable", "no_jit"),
}
"""Arguments of `timm.create_model` that it does not pass on to the model."""
_CFG = {"first_conv": "features.conv0", "classifier": "classifier", "paper_ids": "arXiv:1805.04770"}

# timm looks for the configurations of the networks of this module under this name.
default_cfgs = generate_default_cfgs(
    {name: {**_CFG, "input_size": (3, 32, 32), "num_classes": 10} for name in _IMAGE_NETWORKS}
)


class ImageNetwork(nn.Module):
    """A classifier of images in timm's conventions: features, global pooling, one linear layer.

    `family` makes the features by name from `in_chans` and `arguments`: the first convolution is
    `conv0`, the last layer a normalisation. They map images of shape (n, in_chans, height, width)
    to (n, num_features, h, w). Logits are (n, num_classes).
    Convolutions are initialised after He et al. (2015) with fan-out, batch normalisation with
    weight 1 and bias 0, the linear layer with bias 0 (Zagoruyko & Komodakis 2016).
    """

    def __init__(
        self,
        family: Callable[..., dict[str, nn.Module]],
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        **arguments: Any,
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(OrderedDict(family(in_chans, **arguments)))
        self.in_chans = in_chans
        self.num_features = self.head_hidden_size = len(self.features[-1].get_parameter("weight"))
        self.reset_classifier(num_classes, global_pool)
        for module in self.features.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        """Feature maps of shape (n, num_features, h, w) before pooling."""
        features: torch.Tensor = self.features(images)
        return features

    def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Logits of shape (n, num_classes), or the pooled features where `pre_logits`.

        In float32 even under autocast: bfloat16 would round logits to three digits.
        """
        with torch.autocast(features.device.type, enabled=False):
            pooled: torch.Tensor = self.global_pool(features.float())
            return pooled if pre_logits else self.classifier(pooled)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n, num_classes)."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Module:
        """The last linear layer."""
        return self.get_submodule("classifier")

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the linear layer, and the pooling where another is named; 0 classes: no layer."""
        self.num_classes = num_classes
        if global_pool is not None:
            self.pool_type = global_pool
        self.global_pool, classifier = create_classifier(
            self.num_features, num_classes, pool_type=self.pool_type
        )
        self.classifier = classifier.to(self.features.get_parameter("conv0.weight").device)
        if isinstance(self.classifier, nn.Linear):
            nn.init.zeros_(self.classifier.bias)


def network_arguments(data: ImageData | Corpus, options: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a run's network: the plan's ``options``, and what the data give."""
    # Imported here, so that code that only registers the networks does not load the data sets.
    from replication.data.images import ImageData

    if isinstance(data, ImageData):
        return {"num_classes": data.classes, "in_chans": data.channels, **options}
    return {**options}


def create_network(
    name: str, data: ImageData | Corpus, arguments: Mapping[str, Any], device: torch.device
) -> nn.Module:
    """A network for a data set, with new weights from torch's global generator, on a device.

    ``name`` is one of the paper's, or ``timm:`` and one of timm's; ``arguments`` are those of
    `network_arguments`.

    Raises:
        InputError: timm has no such network, or it does not fit the images.
    """
    from replication.data.images import ImageData

    if not isinstance(data, ImageData):
        from replication.networks.language import create_language_model

        return create_language_model(name, data.vocabulary, **arguments).to(device)
    network: nn.Module
    if name.startswith(f"{TIMM}:"):
        network = _create_timms(name.removeprefix(f"{TIMM}:"), data, arguments)
    else:
        network = timm.create_model(name, **arguments)
    return network.to(device).to(memory_format=torch.channels_last)


def _create_timms(name: str, data: ImageData, arguments: Mapping[str, Any]) -> nn.Module:
    """A network of timm, tried on one image."""
    try:
        network: nn.Module = timm.create_model(name, **arguments)
        with torch.no_grad():
            logits = network.eval()(data.train.images[:1].cpu())
        if logits.shape != (1, data.classes):
            raise ValueError(f"it gives {tuple(logits.shape)} for one image")
    except Exception as error:
        raise timms_problem(name, data.train.images.shape[1:], error) from None
    return network.train()


def timms_problem(name: str, shape: Sequence[int], error: Exception) -> InputError:
    """The error for a network of timm that cannot be made for images (channels, height, width)."""
    if ":" not in name and not timm.is_model(name):
        close = ", ".join(difflib.get_close_matches(name, timm.list_models(), 3))
        hint = f"did you mean {close}?" if close else "see timm.list_models()"
        return InputError(f"timm has no network `{name}`; {hint}")
    reason = " ".join(str(error).split()) or type(error).__name__
    size = " × ".join(map(str, shape))
    return InputError(
        f"timm's `{name}` cannot classify images of {size} ({reason}); change its `arguments`"
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
            if key not in NOT_OF_THE_MODEL
        },
        "pretrained_cfg": {
            **_CFG,
            "num_classes": num_classes,
            "input_size": [in_chans, *input_size],
            "mean": mean,
            "std": std,
        },
    }


def hub_config_of(
    name: str,
    network: nn.Module,
    data: ImageData,
    options: Mapping[str, Any],
    mean: Sequence[float],
    std: Sequence[float],
) -> dict[str, Any]:
    """The `hub_config` of a network that `create_network` made by this name for these data.

    ``options`` are its arguments other than those that the data give; ``mean`` and ``std`` are what
    its images are normalised by. The first and last layers of
    a network of timm are those that timm names.
    """
    height, width = data.train.images.shape[-2:]
    architecture = name.removeprefix(f"{TIMM}:")
    if ":" in architecture:
        # A folder or a page of the Hub: timm knows what it describes, and with which arguments.
        architecture = network.pretrained_cfg["architecture"]  # type: ignore[assignment, index]
        known: Mapping[str, Any] = getattr(network, "_model_args", {})
        options = {
            key: value
            for key, value in {**known, **options}.items()
            if key not in ("num_classes", "in_chans")
        }
    config = hub_config(
        architecture, data.classes, data.channels, options, (height, width), mean, std
    )
    if architecture != name:
        layers: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
        config["pretrained_cfg"] |= {key: layers.get(key) for key in ("first_conv", "classifier")}
    return config


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
