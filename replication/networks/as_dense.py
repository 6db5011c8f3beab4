"""Residual students in the place of a DenseNet-90-60 teacher's dense blocks (Table 5)."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from timm.layers.norm_act import BatchNormAct2d
from timm.models.densenet import DenseTransition
from torch import nn

from replication.networks.base import ImageNetwork, Ratio, scaled
from replication.networks.densenet import hidden_widths
from replication.networks.pre_resnet import PreActBottleneck
from replication.networks.wide_resnet import WideBlock

TEACHER_UNITS, TEACHER_GROWTH = 14, 60


class AsDense(ImageNetwork):
    """DenseNet-90-60 with `units` residual units for each dense block, between its own transitions.

    The units of a stage are `relative_width` times as wide as what the teacher's transition leaves.
    First convolution, outputs of the transitions and last linear layer have the shapes of the
    teacher's, which `teacher_depth_ratio` and `width_ratio` have shrunk; `depth_ratio` shrinks the
    student's own `units`.
    """

    def __init__(
        self,
        num_classes: int,
        in_chans: int,
        global_pool: str,
        *,
        unit: Callable[[int, int], nn.Module],
        units: int,
        relative_width: Ratio,
        depth_ratio: Ratio,
        teacher_depth_ratio: Ratio,
        width_ratio: Ratio,
    ) -> None:
        stem, *transitions = hidden_widths(
            scaled(TEACHER_UNITS, teacher_depth_ratio), scaled(TEACHER_GROWTH, width_ratio)
        )
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv0"] = nn.Conv2d(in_chans, stem, 3, padding=1, bias=False)
        width = stem
        for stage, transition in enumerate(transitions, start=1):
            out_chs = scaled(transition, relative_width)
            for index in range(scaled(units, depth_ratio)):
                layers[f"stage{stage}_unit{index + 1}"] = unit(width, out_chs)
                width = out_chs
            layers[f"transition{stage}"] = DenseTransition(width, transition)
            width = transition
        layers["norm5"] = BatchNormAct2d(width)
        super().__init__(nn.Sequential(layers), width, num_classes, global_pool)


class WideResNetAsDense(AsDense):
    """BAN-Wide-ResNet-n-r (Table 5): n `units` of two 3×3 convolutions, r = `relative_width`."""

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        units: int,
        relative_width: Ratio,
        dropout: float = 0.3,
        depth_ratio: Ratio = 1,
        teacher_depth_ratio: Ratio = 1,
        width_ratio: Ratio = 1,
    ) -> None:
        super().__init__(
            num_classes,
            in_chans,
            global_pool,
            unit=partial(WideBlock, stride=1, dropout=dropout),
            units=units,
            relative_width=relative_width,
            depth_ratio=depth_ratio,
            teacher_depth_ratio=teacher_depth_ratio,
            width_ratio=width_ratio,
        )


class PreResNetAsDense(AsDense):
    """BAN-Pre-ResNet-n-r (Table 5): n `units`, pre-activation bottlenecks, r = `relative_width`."""

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        units: int,
        relative_width: Ratio,
        depth_ratio: Ratio = 1,
        teacher_depth_ratio: Ratio = 1,
        width_ratio: Ratio = 1,
    ) -> None:
        super().__init__(
            num_classes,
            in_chans,
            global_pool,
            unit=partial(PreActBottleneck, stride=1),
            units=units,
            relative_width=relative_width,
            depth_ratio=depth_ratio,
            teacher_depth_ratio=teacher_depth_ratio,
            width_ratio=width_ratio,
        )
