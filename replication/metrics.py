"""What is measured of predictions: errors and perplexities, while training and for the tables."""

from torch import Tensor


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
