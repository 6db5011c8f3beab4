"""The image networks' layers in order, with their widths after scaling by the ratios.

The classes of `replication.networks` build their modules from these.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import NamedTuple

from replication.architectures.scaling import Ratio, scaled

BLOCKS = 3
BOTTLENECK = 4
TEACHER_UNITS, TEACHER_GROWTH = 14, 60


class Stem(NamedTuple):
    """The first 3×3 convolution."""

    out_chs: int


class WideUnit(NamedTuple):
    """A residual unit of two 3×3 convolutions; a 1×1 shortcut where its ends differ."""

    in_chs: int
    out_chs: int
    stride: int

    @property
    def project(self) -> bool:
        """Whether the shortcut is a convolution."""
        return self.stride != 1 or self.in_chs != self.out_chs


class BottleneckUnit(NamedTuple):
    """A residual unit of a 1×1, a 3×3 and a 1×1 convolution; `project`: a 1×1 shortcut."""

    in_chs: int
    bottleneck: int
    out_chs: int
    stride: int
    project: bool


class Block(NamedTuple):
    """A dense block: `units` layers that add `growth` channels each."""

    in_chs: int
    units: int
    growth: int

    @property
    def out_chs(self) -> int:
        """Channels after the last unit."""
        return self.in_chs + self.units * self.growth


class Transition(NamedTuple):
    """A 1×1 convolution and an average pooling that halves both sides."""

    in_chs: int
    out_chs: int


class Norm(NamedTuple):
    """The last normalisation."""

    out_chs: int


Layer = Stem | WideUnit | BottleneckUnit | Block | Transition | Norm
Layers = dict[str, Layer]
"""Layers by their names in `features`, in their order."""


def wide_resnet(widening: int, depth_ratio: Ratio = 1, width_ratio: Ratio = 1) -> Layers:
    """Wide-ResNet-28-k, k = `widening`: three groups of 4 units."""
    width = scaled(16, width_ratio)
    layers: Layers = {"conv0": Stem(width)}
    for group, base in enumerate((16, 32, 64), start=1):
        out_chs = scaled(base * widening, width_ratio)
        for unit in range(scaled(4, depth_ratio)):
            stride = 2 if group > 1 and unit == 0 else 1
            layers[f"group{group}_unit{unit + 1}"] = WideUnit(width, out_chs, stride)
            width = out_chs
    return {**layers, "norm": Norm(width)}


def pre_resnet(units: int, depth_ratio: Ratio = 1, width_ratio: Ratio = 1) -> Layers:
    """Pre-activation ResNet with `units` bottlenecks in each of three stages."""
    width = scaled(16, width_ratio)
    layers: Layers = {"conv0": Stem(width)}
    for stage, base in enumerate((64, 128, 256), start=1):
        out_chs = scaled(base, width_ratio)
        for unit in range(scaled(units, depth_ratio)):
            stride = 2 if stage > 1 and unit == 0 else 1
            layers[f"stage{stage}_unit{unit + 1}"] = BottleneckUnit(
                width, scaled(out_chs, "1/4"), out_chs, stride, project=unit == 0
            )
            width = out_chs
    return {**layers, "norm": Norm(width)}


def hidden_widths(units: int, growth: int) -> list[int]:
    """Widths of a DenseNet's stem and after each of the three transitions, in channels.

    For DenseNet-90-60, 14 units of growth 60: 120, 480, 660, 750.
    """
    widths = [2 * growth]
    for _ in range(BLOCKS):
        widths.append((widths[-1] + units * growth) // 2)
    return widths


def densenet(
    units: int,
    growth: int,
    depth_factor: Ratio = 1,
    compression_factor: Ratio = 1,
    final_transition: bool = True,
    depth_ratio: Ratio = 1,
    width_ratio: Ratio = 1,
) -> Layers:
    """DenseNet-BC with three dense blocks, and Table 4's students of it.

    `depth_factor` gives so many times the units, `compression_factor` removes so many times the
    half of the channels in a transition. Growth follows, block by block, so that every transition
    leaves as many channels as with both factors at 1.
    """
    units, growth = scaled(units, depth_ratio), scaled(growth, width_ratio)
    width, *transitions = hidden_widths(units, growth)
    student_units = scaled(units, depth_factor)
    kept = 1 - Fraction(str(compression_factor)) / 2
    layers: Layers = {"conv0": Stem(width)}
    for number, transition in enumerate(transitions, start=1):
        full_width = (width + units * growth) / (2 * kept)
        student_growth = max(1, round((full_width - width) / student_units))
        block = Block(width, student_units, student_growth)
        layers[f"denseblock{number}"], width = block, block.out_chs
        if number < BLOCKS or final_transition:
            layers[f"transition{number}"] = Transition(width, transition)
            width = transition
    return {**layers, "norm5": Norm(width)}


def wide_resnet_as_dense(
    units: int,
    relative_width: Ratio,
    depth_ratio: Ratio = 1,
    teacher_depth_ratio: Ratio = 1,
    width_ratio: Ratio = 1,
) -> Layers:
    """BAN-Wide-ResNet-n-r (Table 5): units r times as wide as the teacher's transition."""

    def stage(width: int, transition: int) -> Iterable[WideUnit]:
        out_chs = scaled(transition, relative_width)
        for unit in range(scaled(units, depth_ratio)):
            yield WideUnit(width if unit == 0 else out_chs, out_chs, 1)

    return _as_dense(stage, teacher_depth_ratio, width_ratio)


def pre_resnet_as_dense(
    units: int,
    relative_width: Ratio,
    depth_ratio: Ratio = 1,
    teacher_depth_ratio: Ratio = 1,
    width_ratio: Ratio = 1,
) -> Layers:
    """BAN-Pre-ResNet-n-r (Table 5): bottlenecks r / 4 times as wide as the teacher's transition."""

    def stage(width: int, transition: int) -> Iterable[BottleneckUnit]:
        bottleneck = scaled(transition, Fraction(str(relative_width)) / 4)
        for unit in range(scaled(units, depth_ratio)):
            yield BottleneckUnit(width, bottleneck, width, 1, project=unit == 0)

    return _as_dense(stage, teacher_depth_ratio, width_ratio)


def _as_dense(
    stage: Callable[[int, int], Iterable[WideUnit | BottleneckUnit]],
    teacher_depth_ratio: Ratio,
    width_ratio: Ratio,
) -> Layers:
    """DenseNet-90-60 with a `stage` of residual units for each dense block.

    `stage` makes the units, given the widths before the stage and after the teacher's transition.
    """
    width, *transitions = hidden_widths(
        scaled(TEACHER_UNITS, teacher_depth_ratio), scaled(TEACHER_GROWTH, width_ratio)
    )
    layers: Layers = {"conv0": Stem(width)}
    for number, transition in enumerate(transitions, start=1):
        for index, unit in enumerate(stage(width, transition), start=1):
            layers[f"stage{number}_unit{index}"] = unit
            width = unit.out_chs
        layers[f"transition{number}"] = Transition(width, transition)
        width = transition
    return {**layers, "norm5": Norm(width)}


# Table 6, at ratio 1.
LSTM_WIDTH = 1500
CNN_LSTM_WIDTH = 650
CNN_LSTM_LAYERS = 2
CHARACTER_SIZE = 15
FEATURE_MAPS = tuple(min(200, 50 * width) for width in range(1, 8))
