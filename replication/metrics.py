"""What is measured of predictions: errors and perplexities, while training and for the tables."""

from torch import Tensor


def error(scores: Tensor, labels: Tensor) -> float:
    """Share of wrong predictions in percent, by the largest of scores (n, C) for labels (n,)."""
    return 100 * (scores.argmax(-1) != labels).double().mean().item()


def perplexity(log_likelihoods: Tensor) -> float:
    """exp of the mean negative log-likelihood (n,) of a word, in nats, or infinity."""
    return (-log_likelihoods.double().mean()).exp().item()
