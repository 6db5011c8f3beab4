"""What the image networks share: timm's conventions and the initialisation."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from timm.layers.classifier import create_classifier
from torch import nn


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

        In float32 also under autocast: bfloat16 would round logits to three digits.
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
