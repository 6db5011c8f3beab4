"""What is trained: networks of the paper, on Fashion-MNIST padded to 32×32."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

import replication.networks  # noqa: F401  (registers the networks with timm)
from replication.data.image_files import fashion_mnist

BATCH = 128
CLASSES = 10
SIDE = 32
CROP_PADDING = 4
# Wide-ResNet's recipe (Zagoruyko & Komodakis 2016), the same for everybody.
SGD: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}


@dataclass(frozen=True)
class Case:
    """A network, by timm's name and arguments, and how many steps a round of it takes."""

    name: str
    network: str
    arguments: dict[str, Any] = field(default_factory=dict)
    steps: int = 10
    needs_gpu: bool = False

    def build(self, seed: int = 0) -> nn.Module:
        """The network with new weights."""
        torch.manual_seed(seed)
        network: nn.Module = timm.create_model(
            self.network, in_chans=1, num_classes=CLASSES, **self.arguments
        )
        return network


def wide_resnet_16(k: int, steps: int = 10) -> Case:
    """Wide-ResNet-16-k: the paper's 28 layers at half the depth."""
    arguments = {"depth_ratio": "1/2", "widening": k, "dropout": 0.0}
    return Case(f"Wide-ResNet-16-{k}", "wide_resnet_28_1", arguments, steps)


CASES = {
    case.name: case
    for case in (
        wide_resnet_16(1),
        Case("Wide-ResNet-28-2", "wide_resnet_28_2", {"dropout": 0.0}, steps=3),
        Case("DenseNet-BC-3-12", "densenet_90_60", {"units": 3, "growth": 12}, steps=5),
        # As the paper's scale has it: what drawing the masks costs everybody.
        Case(
            "Wide-ResNet-16-1, drop-out 0.3",
            "wide_resnet_28_1",
            {"depth_ratio": "1/2", "dropout": 0.3},
            steps=8,
        ),
        Case("Wide-ResNet-28-10", "wide_resnet_28_10", {"dropout": 0.0}, 20, needs_gpu=True),
        Case("DenseNet-90-60", "densenet_90_60", {}, 20, needs_gpu=True),
    )
}


@dataclass(frozen=True)
class Pictures:
    """Training images (n, 32, 32) in uint8 with a border of zeros, and labels (n,) in int64.

    ``mean`` and ``std`` are those of the padded pixels in [0, 1].
    """

    pixels: Tensor
    labels: Tensor
    mean: float
    std: float

    @classmethod
    def of(cls, pixels: Tensor, labels: Tensor) -> "Pictures":
        """Images (n, side, side) in uint8, padded to 32×32, with their statistics."""
        border = (SIDE - pixels.shape[-1]) // 2
        pixels = pad(pixels, [border] * 4)
        counts = torch.bincount(pixels.flatten(), minlength=256).double()
        values = torch.arange(256, dtype=torch.float64) / 255
        mean = (counts * values).sum() / counts.sum()
        variance = (counts * (values - mean) ** 2).sum() / counts.sum()
        return cls(pixels, labels, mean.item(), variance.sqrt().item())

    @property
    def normalised(self) -> Tensor:
        """The images (n, 1, 32, 32) in float32 with mean 0 and variance 1."""
        return (self.pixels[:, None] / 255 - self.mean) / self.std

    def first(self, n: int) -> "Pictures":
        """The first n, with the statistics of all."""
        return Pictures(self.pixels[:n], self.labels[:n], self.mean, self.std)


def load_pictures(root: Path) -> Pictures:
    """Fashion-MNIST's 60,000 training images, as the suite reads them."""
    train, _ = fashion_mnist(root, download=True)
    return Pictures.of((train.images[:, 0] * 255).round().byte(), train.labels)
