"""Random crops and flips of whole batches (Zagoruyko & Komodakis 2016)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from replication.scale import ImageRecipe


@dataclass(frozen=True)
class Views:
    """Which view of each image is shown: the crop's corner and whether it is mirrored.

    ``top`` and ``left`` (n,) in [0, 2 · padding], ``mirrored`` (n,) booleans.
    """

    top: Tensor
    left: Tensor
    mirrored: Tensor

    @classmethod
    def draw(cls, n: int, recipe: ImageRecipe, generator: torch.Generator) -> "Views":
        """Draw one of the (2 · padding + 1)² crops and its mirroring for each of n images."""
        corners = torch.randint(2 * recipe.crop_padding + 1, (2, n), generator=generator)
        mirrored = torch.rand(n, generator=generator) < (0.5 if recipe.flip else 0.0)
        return cls(corners[0], corners[1], mirrored)

    def to(self, device: torch.device) -> "Views":
        """The same views on another device."""
        return Views(self.top.to(device), self.left.to(device), self.mirrored.to(device))

    def at(self, index: slice) -> "Views":
        """The views of some of the images."""
        return Views(self.top[index], self.left[index], self.mirrored[index])


class Augmenter:
    """Training images, reflected at their borders once, from which batches of views are cut."""

    def __init__(self, images: Tensor, recipe: ImageRecipe) -> None:
        """Take all training images (n, channels, height, width)."""
        self.height, self.width = images.shape[-2:]
        self.identity = recipe.crop_padding == 0 and not recipe.flip
        padded = pad(images, [recipe.crop_padding] * 4, mode="reflect")
        # Pixels last: a batch is one gather of pixels, and comes out in the fast memory format.
        self.pixels = padded.permute(0, 2, 3, 1).contiguous()

    def __call__(self, index: Tensor, views: Views) -> Tensor:
        """Cut a view of each image in ``index`` (b,): (b, channels, height, width)."""
        if self.identity:
            return self.pixels[index].permute(0, 3, 1, 2)
        device = index.device
        rows = views.top[:, None] + torch.arange(self.height, device=device)
        across = torch.arange(self.width, device=device).expand(len(index), -1)
        across = torch.where(views.mirrored[:, None], self.width - 1 - across, across)
        columns = views.left[:, None] + across
        batch = self.pixels[index[:, None, None], rows[:, :, None], columns[:, None, :]]
        return batch.permute(0, 3, 1, 2)
