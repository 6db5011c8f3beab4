"""The families of image networks, and the residual units that they are made of.

A family makes features by name, in order, with widths scaled by the ratios: the first is a 3×3
convolution named `conv0` on `in_chans` channels, the last a normalisation. Residual units are in
pre-activation form (He et al. 2016).
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

from timm.layers.norm_act import BatchNormAct2d
from timm.models.densenet import DenseBlock, DenseTransition
from torch import Tensor, nn

from replication.architectures.catalogue import Ratio, scaled

Features = dict[str, nn.Module]
BLOCKS = 3
BOTTLENECK = 4
TEACHER_UNITS, TEACHER_GROWTH = 14, 60


class Shortcut(nn.Conv2d):
    """A 1×1 convolution that takes every `step`-th pixel, as one with a stride does.

    oneDNN's strided 1×1 convolutions in channels_last corrupt memory in the backward pass where
    channels are fewer than a vector register holds (oneDNN issue 6035).
    """

    def __init__(self, in_chs: int, out_chs: int, step: int) -> None:
        super().__init__(in_chs, out_chs, 1, bias=False)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, in_chs, h, w) to (n, out_chs, h / step, w / step), sides rounded up."""
        return super().forward(x[:, :, :: self.step, :: self.step])


class WideBlock(nn.Module):
    """Two 3×3 convolutions with dropout between them (Zagoruyko & Komodakis 2016).

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
        """Map (n, in_chs, h, w) to (n, out_chs, h / stride, w / stride)."""
        active = self.norm1(x)
        shortcut = x if self.shortcut is None else self.shortcut(active)
        residual = self.norm2(self.conv1(active))
        out: Tensor = shortcut + self.conv2(self.dropout(residual))
        return out


class PreActBottleneck(nn.Module):
    """A 1×1, a 3×3 and a 1×1 convolution, the first two `bottleneck` wide.

    `project` puts a 1×1 convolution into the shortcut. timm's unit of this name rounds the
    bottleneck to a multiple of 8, too coarse to shrink it. Maps shapes as `WideBlock` does.
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
        """Map (n, in_chs, h, w) to (n, out_chs, h / stride, w / stride)."""
        active = self.norm1(x)
        shortcut = x if self.shortcut is None else self.shortcut(active)
        residual = self.norm3(self.conv2(self.norm2(self.conv1(active))))
        out: Tensor = shortcut + self.conv3(residual)
        return out


def wide_resnet(
    in_chans: int,
    widening: int,
    dropout: float = 0.3,
    depth_ratio: Ratio = 1,
    width_ratio: Ratio = 1,
) -> Features:
    """Wide-ResNet-28-k, k = `widening`: three groups of 4 units (Tables 1 and 3)."""

    def unit(in_chs: int, out_chs: int, stride: int, first: bool) -> nn.Module:
        return WideBlock(in_chs, out_chs, stride, dropout)

    widths = [scaled(base * widening, width_ratio) for base in (16, 32, 64)]
    stem = scaled(16, width_ratio)
    return _residual(in_chans, stem, "group", widths, scaled(4, depth_ratio), unit)


def pre_resnet(
    in_chans: int, units: int, depth_ratio: Ratio = 1, width_ratio: Ratio = 1
) -> Features:
    """Pre-activation ResNet with `units` bottlenecks in each of three stages (ResNet-1001: 111)."""

    def unit(in_chs: int, out_chs: int, stride: int, first: bool) -> nn.Module:
        return PreActBottleneck(in_chs, scaled(out_chs, "1/4"), out_chs, stride, project=first)

    stem, *widths = (scaled(base, width_ratio) for base in (16, 64, 128, 256))
    return _residual(in_chans, stem, "stage", widths, scaled(units, depth_ratio), unit)


def _residual(
    in_chans: int,
    width: int,
    stage_name: str,
    widths: Sequence[int],
    units: int,
    unit: Callable[[int, int, int, bool], nn.Module],
) -> Features:
    features: Features = {"conv0": _stem(in_chans, width)}
    for stage, out_chs in enumerate(widths, start=1):
        for index in range(units):
            stride = 2 if stage > 1 and index == 0 else 1
            module = unit(width, out_chs, stride, index == 0)
            features[f"{stage_name}{stage}_unit{index + 1}"] = module
            width = out_chs
    return {**features, "norm": BatchNormAct2d(width)}


