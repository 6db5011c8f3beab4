"""Wide residual networks (Zagoruyko & Komodakis 2016)."""

from collections import OrderedDict

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from replication.networks.base import ImageNetwork
from replication.networks.ratios import Ratio, scaled


class WideBlock(nn.Module):
    """Pre-activation unit of two 3×3 convolutions with drop-out between them."""

    def __init__(self, in_chs: int, out_chs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.out_chs = out_chs
        self.norm1 = BatchNormAct2d(in_chs)
        self.conv1 = nn.Conv2d(in_chs, out_chs, 3, stride, padding=1, bias=False)
        self.norm2 = BatchNormAct2d(out_chs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_chs, out_chs, 3, padding=1, bias=False)
        self.shortcut = (
            nn.Conv2d(in_chs, out_chs, 1, stride, bias=False)
            if stride != 1 or in_chs != out_chs
            else None
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (n, in_chs, h, w) to (n, out_chs, h / stride, w / stride)."""
        active = self.norm1(x)
        shortcut = x if self.shortcut is None else self.shortcut(active)
        residual = self.norm2(self.conv1(active))
        out: torch.Tensor = shortcut + self.conv2(self.dropout(residual))
        return out


class WideResNet(ImageNetwork):
    """Wide-ResNet-28-k, k = `widening`: three groups of 4 units (Tables 1 and 3)."""

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        widening: int,
        dropout: float = 0.3,
        depth_ratio: Ratio = 1,
        width_ratio: Ratio = 1,
    ) -> None:
        width = scaled(16, width_ratio)
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv0"] = nn.Conv2d(in_chans, width, 3, padding=1, bias=False)
        for group, base in enumerate((16, 32, 64), start=1):
            out_chs = scaled(base * widening, width_ratio)
            for unit in range(scaled(4, depth_ratio)):
                stride = 2 if group > 1 and unit == 0 else 1
                layers[f"group{group}_unit{unit + 1}"] = WideBlock(width, out_chs, stride, dropout)
                width = out_chs
        layers["norm"] = BatchNormAct2d(width)
        super().__init__(nn.Sequential(layers), width, num_classes, global_pool)
