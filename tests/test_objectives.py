"""Losses and gradients against values worked out by hand, and against known mistakes."""

import math
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import ClassVar

import numpy as np
import pytest
import torch
from timm.task import LogitDistillationTask
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax, one_hot
from torchdistill.losses.mid_level import KDLoss

from replication.analysis.measure import error
from replication.config.decisions import Decisions
from replication.ensemble import average, average_logits, log_average
from replication.gradients import cosine, decompose, difference, ground_truth_share
from replication.objectives import (
    OBJECTIVES,
    ban_l,
    confidence_weights,
    cwtm,
    permute_dark_knowledge,
)

# Two samples, three classes. Students' distributions q are (1/2, 1/4, 1/4) and (1/5, 3/5, 1/5);
# teachers' p are (1/8, 3/4, 1/8), sure and wrong about label 0, and (1/5, 1/2, 3/10).
Q = torch.tensor([[1 / 2, 1 / 4, 1 / 4], [1 / 5, 3 / 5, 1 / 5]], dtype=torch.float64)
P = torch.tensor([[1 / 8, 3 / 4, 1 / 8], [1 / 5, 1 / 2, 3 / 10]], dtype=torch.float64)
LABELS = torch.tensor([0, 1])
Y = one_hot(LABELS, 3).double()
# Logits are distributions up to a constant per sample, which must not matter.
STUDENT = Q.log() + torch.tensor([[3.0], [-2.0]])
TEACHER = P.log() + torch.tensor([[-1.0], [5.0]])

# max p is 3/4 and 1/2, so the weights are 3/5 and 2/5.
EXPECTED_GRADIENT = {
    "label": (Q - Y) / 2,
    "ban": (Q - P) / 2,
    "ban+l": ((Q - P) + (Q - Y)) / 4,
    "cwtm": torch.tensor([[3 / 5], [2 / 5]]) * (Q - Y),
}
CROSS_ENTROPY = [math.log(2), -math.log(3 / 5)]
BAN_ENTROPY = [
    1 / 8 * math.log(2) + 3 / 4 * math.log(4) + 1 / 8 * math.log(4),
    -1 / 5 * math.log(1 / 5) - 1 / 2 * math.log(3 / 5) - 3 / 10 * math.log(1 / 5),
]
# Label smoothing: 0.9 of the label and a thirtieth for each of the three classes. Tf-KD's virtual
# teacher: exp(0.99 / 20) for the label to exp(0.005 / 20) for each of the two others.
SMOOTH = 0.9 * Y + 0.1 / 3
SURE, OTHER = math.exp(0.0495), math.exp(0.00025)
VIRTUAL = (OTHER + (SURE - OTHER) * Y) / (SURE + 2 * OTHER)
EXPECTED_GRADIENT |= {
    "label-smoothing": (Q - SMOOTH) / 2,
    "tf-kd": (0.9 * (Q - Y) + 0.1 * (Q - VIRTUAL)) / 2,
}
EXPECTED_LOSS = {
    "label": sum(CROSS_ENTROPY) / 2,
    "ban": sum(BAN_ENTROPY) / 2,
    "ban+l": (sum(CROSS_ENTROPY) + sum(BAN_ENTROPY)) / 4,
    "cwtm": 3 / 5 * CROSS_ENTROPY[0] + 2 / 5 * CROSS_ENTROPY[1],
    "label-smoothing": -(SMOOTH * Q.log()).sum().item() / 2,
    "tf-kd": 0.9 * sum(CROSS_ENTROPY) / 2 + 0.1 * (VIRTUAL * (VIRTUAL / Q).log()).sum().item() / 2,
}


