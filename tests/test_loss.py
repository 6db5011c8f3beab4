"""The scale's decisions reach the loss of a run."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from replication.config.decisions import Decisions
from replication.errors import InputError
from replication.objectives import OBJECTIVES
from replication.objectives.loss import Loss
from replication.training.loop import TrainingContext

SAMPLES, CLASSES = 12, 7
Z, T = torch.randn(2, SAMPLES, CLASSES, generator=torch.Generator().manual_seed(0)).unbind(0)
Y = torch.arange(SAMPLES) % CLASSES
ALL = torch.arange(SAMPLES)


def bound(
    objective: str, size: tuple[int, int] | None = (SAMPLES, CLASSES), **decisions: str
) -> Loss:
    context = TrainingContext(
        run_id="a/run",
        network=nn.Identity(),
        objective_name=objective,
        objective=OBJECTIVES[objective],
        teacher=None,
        recipe=None,
        decisions=Decisions(**decisions),  # type: ignore[arg-type]
        autocast=nullcontext,
    )
    return context.make_loss(torch.device("cpu"), size)


@pytest.mark.parametrize("objective", ["label", "ban", "ban+l", "cwtm"])
def test_by_default_a_loss_is_the_objective(objective: str) -> None:
    expected = OBJECTIVES[objective](Z, Y, T)
    torch.testing.assert_close(bound(objective)(Z, Y, T, ALL), expected)


@pytest.mark.parametrize(
    ("objective", "decisions", "options"),
    [
        ("ban+l", {"ban_l_weighting": "sum"}, {"weighting": "sum"}),
        ("cwtm", {"cwtm_weight": "true class"}, {"weight": "true class"}),
    ],
)
def test_a_decision_is_an_option_of_the_objective(
    objective: str, decisions: dict[str, str], options: dict[str, str]
) -> None:
    loss = bound(objective, **decisions)(Z, Y, T, ALL)
    torch.testing.assert_close(loss, OBJECTIVES[objective](Z, Y, T, **options))
    assert not torch.isclose(loss, OBJECTIVES[objective](Z, Y, T))


def sample_losses(loss: Loss) -> list[float]:
    """The loss of each sample by itself."""
    return [
        loss(Z[i : i + 1], Y[i : i + 1], T[i : i + 1], ALL[i : i + 1]).item() for i in ALL.tolist()
    ]


def test_dkpp_permutes_anew_at_every_step_or_each_sample_once() -> None:
    anew = bound("dkpp")
    assert sample_losses(anew) != sample_losses(anew)
    once = bound("dkpp", dkpp_permutation="sample")
    first = sample_losses(once)
    assert first == sample_losses(once)
    # A sample keeps its permutation in whatever batch it comes.
    assert once(Z, Y, T, ALL).item() == pytest.approx(sum(first) / SAMPLES)
    order = ALL.flip(0)
    assert once(Z[order], Y[order], T[order], order).item() == pytest.approx(sum(first) / SAMPLES)


def test_dkpp_permutes_all_samples_of_a_batch_alike() -> None:
    same = T[:1].expand(SAMPLES, -1)
    student = Z[:1].expand(SAMPLES, -1)
    together = bound("dkpp", dkpp_permutation="batch")
    losses = {round(together(student, Y, same, ALL).item(), 6) for _ in range(5)}
    assert len(losses) > 1
    logits = student.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(together(logits, Y, same, ALL), logits)
    assert torch.allclose(gradient, gradient[:1].expand_as(gradient))


def test_words_have_no_permutation_of_their_own() -> None:
    with pytest.raises(InputError, match="is for images"):
        bound("dkpp", None, dkpp_permutation="sample")
