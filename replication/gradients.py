"""The terms of BAN's gradient ("Dark knowledge under the light", §3.2)."""

from typing import NamedTuple

import torch
from torch import Tensor


class Terms(NamedTuple):
    """The two terms of BAN's gradient, per sample, summed over output units."""

    ground_truth: Tensor
    dark_knowledge: Tensor


def difference(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """BAN's gradient on the student's logits, q − p (n, C), without the batch's 1/n (Eq. 2)."""
    return student_logits.softmax(-1) - teacher_logits.softmax(-1)


def decompose(student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Terms:
    """Split BAN's gradient into q* − p* and Σ_{i≠*} (q_i − p_i), both (n,) (§3.2, Eq. 6).

    Takes logits (n, C) and labels (n,); the batch gradient's 1/b is left out. As both distributions
    sum to one, the terms of a sample are each other's negative: how much of the gradient each holds
    is seen in `ground_truth_share`, which does not let the wrong classes cancel.
    """
    ban = difference(student_logits, teacher_logits)
    ground_truth = ban.gather(-1, labels[:, None]).squeeze(-1)
    return Terms(ground_truth, ban.sum(-1) - ground_truth)


def ground_truth_share(ban: Tensor, labels: Tensor) -> Tensor:
    """The true class's share of the squared length of q − p (`difference`), (n,) in [0, 1].

    The rest is dark knowledge's. Zero where student and teacher agree entirely.
    """
    squares = ban.square()
    total = squares.sum(-1).clamp_min(torch.finfo(squares.dtype).tiny)
    return squares.gather(-1, labels[:, None]).squeeze(-1) / total


def cosine(gradient: Tensor, ban: Tensor) -> Tensor:
    """Cosine between a batch's gradient on the student's logits and BAN's: a scalar (§3.2).

    Both are (n, C). One for BAN itself; how much of BAN a treatment keeps, for the others.
    """
    return torch.nn.functional.cosine_similarity(gradient.flatten(), ban.flatten(), dim=0)
