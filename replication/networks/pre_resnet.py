"""Pre-activation bottleneck residual networks (He et al. 2016, "Identity Mappings")."""

from collections import OrderedDict

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from replication.networks.base import ImageNetwork
from replication.networks.ratios import Ratio, scaled


class PreActBottleneck(nn.Module):
    """Pre-activation unit of a 1×1, a 3×3 and a 1×1 convolution, the first two `bottleneck` wide.

    `project` puts a 1×1 convolution into the shortcut, as in the first unit of every stage.
    timm's unit of this name rounds the bottleneck to a multiple of 8, too coarse to shrink it.
    """

    def __init__(
        self, in_chs: int, bottleneck: int, out_chs: int, stride: int, project: bool
    ) -> None:
        super().__init__()
        self.out_chs = out_chs
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
        width = scaled(16, width_ratio)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv0"] = nn.Conv2d(in_chans, width, 3, padding=1, bias=False)
        for stage, base in enumerate((64, 128, 256), start=1):
            out_chs = scaled(base, width_ratio)
            for unit in range(scaled(units, depth_ratio)):
                stride = 2 if stage > 1 and unit == 0 else 1
                layers[f"stage{stage}_unit{unit + 1}"] = PreActBottleneck(
                    width, scaled(out_chs, "1/4"), out_chs, stride, project=unit == 0
                )
                width = out_chs
        layers["norm"] = BatchNormAct2d(width)
        super().__init__(nn.Sequential(layers), width, num_classes, global_pool)
