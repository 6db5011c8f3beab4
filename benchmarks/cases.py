"""What is trained: networks of the paper on Fashion-MNIST, at 32×32, 16×16 or 14×14 pixels."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

import replication.networks  # noqa: F401  (registers the networks with timm)
from replication.data.image_files import fashion_mnist

CLASSES = 10
# Wide-ResNet's recipe (Zagoruyko & Komodakis 2016), the same for everybody.
SGD: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, "nesterov": True}


@dataclass(frozen=True)
class Case:
    """A network, by timm's name and arguments, and how many steps a round of it takes.

    Images have this ``side`` and come in batches of ``batch``; with ``augmented``, cropped after a
    padding of 4 pixels and flipped.
    """

    name: str
    network: str
    arguments: dict[str, Any] = field(default_factory=dict)
    steps: int = 10
    needs_gpu: bool = False
    side: int = 32
    batch: int = 128
    augmented: bool = True

    @property
    def crop_padding(self) -> int:
        """Pixels around an image before a random crop."""
        return 4 if self.augmented else 0

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


def at_scale(
    name: str, network: str, width_ratio: str, side: int, batch: int, **arguments: Any
) -> Case:
    """A network of a small scale: few pixels, without augmentation, at the scale's depth."""
    return Case(
        f"{name}, {side}×{side}, batch {batch}",
        network,
        {"width_ratio": width_ratio, **arguments},
        steps=SMALL_ROUND // batch,
        side=side,
        batch=batch,
        augmented=False,
    )


SMALL_ROUND = 640
"""Images in a round of a network of a small scale."""
WIDE: dict[str, Any] = {"depth_ratio": "1/4", "dropout": 0.0}
DENSE: dict[str, Any] = {"depth_ratio": "1/7"}

CASES = {
    case.name: case
    for case in (
        # Depth, width, pixels and batch are those of `fashion`, then those of `cifar`. Channels and
        # classes are Fashion-MNIST's, which changes the first and the last layer alone.
        at_scale("Wide-ResNet-28-10", "wide_resnet_28_10", "3/20", 14, 32, **WIDE),
        at_scale("DenseNet-90-60", "densenet_90_60", "4/15", 14, 32, **DENSE),
        at_scale("Wide-ResNet-28-10", "wide_resnet_28_10", "3/10", 16, 64, **WIDE),
        at_scale("DenseNet-90-60", "densenet_90_60", "8/15", 16, 64, **DENSE),
        wide_resnet_16(1),
        Case("DenseNet-BC-3-12", "densenet_90_60", {"units": 3, "growth": 12}, steps=5),
        Case("Wide-ResNet-28-2", "wide_resnet_28_2", {"dropout": 0.0}, 20, needs_gpu=True),
        Case("Wide-ResNet-28-10", "wide_resnet_28_10", {"dropout": 0.0}, 20, needs_gpu=True),
        Case("DenseNet-90-60", "densenet_90_60", {}, 20, needs_gpu=True),
    )
}


@dataclass(frozen=True)
class Pictures:
    """Training images (n, side, side) in uint8, and labels (n,) in int64.

    ``mean`` and ``std`` are those of the pixels in [0, 1].
    """

    pixels: Tensor
    labels: Tensor
    mean: float
    std: float

    @classmethod
    def of(cls, pixels: Tensor, labels: Tensor, side: int = 32) -> "Pictures":
        """Images (n, 28, 28) in uint8 at this side, with their statistics.

        They are padded to the next multiple of the side, and averaged from there.
        """
        pool = -(-pixels.shape[-1] // side)
        pixels = pad(pixels, [(pool * side - pixels.shape[-1]) // 2] * 4)
        if pool > 1:
            pixels = avg_pool2d(pixels[:, None].float(), pool)[:, 0].round().byte()
        counts = torch.bincount(pixels.flatten(), minlength=256).double()
        values = torch.arange(256, dtype=torch.float64) / 255
        mean = (counts * values).sum() / counts.sum()
        variance = (counts * (values - mean) ** 2).sum() / counts.sum()
        return cls(pixels, labels, mean.item(), variance.sqrt().item())

    @property
    def normalised(self) -> Tensor:
        """The images (n, 1, side, side) in float32 with mean 0 and variance 1."""
        return (self.pixels[:, None] / 255 - self.mean) / self.std

    def first(self, n: int) -> "Pictures":
        """The first n, with the statistics of all."""
        return Pictures(self.pixels[:n], self.labels[:n], self.mean, self.std)


def load_pictures(root: Path, side: int) -> Pictures:
    """Fashion-MNIST's 60,000 training images, as the suite reads them."""
    train, _ = fashion_mnist(root, download=True)
    return Pictures.of(train.images[:, 0], train.labels, side)


def random_pictures(side: int, n: int = 60_000) -> Pictures:
    """Noise in the place of Fashion-MNIST: speed does not depend on what images show."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (n, 28, 28), generator=generator, dtype=torch.uint8)
    return Pictures.of(pixels, torch.randint(CLASSES, (n,), generator=generator), side)