# At temperature 2 a distribution's square roots, normalised, take its place.
Q2, P2 = (p.sqrt() / p.sqrt().sum(-1, keepdim=True) for p in (Q, P))
HALVED = 2 * (P2 * (P2 / Q2).log()).sum(-1)
EXPECTED_GRADIENT["kd"] = (0.9 * 2 * (Q2 - P2) + 0.1 * (Q - Y)) / 2
EXPECTED_LOSS["kd"] = 0.9 * HALVED.sum().item() + 0.1 * sum(CROSS_ENTROPY) / 2
# DKD: the true class against the two others, and the two others against each other.
TRUE = (Y * Q2).sum(-1, keepdim=True), (Y * P2).sum(-1, keepdim=True)
OTHERS = [(1 - Y) * p / (1 - true) for p, true in zip((Q2, P2), TRUE, strict=True)]
TCKD = (TRUE[0] - TRUE[1]) * (Y - OTHERS[0])
EXPECTED_GRADIENT["dkd"] = ((Q - Y) + 2 * (TCKD + 8 * (OTHERS[0] - OTHERS[1]))) / 2
BINARY = sum(p * (p / q).log() for q, p in (TRUE, [1 - true for true in TRUE]))
AMONG = torch.xlogy(OTHERS[1], OTHERS[1] / (OTHERS[0] + Y)).sum()
EXPECTED_LOSS["dkd"] = (sum(CROSS_ENTROPY) + 4 * (BINARY.sum() + 8 * AMONG).item()) / 2
OPTIONS: dict[str, dict[str, float]] = {key: {"temperature": 2.0} for key in ("kd", "dkd")}


def gradient(objective: Callable[..., Tensor], generator: torch.Generator | None = None) -> Tensor:
    student = STUDENT.clone().requires_grad_()
    (student_gradient,) = torch.autograd.grad(
        objective(student, LABELS, TEACHER, generator), student
    )
    return student_gradient


def check(name: str, objective: Callable[..., Tensor]) -> None:
    """An objective is right: loss and gradient are those worked out by hand."""
    torch.testing.assert_close(gradient(objective), EXPECTED_GRADIENT[name].double())
    loss = objective(STUDENT, LABELS, TEACHER)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(EXPECTED_LOSS[name], rel=1e-12)


@pytest.mark.parametrize("name", EXPECTED_GRADIENT)
def test_loss_and_gradient_are_those_worked_out_by_hand(name: str) -> None:
    check(name, partial(OBJECTIVES[name], **OPTIONS.get(name, {})))


def check_permutation(permute: Callable[[Tensor, torch.Generator], Tensor]) -> None:
    """φ is right: the argmax stays, each sample keeps its values, each has its own permutation."""
    torch.manual_seed(0)
    probabilities = torch.randn(400, 6, dtype=torch.float64).softmax(-1)
    permuted = permute(probabilities, torch.Generator().manual_seed(1))
    largest = probabilities.argmax(-1, keepdim=True)
    assert torch.equal(permuted.gather(-1, largest), probabilities.gather(-1, largest))
    assert torch.equal(permuted.sort(-1).values, probabilities.sort(-1).values)
    # Where the value of the class after the argmax goes: to each of the five others equally often.
    source = probabilities.gather(-1, (largest + 1) % 6)
    offset = ((permuted == source).int().argmax(-1, keepdim=True) - largest) % 6
    counts = torch.bincount(offset.flatten(), minlength=6)
    assert counts[0] == 0
    assert counts[1:].min() > 50
    assert counts[1:].max() < 115


def test_dkpp_keeps_the_argmax_and_permutes_every_other_value_of_a_sample() -> None:
    check_permutation(permute_dark_knowledge)


def test_dkpp_is_ban_on_permuted_probabilities() -> None:
    generator = torch.Generator().manual_seed(5)
    dkpp_gradient = gradient(OBJECTIVES["dkpp"], generator)
    permuted = permute_dark_knowledge(P, torch.Generator().manual_seed(5))
    torch.testing.assert_close(dkpp_gradient, (Q - permuted) / 2)


def test_dkpp_draws_a_new_permutation_at_every_step() -> None:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.arange(1.0, 9.0).expand(5, 8) / 36
    first = permute_dark_knowledge(probabilities, generator)
    assert not torch.equal(first, permute_dark_knowledge(probabilities, generator))
    assert len({tuple(row.tolist()) for row in first}) > 1


@pytest.mark.parametrize(
    "name", [name for name, objective in OBJECTIVES.items() if objective.teacher]
)
def test_no_gradient_flows_into_the_teacher(name: str) -> None:
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    OBJECTIVES[name](student, LABELS, teacher).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert teacher.grad is None


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_called_with_and_without_a_generator(name: str) -> None:
    objective, generator = OBJECTIVES[name], torch.Generator()
    teacher = TEACHER if objective.teacher else None
    torch.manual_seed(0)
    alone = objective(STUDENT, LABELS, teacher)
    by_place = objective(STUDENT, LABELS, teacher, generator.manual_seed(0))
    by_name = objective(STUDENT, LABELS, teacher, generator=generator.manual_seed(0))
    # The function itself takes them, too.
    function = objective.function(STUDENT, LABELS, teacher, generator=generator.manual_seed(0))
    assert alone == by_place == by_name == function


