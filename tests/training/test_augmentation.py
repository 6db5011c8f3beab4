"""Augmentation: crops and flips like torchvision's, drawn uniformly."""

import pytest
import torch
from torchvision.transforms import v2

from replication.training.image_trainer import Augmenter, draw_views


@pytest.mark.parametrize("flip", [False, True])
def test_views_are_torchvisions_reflected_crops_and_flips(flip: bool) -> None:
    pictures = torch.randn(60, 3, 10, 14, generator=torch.Generator().manual_seed(0))
    views = draw_views(60, 3, flip, torch.Generator().manual_seed(1))
    index = torch.randperm(60, generator=torch.Generator().manual_seed(2))
    augmented = Augmenter(pictures, 3, flip)(index, views)
    pad = v2.Pad(3, padding_mode="reflect")
    for i, image in enumerate(pictures[index]):
        mirrored, corner = divmod(int(views[i]), 7 * 7)
        expected = v2.functional.crop(pad(image), *divmod(corner, 7), 10, 14)
        if mirrored:
            expected = v2.functional.horizontal_flip(expected)
        assert torch.equal(augmented[i], expected)
    assert bool((views >= 7 * 7).any()) == flip


def test_every_crop_is_drawn_equally_often_and_half_are_mirrored() -> None:
    views = draw_views(81 * 200, 4, True, torch.Generator().manual_seed(0))
    counts = torch.bincount(views % 81, minlength=81)
    assert len(counts) == 81
    assert 140 < int(counts.min()) < int(counts.max()) < 260
    assert (views >= 81).double().mean().item() == pytest.approx(0.5, abs=0.02)


def test_views_are_counted() -> None:
    pictures = torch.zeros(1, 1, 8, 8)
    settings = [(0, False), (0, True), (4, True)]
    assert [Augmenter(pictures, *setting).views for setting in settings] == [1, 2, 162]
