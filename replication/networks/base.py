"""What the image networks share: timm's conventions, initialisation, and exact shrinking."""

from fractions import Fraction
from math import ceil

import torch
from timm.layers.classifier import create_classifier
from torch import nn

Ratio = int | float | str | Fraction


def scaled(size: int, ratio: Ratio) -> int:
    """`size` times `ratio`, rounded up, at least 1.

    The arithmetic is exact: a float counts as the decimal it prints, so that 60 times 0.2 is 12.
    Raises ValueError where `ratio` is not a positive number, or not written as one ("1/7", "0.2").
    """
    exact = Fraction(str(ratio))
    if exact <= 0:
        raise ValueError(f"a ratio of {ratio} leaves nothing of the network: it must be positive")
    return max(1, ceil(size * exact))


class ImageNetwork(nn.Module):
    """A classifier of images in timm's conventions: features, global pooling, one linear layer.

    `features` begins with the first convolution under the name `conv0`; it maps images of shape
    (n, in_chans, height, width) to (n, num_features, h, w). Logits are (n, num_classes).
    Convolutions are initialised after He et al. (2015) with fan-out, batch normalisation with
    weight 1 and bias 0, the linear layer with bias 0 (Zagoruyko & Komodakis 2016).
    """

    def __init__(
        self, features: nn.Sequential, num_features: int, num_classes: int, global_pool: str
    ) -> None:
        super().__init__()
        self.features = features
        self.num_features = self.head_hidden_size = num_features
        conv0 = features.get_submodule("conv0")
        assert isinstance(conv0, nn.Conv2d)
        self.in_chans = conv0.in_channels
        self.reset_classifier(num_classes, global_pool)
        for module in features.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        """Feature maps of shape (n, num_features, h, w) before pooling."""
        features: torch.Tensor = self.features(images)
        return features

    def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Logits of shape (n, num_classes), or the pooled features where `pre_logits`."""
        pooled: torch.Tensor = self.global_pool(features)
        return pooled if pre_logits else self.classifier(pooled)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n, num_classes)."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Module:
        """The last linear layer."""
        return self.get_submodule("classifier")

    def reset_classifier(self, num_classes: int, global_pool: str = "avg") -> None:
        """Replace pooling and the linear layer; 0 classes leave the pooled features."""
        self.num_classes = num_classes
        self.global_pool, self.classifier = create_classifier(
            self.num_features, num_classes, pool_type=global_pool
        )
        if isinstance(self.classifier, nn.Linear):
            nn.init.zeros_(self.classifier.bias)