def densenet(
    in_chans: int,
    units: int,
    growth: int,
    depth_factor: Ratio = 1,
    compression_factor: Ratio = 1,
    final_transition: bool = True,
    depth_ratio: Ratio = 1,
    width_ratio: Ratio = 1,
) -> Features:
    """DenseNet-BC with three blocks of `units` (Huang et al. 2017), and Table 4's students of it.

    Bottlenecks are 4 times `growth` wide, the stem twice. A transition halves the channels and, by
    average pooling, both sides of the maps, odd ones rounded up; `final_transition` puts one after
    the last block too.
    `depth_factor` multiplies the units, and `compression_factor` the half of the channels that a
    transition removes. Growth follows, block by block, so that every transition leaves as many
    channels as with both factors at 1.
    """
    units, growth = scaled(units, depth_ratio), scaled(growth, width_ratio)
    width, *transitions = _hidden_widths(units, growth)
    student_units = scaled(units, depth_factor)
    kept = 1 - Fraction(str(compression_factor)) / 2
    features: Features = {"conv0": _stem(in_chans, width)}
    for number, transition in enumerate(transitions, start=1):
        full_width = (width + units * growth) / (2 * kept)
        student_growth = max(1, round((full_width - width) / student_units))
        features[f"denseblock{number}"] = DenseBlock(
            student_units, width, bn_size=BOTTLENECK, growth_rate=student_growth
        )
        width += student_units * student_growth
        if number < BLOCKS or final_transition:
            features[f"transition{number}"] = _transition(width, transition)
            width = transition
    return {**features, "norm5": BatchNormAct2d(width)}


def wide_resnet_as_dense(
    in_chans: int,
    units: int,
    relative_width: Ratio,
    dropout: float = 0.3,
    depth_ratio: Ratio = 1,
    teacher_depth_ratio: Ratio = 1,
    width_ratio: Ratio = 1,
    relative_width_ratio: Ratio = 1,
) -> Features:
    """BAN-Wide-ResNet-n-r (Table 5): n `units` of two 3×3 convolutions, r = `relative_width`.

    Units are r times as wide as the teacher's map after the transition; `depth_ratio` shrinks n,
    `relative_width_ratio` multiplies r.
    """
    relative_width = Fraction(str(relative_width)) * Fraction(str(relative_width_ratio))

    def unit(width: int, transition: int, first: bool) -> tuple[nn.Module, int]:
        out_chs = scaled(transition, relative_width)
        return WideBlock(width, out_chs, 1, dropout), out_chs

    return _as_dense(in_chans, scaled(units, depth_ratio), unit, teacher_depth_ratio, width_ratio)


def pre_resnet_as_dense(
    in_chans: int,
    units: int,
    relative_width: Ratio,
    depth_ratio: Ratio = 1,
    teacher_depth_ratio: Ratio = 1,
    width_ratio: Ratio = 1,
    relative_width_ratio: Ratio = 1,
) -> Features:
    """BAN-Pre-ResNet-n-r (Table 5): n `units`, pre-activation bottlenecks, r = `relative_width`.

    Units keep the width with which the stage begins; their bottlenecks have r / 4 times the
    channels of the teacher's map after the transition. `depth_ratio` shrinks n,
    `relative_width_ratio` multiplies r.
    """
    relative_width = Fraction(str(relative_width)) * Fraction(str(relative_width_ratio))

    def unit(width: int, transition: int, first: bool) -> tuple[nn.Module, int]:
        bottleneck = scaled(transition, relative_width / 4)
        return PreActBottleneck(width, bottleneck, width, 1, project=first), width

    return _as_dense(in_chans, scaled(units, depth_ratio), unit, teacher_depth_ratio, width_ratio)


def _as_dense(
    in_chans: int,
    units: int,
    unit: Callable[[int, int, bool], tuple[nn.Module, int]],
    teacher_depth_ratio: Ratio,
    width_ratio: Ratio,
) -> Features:
    """DenseNet-90-60 with residual units for each dense block.

    `unit` makes one, and says its width, from the width before it, the teacher's after the
    transition, and whether it is the stage's first.
    """
    width, *transitions = _hidden_widths(
        scaled(TEACHER_UNITS, teacher_depth_ratio), scaled(TEACHER_GROWTH, width_ratio)
    )
    features: Features = {"conv0": _stem(in_chans, width)}
    for number, transition in enumerate(transitions, start=1):
        for index in range(units):
            module, width = unit(width, transition, index == 0)
            features[f"stage{number}_unit{index + 1}"] = module
        features[f"transition{number}"] = _transition(width, transition)
        width = transition
    return {**features, "norm5": BatchNormAct2d(width)}


def _hidden_widths(units: int, growth: int) -> list[int]:
    """Channels of a DenseNet's stem and after its transitions; 90-60: 120, 480, 660, 750."""
    widths = [2 * growth]
    for _ in range(BLOCKS):
        widths.append((widths[-1] + units * growth) // 2)
    return widths


def _transition(in_chs: int, out_chs: int) -> DenseTransition:
    """A transition to half the size, odd sides rounded up, as a strided convolution does."""
    transition = DenseTransition(in_chs, out_chs)
    transition.pool = nn.AvgPool2d(2, 2, ceil_mode=True)
    return transition


def _stem(in_chans: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(in_chans, width, 3, padding=1, bias=False)
