"""Which images of a data set are used: subsets, held-out parts, pairs, and balanced choices.

Every choice is a function of the labels in the data set's own order and of a fixed random stream.
It defines the data of a scale, so it is the same for every run, whatever the run's seed.
"""

import hashlib

import torch
from torch import Tensor

from replication.data.specs import HELD_OUT


def shuffled(n: int, purpose: str) -> Tensor:
    """A fixed random order of n images (n,), one for each purpose."""
    return torch.randperm(n, generator=_generator(purpose))


def choose(labels: Tensor, count: int, purpose: str, balanced: bool) -> tuple[Tensor, Tensor]:
    """Choose ``count`` of n images with these labels (n,) at random; give the others as well.

    A balanced choice has the same number of images of every class, or is as close to that as
    possible: it has all images of a class that has too few, and equally many of the others, where a
    remainder gives one more image to classes that are drawn at random. Which images of a class are
    chosen depends on its number of images alone, a larger choice has all images of a smaller one,
    and the chosen images keep the order of the data set.
    """
    if not balanced:
        order = shuffled(len(labels), purpose)
        return order[:count], order[count:]
    numbers = torch.bincount(labels)
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label, quota in enumerate(balanced_counts(numbers.tolist(), count)):
        members = (labels == label).nonzero().flatten()
        chosen[members[shuffled(len(members), f"balanced {purpose}")[:quota]]] = True
    return chosen.nonzero().flatten(), (~chosen).nonzero().flatten()


def balanced_counts(available: list[int], count: int) -> list[int]:
    """How many images of each class make ``count`` in all, as equally as their numbers allow."""
    remaining, classes = count, len(available)
    for number in sorted(available):
        if number * classes > remaining:
            break
        remaining, classes = remaining - number, classes - 1
    if not classes:
        return available
    level, remainder = divmod(remaining, classes)
    order = shuffled(len(available), "classes").tolist()
    larger = [label for label in order if available[label] > level]
    one_more = set(larger[:remainder])
    return [min(number, level) + (label in one_more) for label, number in enumerate(available)]


def hold_out(labels: Tensor, balanced: bool) -> tuple[Tensor, Tensor]:
    """Split n images with these labels (n,) at random into those to train on and a fifth.

    Where ``balanced`` is true, the held-out part is a fifth of every class.
    """
    order = shuffled(len(labels), "validation")
    held_out = torch.arange(len(order)) < len(order) // HELD_OUT
    if balanced:
        order = order[labels[order].argsort(stable=True)]
        held_out = torch.arange(len(order)) % HELD_OUT == HELD_OUT - 1
    return order[~held_out], order[held_out]


def pair_items(total: int, count: int) -> Tensor:
    """Which single items are on the left and on the right in a data set of pairs: (2, count)."""
    return torch.randint(total, (2, count), generator=_generator("pairs"))


def balanced_pairs(labels: Tensor, count: int) -> Tensor:
    """Draw pairs of items with these labels (n,), equally many of every pair of classes.

    Left and right are (2, count). The pairs of classes come in a random order; of a class, each
    item is drawn with the same probability, with replacement.
    """
    classes = int(labels.max()) + 1
    numbers = torch.bincount(labels, minlength=classes)
    starts = numbers.cumsum(0) - numbers
    items = labels.argsort(stable=True)
    # A class without items is in no pair.
    pairs = (numbers[:, None] * numbers).flatten()
    quotas = torch.tensor(balanced_counts((pairs.sign() * count).tolist(), count))
    drawn = torch.arange(classes**2).repeat_interleave(quotas)[shuffled(count, "pairs of classes")]
    generator = _generator("balanced pairs")
    return torch.stack(
        [
            items[
                starts[side]
                + (
                    torch.rand(count, generator=generator, dtype=torch.float64) * numbers[side]
                ).long()
            ]
            for side in (drawn // classes, drawn % classes)
        ]
    )


def _generator(purpose: str) -> torch.Generator:
    digest = hashlib.sha256(f"{purpose}/0".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))
