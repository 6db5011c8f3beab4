"""Residual students in the place of a DenseNet-90-60 teacher's dense blocks (Table 5)."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from fractions import Fraction

from timm.layers.norm_act import BatchNormAct2d
from timm.models.densenet import DenseTransition
from torch import nn

from replication.networks.base import ImageNetwork
from replication.networks.densenet import hidden_widths
from replication.networks.pre_resnet import PreActBottleneck
from replication.networks.ratios import Ratio, scaled
from replication.networks.wide_resnet import WideBlock

TEACHER_UNITS, TEACHER_GROWTH = 14, 60

Stage = Callable[[int, int], Iterable[WideBlock | PreActBottleneck]]


class AsDense(ImageNetwork):
    """DenseNet-90-60 with a `stage` of residual units for each dense block.

    `stage` makes the units, given the widths before the stage and after the teacher's transition.
    First convolution, outputs of the transitions and last linear layer have the shapes of the
    teacher's, which `teacher_depth_ratio` and `width_ratio` have shrunk.
    """

    def __init__(
        self,
        num_classes: int,
        in_chans: int,
        global_pool: str,
        stage: Stage,
        teacher_depth_ratio: Ratio,
        width_ratio: Ratio,
    ) -> None:
        width, *transitions = hidden_widths(
            scaled(TEACHER_UNITS, teacher_depth_ratio), scaled(TEACHER_GROWTH, width_ratio)
        )
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv0"] = nn.Conv2d(in_chans, width, 3, padding=1, bias=False)
        for number, transition in enumerate(transitions, start=1):
            for index, unit in enumerate(stage(width, transition), start=1):
                layers[f"stage{number}_unit{index}"] = unit
                width = unit.out_chs
            layers[f"transition{number}"] = DenseTransition(width, transition)
            width = transition
        layers["norm5"] = BatchNormAct2d(width)
        super().__init__(nn.Sequential(layers), width, num_classes, global_pool)


class WideResNetAsDense(AsDense):
    """BAN-Wide-ResNet-n-r (Table 5): n `units` of two 3×3 convolutions, r = `relative_width`.

    Units are r times as wide as the teacher's map after the transition; `depth_ratio` shrinks n.
    """

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
        def stage(width: int, transition: int) -> Iterable[WideBlock]:
            out_chs = scaled(transition, relative_width)
            for unit in range(scaled(units, depth_ratio)):
                yield WideBlock(width if unit == 0 else out_chs, out_chs, 1, dropout)

        super().__init__(
            num_classes, in_chans, global_pool, stage, teacher_depth_ratio, width_ratio
        )


class PreResNetAsDense(AsDense):
    """BAN-Pre-ResNet-n-r (Table 5): n `units`, pre-activation bottlenecks, r = `relative_width`.

    Units keep the width with which the stage begins; their bottlenecks have r / 4 times the
    channels of the teacher's map after the transition. `depth_ratio` shrinks n.
    """

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
        def stage(width: int, transition: int) -> Iterable[PreActBottleneck]:
            bottleneck = scaled(transition, Fraction(str(relative_width)) / 4)
            for unit in range(scaled(units, depth_ratio)):
                yield PreActBottleneck(width, bottleneck, width, stride=1, project=unit == 0)

        super().__init__(
            num_classes, in_chans, global_pool, stage, teacher_depth_ratio, width_ratio
        )
