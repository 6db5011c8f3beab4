"""Residual students in the place of a DenseNet-90-60 teacher's dense blocks (Table 5).

First convolution, outputs of the transitions and last linear layer have the shapes of the
teacher's, which `teacher_depth_ratio` and `width_ratio` have shrunk.
"""

from functools import partial

from replication.architectures.layers import pre_resnet_as_dense, wide_resnet_as_dense
from replication.architectures.scaling import Ratio
from replication.networks.base import ImageNetwork, build
from replication.networks.pre_resnet import PreActBottleneck
from replication.networks.wide_resnet import WideBlock


class WideResNetAsDense(ImageNetwork):
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
        layers = wide_resnet_as_dense(
            units, relative_width, depth_ratio, teacher_depth_ratio, width_ratio
        )
        features, width = build(layers, in_chans, partial(WideBlock, dropout=dropout))
        super().__init__(features, width, num_classes, global_pool)


class PreResNetAsDense(ImageNetwork):
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
        layers = pre_resnet_as_dense(
            units, relative_width, depth_ratio, teacher_depth_ratio, width_ratio
        )
        features, width = build(layers, in_chans, PreActBottleneck)
        super().__init__(features, width, num_classes, global_pool)