@pytest.mark.parametrize("name", ["label", "label-smoothing", "tf-kd"])
def test_an_objective_without_a_teacher_needs_none(name: str) -> None:
    assert not OBJECTIVES[name].teacher
    loss = OBJECTIVES[name](STUDENT, LABELS, None)
    assert loss.item() == pytest.approx(EXPECTED_LOSS[name])


@pytest.mark.parametrize(("temperature", "alpha"), [(1.0, 1.0), (4.0, 0.9), (3.0, 0.0)])
def test_kd_is_torchdistills(temperature: float, alpha: float) -> None:
    torchdistill_loss = KDLoss(".", "output", ".", "output", temperature, alpha=1 - alpha)
    outputs = ({".": {"output": logits}} for logits in (STUDENT, TEACHER))
    loss = OBJECTIVES["kd"](STUDENT, LABELS, TEACHER, temperature=temperature, alpha=alpha)
    torch.testing.assert_close(loss, torchdistill_loss(*outputs, LABELS))


def test_kd_at_temperature_1_without_labels_is_ban() -> None:
    kd_gradient = gradient(partial(OBJECTIVES["kd"], temperature=1.0, alpha=1.0))
    torch.testing.assert_close(kd_gradient, EXPECTED_GRADIENT["ban"])


def test_dkd_is_its_authors_loss() -> None:
    # As their code has it: the true class is taken out by a logit of -1000.
    z, t = torch.randn(2, 8, 20, generator=torch.Generator().manual_seed(0)).unbind(0)
    labels, temperature = torch.arange(8), 4.0
    true = one_hot(labels, 20).bool()

    def binary(logits: Tensor) -> Tensor:
        p = (logits / temperature).softmax(1)
        return torch.stack([(p * true).sum(1), (p * ~true).sum(1)], 1)

    tckd = kl_div(binary(z).log(), binary(t), reduction="sum") / 8
    without = (log_softmax(logits / temperature - 1000 * true, 1) for logits in (z, t))
    student, teacher = without
    nckd = kl_div(student, teacher.exp(), reduction="sum") / 8
    expected = cross_entropy(z, labels) + temperature**2 * (tckd + 8 * nckd)
    torch.testing.assert_close(OBJECTIVES["dkd"](z, labels, t), expected)


def test_objectives_say_which_numbers_they_take() -> None:
    parameters = {
        name: objective.parameters for name, objective in OBJECTIVES.items() if objective.parameters
    }
    assert parameters == {
        "kd": ("temperature", "alpha"),
        "dkd": ("alpha", "beta", "temperature"),
        "label-smoothing": ("smoothing",),
    }


def test_tf_kd_is_its_authors_loss_for_100_classes() -> None:
    # Their code: the divergence's mean over samples and classes, times 100.
    z = torch.randn(8, 100, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(0, 80, 10)
    virtual = torch.full_like(z, 0.01 / 99)
    virtual[range(8), labels] = 0.99
    divergence = kl_div(log_softmax(z, 1), (virtual / 20).softmax(1), reduction="none").mean() * 100
    expected = 0.9 * cross_entropy(z, labels) + 0.1 * divergence
    torch.testing.assert_close(OBJECTIVES["tf-kd"](z, labels, None), expected)


def without_temperature(z: Tensor, y: Tensor, *_: object) -> Tensor:
    virtual = torch.where(one_hot(y, 3) == 1, 0.99, 0.005).double()
    return 0.9 * cross_entropy(z, y) + 0.1 * cross_entropy(z, virtual)


def smoothed_over_the_other_classes(z: Tensor, y: Tensor, *_: object) -> Tensor:
    return cross_entropy(z, torch.where(one_hot(y, 3) == 1, 0.9, 0.05).double())


# Mistakes 1, 2, 5 and 6 of public re-implementations: each has to fail the checks above.
def kl_with_elementwise_mean(z: Tensor, y: Tensor, t: Tensor, g: object = None) -> Tensor:
    return kl_div(log_softmax(z, -1), t.softmax(-1), reduction="none").mean()


def temperature_four(z: Tensor, y: Tensor, t: Tensor, g: object = None) -> Tensor:
    return cross_entropy(z / 4, (t / 4).softmax(-1)) * 16


def cwtm_divided_by_batch(z: Tensor, y: Tensor, t: Tensor, g: object = None) -> Tensor:
    return (confidence_weights(t) * cross_entropy(z, y, reduction="none")).mean()


def cwtm_on_soft_targets(z: Tensor, y: Tensor, t: Tensor, g: object = None) -> Tensor:
    losses = cross_entropy(z, t.softmax(-1), reduction="none")
    return (confidence_weights(t) * losses).sum()


def cwtm_of_the_true_class(z: Tensor, y: Tensor, t: Tensor, g: object = None) -> Tensor:
    weights = t.softmax(-1).gather(-1, y[:, None]).squeeze(-1)
    return (weights / weights.sum() * cross_entropy(z, y, reduction="none")).sum()


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("ban", kl_with_elementwise_mean),
        ("ban", temperature_four),
        ("cwtm", cwtm_divided_by_batch),
        ("cwtm", cwtm_on_soft_targets),
        ("cwtm", cwtm_of_the_true_class),
        ("label-smoothing", smoothed_over_the_other_classes),
        ("tf-kd", without_temperature),
    ],
)
def test_the_check_finds_a_wrong_loss(name: str, mistake: Callable[..., Tensor]) -> None:
    with pytest.raises(AssertionError):
        check(name, mistake)


