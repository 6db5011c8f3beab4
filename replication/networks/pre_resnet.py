"""Pre-activation bottleneck residual networks (He et al. 2016, "Identity Mappings")."""

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from replication.architectures.layers import BottleneckUnit, Layer, pre_resnet
from replication.architectures.scaling import Ratio
from replication.networks.base import ImageNetwork, build


class PreActBottleneck(nn.Module):
    """Pre-activation unit of a 1×1, a 3×3 and a 1×1 convolution, the first two `bottleneck` wide.

    `project` puts a 1×1 convolution into the shortcut, as in the first unit of every stage.
    timm's unit of this name rounds the bottleneck to a multiple of 8, too coarse to shrink it.
    """

    def __init__(self, shape: Layer) -> None:
        super().__init__()
        assert isinstance(shape, BottleneckUnit)
        in_chs, bottleneck, out_chs, stride, project = shape
        self.norm1 = BatchNormAct2d(in_chs)
        self.conv1 = nn.Conv2d(in_chs, bottleneck, 1, bias=False)
        self.norm2 = BatchNormAct2d(bottleneck)
        self.conv2 = nn.Conv2d(bottleneck, bottleneck, 3, stride, padding=1, bias=False)
        self.norm3 = BatchNormAct2d(bottleneck)
        self.conv3 = nn.Conv2d(bottleneck, out_chs, 1, bias=False)
        self.shortcut = nn.Conv2d(in_chs, out_chs, 1, stride, bias=False) if project else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (n, in_chs, h, w) to (n, out_chs, h / stride, w / stride)."""
        active = self.norm1(x)
        shortcut = x if self.shortcut is None else self.shortcut(active)
        residual = self.norm2(self.conv1(active))
        residual = self.norm3(self.conv2(residual))
        out: torch.Tensor = shortcut + self.conv3(residual)
        return out


class PreResNet(ImageNetwork):
    """Pre-activation ResNet with `units` bottlenecks in each of three stages (ResNet-1001: 111)."""

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        units: int,
        depth_ratio: Ratio = 1,
        width_ratio: Ratio = 1,
    ) -> None:
        layers = pre_resnet(units, depth_ratio, width_ratio)
        features, width = build(layers, in_chans, PreActBottleneck)
        super().__init__(features, width, num_classes, global_pool)
