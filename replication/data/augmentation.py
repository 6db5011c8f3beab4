"""Random crops and flips of whole batches (Zagoruyko & Komodakis 2016)."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from replication.config.scale import ImageRecipe
from replication.data.answering import count_views


def draw_views(n: int, recipe: ImageRecipe, generator: torch.Generator) -> Tensor:
    """Draw a view (n,) in [0, `count_views`) for each of n images, uniformly."""
    side = 2 * recipe.crop_padding + 1
    corners = torch.randint(side, (2, n), generator=generator)
    mirrored = torch.rand(n, generator=generator) < (0.5 if recipe.flip else 0.0)
    return (mirrored * side + corners[0]) * side + corners[1]


class Augmenter:
    """Training images, reflected at their borders once, from which batches of views are cut."""

    def __init__(self, images: Tensor, recipe: ImageRecipe) -> None:
        """Take all training images (n, channels, height, width)."""
        self.height, self.width = images.shape[-2:]
        self.side = 2 * recipe.crop_padding + 1
        self.views = count_views(recipe)
        padded = pad(images, [recipe.crop_padding] * 4, mode="reflect")
        # Pixels last: a batch is one gather of pixels, and comes out in the fast memory format.
        self.pixels = padded.permute(0, 2, 3, 1).contiguous()
        self.rows = torch.arange(self.height, device=images.device)
        self.columns = torch.arange(self.width, device=images.device)

    def __call__(self, index: Tensor, views: Tensor) -> Tensor:
        """Cut its view of each image in ``index`` (b,): (b, channels, height, width)."""
        if self.views == 1:
            return self.pixels[index].permute(0, 3, 1, 2)
        corners, mirrored = views % self.side**2, views >= self.side**2
        rows = (corners // self.side)[:, None] + self.rows
        across = torch.where(mirrored[:, None], self.width - 1 - self.columns, self.columns)
        columns = (corners % self.side)[:, None] + across
        batch = self.pixels[index[:, None, None], rows[:, :, None], columns[:, None, :]]
        return batch.permute(0, 3, 1, 2)
