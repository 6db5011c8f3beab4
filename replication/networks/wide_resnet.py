"""Wide residual networks (Zagoruyko & Komodakis 2016)."""

from functools import partial

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from replication.architectures.layers import Layer, WideUnit, wide_resnet
from replication.architectures.scaling import Ratio
from replication.networks.base import ImageNetwork, build


class WideBlock(nn.Module):
    """Pre-activation unit of two 3×3 convolutions with drop-out between them."""

    def __init__(self, shape: Layer, dropout: float) -> None:
        super().__init__()
        assert isinstance(shape, WideUnit)
        in_chs, out_chs, stride = shape
        self.norm1 = BatchNormAct2d(in_chs)
        self.conv1 = nn.Conv2d(in_chs, out_chs, 3, stride, padding=1, bias=False)
        self.norm2 = BatchNormAct2d(out_chs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_chs, out_chs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(in_chs, out_chs, 1, stride, bias=False) if shape.project else None

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
        layers = wide_resnet(widening, depth_ratio, width_ratio)
        features, width = build(layers, in_chans, partial(WideBlock, dropout=dropout))
        super().__init__(features, width, num_classes, global_pool)
