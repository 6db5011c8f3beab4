"""DenseNet-BC for small images (Huang et al. 2017), out of timm's dense blocks and transitions."""

from collections import OrderedDict
from fractions import Fraction
from math import sqrt

from timm.layers.norm_act import BatchNormAct2d
from timm.models.densenet import DenseBlock, DenseLayer, DenseTransition
from torch import nn

from replication.networks.base import ImageNetwork
from replication.networks.ratios import Ratio, scaled

BLOCKS = 3


def hidden_widths(units: int, growth: int) -> list[int]:
    """Widths of the stem and after each of the three transitions, in channels.

    For DenseNet-90-60, 14 units of growth 60: 120, 480, 660, 750.
    """
    widths = [2 * growth]
    for _ in range(BLOCKS):
        widths.append((widths[-1] + units * growth) // 2)
    return widths


class DenseNet(ImageNetwork):
    """DenseNet-BC with three dense blocks and a 3×3 stem (Tables 1 to 4, `units` in each block).

    Bottlenecks are 4 times `growth` wide, the stem twice. A transition halves the channels and, by
    average pooling, both sides of the maps; `final_transition` puts one after the last block too.
    `depth_factor` and `compression_factor` give Table 4's students: so many times the units, and
    so many times the half of the channels that a transition removes. Growth follows, block by
    block, so that every transition leaves as many channels as with both factors at 1.
    `memory_efficient` recomputes concatenations in the backward pass (Pleiss et al. 2017).
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_chans: int = 3,
        global_pool: str = "avg",
        *,
        units: int,
        growth: int,
        depth_factor: Ratio = 1,
        compression_factor: Ratio = 1,
        final_transition: bool = True,
        memory_efficient: bool = False,
        depth_ratio: Ratio = 1,
        width_ratio: Ratio = 1,
    ) -> None:
        units, growth = scaled(units, depth_ratio), scaled(growth, width_ratio)
        width, *transitions = hidden_widths(units, growth)
        student_units = scaled(units, depth_factor)
        kept = 1 - Fraction(str(compression_factor)) / 2
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["conv0"] = nn.Conv2d(in_chans, width, 3, padding=1, bias=False)
        for block, transition in enumerate(transitions, start=1):
            full_width = (width + units * growth) / (2 * kept)
            student_growth = max(1, round((full_width - width) / student_units))
            layers[f"denseblock{block}"] = DenseBlock(
                student_units,
                width,
                bn_size=4,
                growth_rate=student_growth,
                grad_checkpointing=memory_efficient,
            )
            width += student_units * student_growth
            if block < BLOCKS or final_transition:
                layers[f"transition{block}"] = DenseTransition(width, transition)
                width = transition
        layers["norm5"] = BatchNormAct2d(width)
        super().__init__(nn.Sequential(layers), width, num_classes, global_pool)
        if memory_efficient:
            self._count_recomputed_statistics_once()

    def _count_recomputed_statistics_once(self) -> None:
        # Recomputation updates the running statistics of norm1 a second time with the same batch;
        # two updates of this momentum are one of the usual momentum.
        for module in self.modules():
            if isinstance(module, DenseLayer):
                norm = module.get_submodule("norm1")
                assert isinstance(norm, BatchNormAct2d)
                assert norm.momentum is not None
                norm.momentum = 1 - sqrt(1 - norm.momentum)
