"""What the image networks share: timm's conventions and the initialisation."""

from collections import OrderedDict
from collections.abc import Callable

import torch
from timm.layers.classifier import create_classifier
from timm.layers.norm_act import BatchNormAct2d
from timm.models.densenet import DenseTransition
from torch import nn

from replication.architectures.layers import Layer, Layers, Norm, Stem, Transition


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


def build(
    layers: Layers, in_chans: int, make: Callable[[Layer], nn.Module]
) -> tuple[nn.Sequential, int]:
    """A network's features and their width, in channels; `make` makes a family's own modules."""
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for name, layer in layers.items():
        if isinstance(layer, Stem):
            modules[name] = nn.Conv2d(in_chans, layer.out_chs, 3, padding=1, bias=False)
        elif isinstance(layer, Transition):
            modules[name] = DenseTransition(*layer)
        elif isinstance(layer, Norm):
            modules[name] = BatchNormAct2d(layer.out_chs)
        else:
            modules[name] = make(layer)
    return nn.Sequential(modules), layer.out_chs
