"""What predictions are measured by: error, perplexity, likelihood, calibration, agreement."""

import torch
from torch import Tensor
from torch.nn import functional

BINS = 15
"""Bins of a reliability diagram, and of the calibration error."""


def error(scores: Tensor, labels: Tensor) -> float:
    """Share of wrong predictions in percent, by the largest of scores (n, C) for labels (n,)."""
    return 100 * (scores.argmax(-1) != labels).double().mean().item()


def kl_divergence(logits: Tensor, other_logits: Tensor) -> Tensor:
    """KL(softmax(logits) ‖ softmax(other_logits)) in nats (n,), from logits (n, C)."""
    log_p, log_q = logits.log_softmax(-1), other_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def perplexity(log_likelihoods: Tensor) -> float:
    """exp of the mean negative log-likelihood (n,) of a word, in nats, or infinity."""
    return (-log_likelihoods.double().mean()).exp().item()


def nll(log_probabilities: Tensor, labels: Tensor) -> float:
    """Mean negative log-likelihood in nats of labels (n,), by log-probabilities (n, C)."""
    return functional.nll_loss(log_probabilities, labels).item()


def brier(log_probabilities: Tensor, labels: Tensor) -> float:
    """Mean squared distance of (n, C) to the one-hot labels (n,), from 0 to 2 (Brier 1950)."""
    target = functional.one_hot(labels, log_probabilities.shape[-1])
    return (log_probabilities.exp() - target).square().sum(-1).mean().item()


def reliability(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    """Count, mean confidence and accuracy of the items in each bin of confidence: (15, 3).

    Confidence is the largest probability; the bins are as wide as each other and contain their
    upper edge (Guo et al. 2017, §2). An empty bin has NaN for confidence and accuracy.
    """
    highest, predicted = log_probabilities.max(-1)
    confidence, right = highest.exp(), predicted == labels
    place = torch.bucketize(confidence, torch.linspace(0, 1, BINS + 1, dtype=torch.float64)[1:-1])
    columns = torch.stack([torch.ones_like(confidence), confidence, right.to(confidence)])
    count, *sums = (torch.bincount(place, weights, minlength=BINS) for weights in columns)
    return torch.stack([count, *(total / count for total in sums)], dim=-1)


def calibration_error(bins: Tensor) -> float:
    """Expected calibration error in percent, by the bins of `reliability` (Guo et al. 2017, eq. 3).

    As torchmetrics defines it, with norm l1.
    """
    count, confidence, accuracy = bins.unbind(-1)
    return 100 * (count * (accuracy - confidence).abs()).nansum().item() / count.sum().item()


def agreement(student: Tensor, teacher: Tensor) -> float:
    """Share of the items in percent on which both have the same largest score, (n, C) each."""
    return 100 - error(student, teacher.argmax(-1))


def divergence(student: Tensor, teacher: Tensor) -> float:
    """Mean KL(teacher || student) of an item in nats, by log-probabilities (n, C)."""
    return kl_divergence(teacher, student).mean().item()