def permute_samples(p: Tensor, g: torch.Generator) -> Tensor:
    return p[torch.randperm(len(p), generator=g)]


def permute_once_for_the_batch(p: Tensor, g: torch.Generator) -> Tensor:
    others = torch.randperm(p.shape[-1], generator=g)
    return p[:, others]


def permute_all_but_the_first_class(p: Tensor, g: torch.Generator) -> Tensor:
    keys = torch.rand(p.shape, generator=g)
    keys[:, 0] = -1
    return p.gather(-1, keys.argsort(-1))


def permute_nothing(p: Tensor, g: torch.Generator) -> Tensor:
    return p


@pytest.mark.parametrize(
    "mistake",
    [permute_samples, permute_once_for_the_batch, permute_all_but_the_first_class, permute_nothing],
)
def test_the_check_finds_a_wrong_permutation(
    mistake: Callable[[Tensor, torch.Generator], Tensor],
) -> None:
    with pytest.raises(AssertionError):
        check_permutation(mistake)


def test_gradient_splits_into_ground_truth_and_dark_knowledge() -> None:
    terms = decompose(STUDENT, TEACHER, LABELS)
    torch.testing.assert_close(
        terms.ground_truth, torch.tensor([3 / 8, 1 / 10], dtype=torch.float64)
    )
    torch.testing.assert_close(
        terms.dark_knowledge, torch.tensor([-3 / 8, -1 / 10], dtype=torch.float64)
    )


def test_ground_truth_share_is_its_part_of_the_squared_gradient() -> None:
    # q − p is (3/8, −1/2, 1/8) and (0, 1/10, −1/10).
    expected = torch.tensor([9 / 26, 1 / 2], dtype=torch.float64)
    torch.testing.assert_close(ground_truth_share(difference(STUDENT, TEACHER), LABELS), expected)
    assert ground_truth_share(difference(STUDENT, STUDENT), LABELS).tolist() == [0, 0]


def test_the_cosine_to_ban_is_one_for_ban_and_less_for_the_label() -> None:
    ban, label = (gradient(OBJECTIVES[name]) for name in ("ban", "label"))
    assert cosine(ban, difference(STUDENT, TEACHER)).item() == pytest.approx(1)
    flat = [(Q - Y).flatten(), (Q - P).flatten()]
    expected = (flat[0] @ flat[1] / flat[0].norm() / flat[1].norm()).item()
    assert cosine(label, difference(STUDENT, TEACHER)).item() == pytest.approx(expected)


def test_an_ensemble_averages_probabilities_not_logits() -> None:
    # One member is sure of class 0, two lean to class 1: the mean of logits would say 0.
    members = torch.tensor([[[0.98, 0.02]], [[0.3, 0.7]], [[0.2, 0.8]]], dtype=torch.float64)
    torch.testing.assert_close(
        average(members.log()), torch.tensor([[1.48 / 3, 1.52 / 3]], dtype=torch.float64)
    )
    assert average(members.log()).argmax(-1).item() == 1
    assert members.log().mean(0).argmax(-1).item() == 0


