"""DenseNet-BC for small images (Huang et al. 2017), out of timm's dense blocks and transitions."""

from timm.models.densenet import DenseBlock

from replication.architectures.layers import BOTTLENECK, Block, Layer, densenet
from replication.architectures.scaling import Ratio
from replication.networks.base import ImageNetwork, build


def _dense_block(shape: Layer) -> DenseBlock:
    assert isinstance(shape, Block)
    return DenseBlock(
        shape.units,
        shape.in_chs,
        bn_size=BOTTLENECK,
        growth_rate=shape.growth,
    )


class DenseNet(ImageNetwork):
    """DenseNet-BC with three dense blocks and a 3×3 stem (Tables 1 to 4, `units` in each block).

    Bottlenecks are 4 times `growth` wide, the stem twice. A transition halves the channels and, by
    average pooling, both sides of the maps; `final_transition` puts one after the last block too.
    `depth_factor` and `compression_factor` give Table 4's students: so many times the units, and
    so many times the half of the channels that a transition removes. Growth follows, block by
    block, so that every transition leaves as many channels as with both factors at 1.
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
        features, width = build(layers, in_chans, _dense_block)
        super().__init__(features, width, num_classes, global_pool)
