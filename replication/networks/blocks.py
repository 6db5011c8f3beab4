"""The residual units of the paper's networks, in pre-activation form (He et al. 2016)."""

from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn


class Shortcut(nn.Conv2d):
    """A 1×1 convolution that takes every `step`-th pixel, as one with a stride does.

    oneDNN's strided 1×1 convolutions in channels_last corrupt memory in the backward pass where
    channels are fewer than a vector register holds (oneDNN issue 6035).
    """

    def __init__(self, in_chs: int, out_chs: int, step: int) -> None:
        super().__init__(in_chs, out_chs, 1, bias=False)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :, :: self.step, :: self.step])


class WideBlock(nn.Module):
    """Two 3×3 convolutions with drop-out between them (Zagoruyko & Komodakis 2016).

    The shortcut is a 1×1 convolution where shapes before and after differ. Maps (n, in_chs, h, w)
    to (n, out_chs, h / stride, w / stride).
    """

    def __init__(self, in_chs: int, out_chs: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = BatchNormAct2d(in_chs)
        self.conv1 = nn.Conv2d(in_chs, out_chs, 3, stride, padding=1, bias=False)
        self.norm2 = BatchNormAct2d(out_chs)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_chs, out_chs, 3, padding=1, bias=False)
        project = stride != 1 or in_chs != out_chs
        self.shortcut = Shortcut(in_chs, out_chs, stride) if project else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.norm1(x)
        shortcut = x if self.shortcut is None else self.shortcut(active)
        residual = self.norm2(self.conv1(active))
        out: Tensor = shortcut + self.conv2(self.dropout(residual))
        return out


class PreActBottleneck(nn.Module):
    """A 1×1, a 3×3 and a 1×1 convolution, the first two `bottleneck` wide.

    `project` puts a 1×1 convolution into the shortcut. timm's unit of this name rounds the
    bottleneck to a multiple of 8, too coarse to shrink it. Maps as `WideBlock`.
    """

    def __init__(
        self, in_chs: int, bottleneck: int, out_chs: int, stride: int, project: bool
    ) -> None:
        super().__init__()
        self.norm1 = BatchNormAct2d(in_chs)
        self.conv1 = nn.Conv2d(in_chs, bottleneck, 1, bias=False)
        self.norm2 = BatchNormAct2d(bottleneck)
        self.conv2 = nn.Conv2d(bottleneck, bottleneck, 3, stride, padding=1, bias=False)
        self.norm3 = BatchNormAct2d(bottleneck)
        self.conv3 = nn.Conv2d(bottleneck, out_chs, 1, bias=False)
        self.shortcut = Shortcut(in_chs, out_chs, stride) if project else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.norm1(x)
        shortcut = x if self.shortcut is None else self.shortcut(active)
        residual = self.norm3(self.conv2(self.norm2(self.conv1(active))))
        out: Tensor = shortcut + self.conv3(residual)
        return out
