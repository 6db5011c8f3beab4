"""Random crops and flips of whole batches (Zagoruyko & Komodakis 2016)."""

import torch
from torch import Tensor
from torch.nn.functional import pad


def count_views(crop_padding: int, flip: bool) -> int:
    """The number of views of an image: (2 · crop_padding + 1)² crops, twice with flips."""
    return (2 * crop_padding + 1) ** 2 * (2 if flip else 1)


def draw_views(n: int, crop_padding: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Draw a view (n,) in [0, `count_views`) for each of n images, uniformly."""
    side = 2 * crop_padding + 1
    corners = torch.randint(side, (2, n), generator=generator)
    mirrored = torch.rand(n, generator=generator) < (0.5 if flip else 0.0)
    return (mirrored * side + corners[0]) * side + corners[1]


class Augmenter:
    """Cuts batches of views out of the training images, which it pads once by reflection."""

    def __init__(self, images: Tensor, crop_padding: int, flip: bool) -> None:
        """Take all training images (n, channels, height, width)."""
        self.height, self.width = images.shape[-2:]
        self.side = 2 * crop_padding + 1
        self.views = count_views(crop_padding, flip)
        padded = pad(images, [crop_padding] * 4, mode="reflect")
        # Channels last: a batch is one gather of pixels, and comes out in the fast memory format.
        self.pixels = padded.permute(0, 2, 3, 1).contiguous()
        self.rows = torch.arange(self.height, device=images.device)
        self.columns = torch.arange(self.width, device=images.device)

    def __call__(self, index: Tensor, views: Tensor) -> Tensor:
        """The ``views`` (b,) of the images at ``index`` (b,): (b, channels, height, width)."""
        if self.views == 1:
            return self.pixels[index].permute(0, 3, 1, 2)
        corners, mirrored = views % self.side**2, views >= self.side**2
        rows = (corners // self.side)[:, None] + self.rows
        across = torch.where(mirrored[:, None], self.width - 1 - self.columns, self.columns)
        columns = (corners % self.side)[:, None] + across
        batch = self.pixels[index[:, None, None], rows[:, :, None], columns[:, None, :]]
        return batch.permute(0, 3, 1, 2)
