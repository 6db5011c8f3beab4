"""Networks that were trained elsewhere see images normalised as theirs were, not as the study's."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Normalisation(NamedTuple):
    """What is subtracted from each channel of images in [0, 1], and what that is divided by."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, mean: Sequence[float], std: Sequence[float]) -> "Normalisation":
        """The normalisation with these numbers, one per channel."""
        return cls(tuple(map(float, mean)), tuple(map(float, std)))

    def __str__(self) -> str:
        mean, std = (", ".join(f"{value:.4g}" for value in values) for values in self)
        return f"mean [{mean}] and std [{std}]"


class WithOwnNormalisation(nn.Module):
    """A network that is shown images in the normalisation of a study, and sees them in its own.

    It maps images (n, channels, height, width), which are normalised by ``given``, to what
    ``network`` returns for the same images normalised by ``own``.
    """

    def __init__(self, network: nn.Module, given: Normalisation, own: Normalisation) -> None:
        super().__init__()
        self.network = network
        given_mean, given_std, own_mean, own_std = (
            torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (*given, *own)
        )
        self.register_buffer("factor", (given_std / own_std).float(), persistent=False)
        self.register_buffer("offset", ((given_mean - own_mean) / own_std).float(), False)

    def forward(self, images: Tensor) -> Tensor:
        """What the network returns for the images in its own normalisation."""
        renormalised = images * self.get_buffer("factor") + self.get_buffer("offset")
        logits: Tensor = self.network.forward(renormalised)
        return logits


def with_normalisation(
    network: nn.Module, given: Normalisation, own: Normalisation | None
) -> nn.Module:
    """The network itself, or one that sees images in its ``own`` normalisation if that differs."""
    if own is None or own == given:
        return network
    wrapped = WithOwnNormalisation(network, given, own).to(next(network.parameters()).device)
    return wrapped.train(network.training)
