"""DenseNet-BC for small images (Huang et al. 2017), out of timm's dense blocks and transitions."""

from functools import partial
from math import sqrt

from timm.layers.norm_act import BatchNormAct2d
from timm.models.densenet import DenseBlock, DenseLayer

from replication.architecture import BOTTLENECK, Block, Layer, densenet
from replication.networks.base import ImageNetwork, build
from replication.ratios import Ratio


def _dense_block(shape: Layer, memory_efficient: bool) -> DenseBlock:
    assert isinstance(shape, Block)
    return DenseBlock(
        shape.units,
        shape.in_chs,
        bn_size=BOTTLENECK,
        growth_rate=shape.growth,
        grad_checkpointing=memory_efficient,
    )


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
        layers = densenet(
            units,
            growth,
            depth_factor,
            compression_factor,
            final_transition,
            depth_ratio,
            width_ratio,
        )
        make = partial(_dense_block, memory_efficient=memory_efficient)
        features, width = build(layers, in_chans, make)
        super().__init__(features, width, num_classes, global_pool)
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