def test_the_logarithm_of_an_ensembles_mean_is_finite_where_the_mean_is_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    members = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(log_average(members), average(members).log())
    # Both members give class 1 a probability of exp(-1000), which is zero in double precision.
    sure = torch.tensor([[[0.0, -1000.0]], [[0.0, -1000.0]]], dtype=torch.float64)
    assert average(sure)[0, 1] == 0
    assert log_average(sure)[0, 1].item() == pytest.approx(-1000)


def test_the_other_reading_averages_logits() -> None:
    members = torch.tensor([[[1.0, 2.0]], [[3.0, 8.0]]])
    assert average_logits(members).tolist() == [[2.0, 5.0]]


class Fixed(torch.nn.Module):
    """Gives the same logits for every input, as timm's task wants a network."""

    num_classes, in_chans = 3, 1
    pretrained_cfg: ClassVar = {"mean": (0.0,), "std": (1.0,)}

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(logits.clone())

    def forward(self, images: Tensor) -> Tensor:
        return self.logits


def test_ban_is_timms_logit_distillation_at_temperature_1_without_the_label() -> None:
    generator = torch.Generator().manual_seed(0)
    z, t = (torch.randn(16, 100, generator=generator, dtype=torch.float64) for _ in range(2))
    labels = torch.randint(100, (16,), generator=generator)
    student = Fixed(z)
    task = LogitDistillationTask(
        student, Fixed(t), torch.nn.CrossEntropyLoss(), task_loss_weight=0.0, temperature=1.0,
        dtype=torch.float64, verbose=False,
    )  # fmt: skip
    timm_loss = task(torch.zeros(16, 1, 2, 2, dtype=torch.float64), labels)["loss"]
    timm_loss.backward()
    ours_on = z.clone().requires_grad_()
    ours = OBJECTIVES["ban"](ours_on, labels, t)
    ours.backward()  # type: ignore[no-untyped-call]
    # KL(p, q) and CE(p, q) differ by p's entropy, which no weight of the student moves.
    entropy = torch.distributions.Categorical(logits=t).entropy().mean()
    torch.testing.assert_close(ours, timm_loss + entropy)
    torch.testing.assert_close(ours_on.grad, student.logits.grad)


# What the paper leaves open: the other readings.
def test_ban_l_as_a_sum_is_twice_its_mean() -> None:
    args = (STUDENT, LABELS, TEACHER)
    assert ban_l(*args, weighting="sum").item() == pytest.approx(2 * EXPECTED_LOSS["ban+l"])


def test_cwtm_may_weigh_by_the_true_class() -> None:
    # p of the true class is 1/8 and 1/2, so the weights are 1/5 and 4/5.
    cwtm_gradient = gradient(partial(cwtm, weight="true class"))
    torch.testing.assert_close(cwtm_gradient, torch.tensor([[1 / 5], [4 / 5]]) * (Q - Y))


@pytest.mark.parametrize("rows", [40, 1])
def test_dkpp_with_the_same_keys_permutes_in_the_same_way(rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    p = torch.randn(40, 6, generator=generator).softmax(-1)
    keys = torch.rand(rows, 6, generator=generator)
    first, again = (permute_dark_knowledge(p, keys=keys) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(first.argmax(-1), p.argmax(-1))
    assert torch.equal(first.sort(-1).values, p.sort(-1).values)
    # One row of keys permutes all samples of one argmax alike.
    same = p.argmax(-1) == p.argmax(-1)[0]
    moved = (first[same][:, None, :] == p[same][:, :, None]).int().argmax(-1)
    assert (len({tuple(row.tolist()) for row in moved}) == 1) == (rows == 1)


def test_an_ensemble_of_logits_is_the_other_reading() -> None:
    logits = np.log([[[0.98, 0.02]], [[0.3, 0.7]], [[0.2, 0.8]]])
    labels = np.array([1])
    assert error(logits, labels) == 0
    assert error(logits, labels, "logits") == 100


def test_every_decision_is_a_key_of_the_scale_and_an_option_of_its_function() -> None:
    for objective in OBJECTIVES.values():
        if objective.decision:
            assert objective.decision in Decisions.model_fields
            assert objective.option in signature(objective.function).parameters


def test_the_registry_is_read_without_torch() -> None:
    code = "import sys, replication.objectives; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
