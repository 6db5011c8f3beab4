"""Properties of errors, perplexities and ensembles on generated predictions."""

import math
from typing import Any

import numpy as np
import pytest
import support.strategies  # noqa: F401 - loads the profile that makes the cases repeatable
import torch
from hypothesis import given
from hypothesis import strategies as st

from replication.analysis.measure import error, perplexity
from replication.ensemble import average


@st.composite
def predictions(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (members, n, C) of up to 50 in size, and labels (n,)."""
    members, n, classes = draw(st.integers(1, 4)), draw(st.integers(1, 12)), draw(st.integers(2, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    size = draw(st.sampled_from([0.1, 1.0, 10.0, 50.0]))
    logits = size * torch.randn(members, n, classes, generator=generator, dtype=torch.float64)
    return logits, torch.randint(classes, (n,), generator=generator)


@given(predictions(), st.randoms(use_true_random=False))
def test_the_order_of_an_ensembles_members_does_not_matter(drawn: Any, random: Any) -> None:
    logits, labels = drawn
    order = random.sample(range(len(logits)), len(logits))
    torch.testing.assert_close(average(logits[order]), average(logits))
    assert error(logits[order].numpy(), labels.numpy()) == error(logits.numpy(), labels.numpy())
    by_logits = (error(x.numpy(), labels.numpy(), "logits") for x in (logits, logits[order]))
    assert len({*by_logits}) == 1


@given(predictions())
def test_an_ensemble_predicts_distributions_between_its_members(drawn: Any) -> None:
    logits, _ = drawn
    mean, members = average(logits), logits.softmax(-1)
    torch.testing.assert_close(mean.sum(-1), torch.ones(len(mean), dtype=mean.dtype))
    assert (mean >= members.amin(0) - 1e-12).all()
    assert (mean <= members.amax(0) + 1e-12).all()
    torch.testing.assert_close(average(logits[:1].repeat(3, 1, 1)), members[0])


@given(predictions(), st.randoms(use_true_random=False))
def test_an_error_is_a_share_of_the_items_in_whatever_order(drawn: Any, random: Any) -> None:
    logits, labels = (x.numpy() for x in drawn)
    error_percent, n = error(logits, labels), len(labels)
    assert 0 <= error_percent <= 100
    assert error_percent * n / 100 == pytest.approx(round(error_percent * n / 100), abs=1e-9)
    order = random.sample(range(n), n)
    assert error(logits[:, order], labels[order]) == pytest.approx(error_percent)
    right = average(drawn[0]).argmax(-1).numpy()
    assert error(logits, right) == 0
    assert error(logits, (right + 1) % logits.shape[-1]) == 100


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=30), st.integers(2, 10_000))
def test_a_perplexity_lies_between_those_of_single_words(
    words: list[float], vocabulary: int
) -> None:
    text_perplexity = perplexity(np.array(words))
    assert text_perplexity >= 1
    assert (
        math.exp(-max(words)) * (1 - 1e-9) <= text_perplexity <= math.exp(-min(words)) * (1 + 1e-9)
    )
    assert perplexity(np.full(7, -math.log(vocabulary))) == pytest.approx(vocabulary)
