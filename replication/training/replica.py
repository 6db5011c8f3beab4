"""A network as one of several processes trains it: gradients and statistics of the whole batch."""

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.functional import batch_norm
from torch.nn.parallel import DistributedDataParallel

from replication.training.parallel import Group, all_reduce


def spread(network: nn.Module, group: Group) -> nn.Module:
    """What to call in a training step; on its own, a process calls the network.

    Parameters and statistics stay in the network, under the names that they have.
    """
    if group.size == 1:
        return network
    synchronise(network, next(network.parameters()).device)
    # `Group.gather` lets every process have the gradient of all losses, which are as many as there
    # are processes and all the same: their average is the gradient of one.
    return DistributedDataParallel(network)


def synchronise(network: nn.Module, device: torch.device) -> None:
    """Have every batch normalisation below a network use the whole batch's statistics.

    On a GPU the layers are torch's own, by timm.
    """
    for name, child in network.named_children():
        if device.type == "cuda":
            setattr(network, name, convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
        elif isinstance(child, nn.BatchNorm2d):
            setattr(network, name, SynchronisedBatchNorm(child))
        else:
            synchronise(child, device)


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """What torch's `SyncBatchNorm` computes, which has it for GPUs only; and timm's activation.

    Takes over the parameters, statistics and names of a layer.
    """

    def __init__(self, layer: nn.BatchNorm2d) -> None:
        assert layer.momentum is not None
        super().__init__(layer.num_features, layer.eps, layer.momentum)
        self.__dict__.update(vars(layer))
        self.drop = getattr(layer, "drop", nn.Identity())
        self.act = getattr(layer, "act", nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """Maps (b, channels, height, width) to the same shape, b images being this process's."""
        if self.training:
            single = torch.promote_types(x.dtype, torch.float32)
            normal = self._by_the_batch(x.to(single)).to(x.dtype)
        else:
            assert self.running_mean is not None
            normal = batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        out: Tensor = self.act(self.drop(normal))
        return out

    def _by_the_batch(self, x: Tensor) -> Tensor:
        dims, of_channels = (0, 2, 3), (1, -1, 1, 1)
        count = x.new_tensor([x.numel() / x.shape[1]])
        total = all_reduce(torch.cat([x.sum(dims), count]))
        count = total[-1].detach()
        mean = total[:-1] / count
        centred = x - mean.view(of_channels)
        variance = all_reduce(centred.square().sum(dims)) / count
        self._keep(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale.view(of_channels) + self.bias.view(of_channels)

    @torch.no_grad()
    def _keep(self, mean: Tensor, unbiased: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased, self.momentum)
        self.num_batches_tracked += 1
