"""What a network is trained on: the label, its teacher, or a treatment of the teacher (§3.1, §3.2).

Label smoothing and Tf-KD are controls that the paper does not have; KD and DKD are for studies.

Every objective is called as ``objective(student_logits, labels, teacher_logits, generator=None)``:
with student logits z (b, C), labels (b,), teacher logits t (b, C) or None, and the generator of its
random numbers, which only DKPP draws. It returns the loss of the batch, a scalar. The teacher's
distribution is p = softmax(t) without a temperature; no gradient flows into t.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

# The configuration reads the objectives' names while Snakemake parses the workflow, which happens
# in every job and must not take the seconds of importing torch: so functions import it when called.
if TYPE_CHECKING:
    from torch import Generator, Tensor


def cross_entropy(logits: Tensor, target: Tensor, **options: Any) -> Tensor:
    """`torch.nn.functional.cross_entropy`."""
    from torch.nn import functional

    return functional.cross_entropy(logits, target, **options)


def label(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Mean over the batch of CE(y, q); its gradient at sample s is (q − y) / b (Eq. 1)."""
    return cross_entropy(student_logits, labels)


def ban(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor,
    generator: Generator | None = None,
) -> Tensor:
    """Mean over the batch of CE(p, q); its gradient at sample s is (q − p) / b (Eq. 2)."""
    return cross_entropy(student_logits, teacher_logits.detach().softmax(-1))


def ban_l(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor,
    generator: Generator | None = None,
    *,
    weighting: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Mean, or sum, of the label and the BAN loss ("BAN+L", §4.2)."""
    total = label(student_logits, labels) + ban(student_logits, labels, teacher_logits)
    return total / 2 if weighting == "mean" else total


def cwtm(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor,
    generator: Generator | None = None,
    *,
    weight: Literal["max", "true class"] = "max",
) -> Tensor:
    """Confidence weighted by teacher max: Σ_s w_s CE(y, q), gradient w_s (q − y) (§3.2).

    The weights sum to one over the batch, so no 1/b follows. The true class's probability
    instead of the maximum is the importance weighting of Eq. 9.
    """
    losses = cross_entropy(student_logits, labels, reduction="none")
    weights = confidence_weights(teacher_logits, labels if weight == "true class" else None)
    return (weights * losses).sum()


def dkpp(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor,
    generator: Generator | None = None,
    *,
    permutation: Literal["sample and step", "sample", "batch"] = "sample and step",
    keys: Tensor | None = None,
) -> Tensor:
    """Dark knowledge with permuted predictions: BAN with φ(p) for p (§3.2).

    φ is drawn from ``generator``: for every sample at every step, or once for every batch. For one
    permutation per sample, the same at every step, give each sample its ``keys`` (b, C), as in
    `permute_dark_knowledge`.
    """
    import torch

    assert permutation != "sample" or keys is not None
    if permutation == "batch":
        shape = (1, student_logits.shape[-1])
        keys = torch.rand(shape, generator=generator, device=student_logits.device)
    permuted = permute_dark_knowledge(teacher_logits.detach().softmax(-1), generator, keys)
    return cross_entropy(student_logits, permuted)


def kd(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor,
    generator: Generator | None = None,
    *,
    temperature: float = 4.0,
    alpha: float = 0.9,
) -> Tensor:
    """α T² KL(p ‖ q) + (1 − α) CE(y, q) with p and q at temperature T (Hinton et al. 2015).

    T² keeps the gradient's size at every temperature. At T = 1 and α = 1 the gradient is BAN's.
    """
    from torch.nn import functional

    log_p = (teacher_logits.detach() / temperature).log_softmax(-1)
    log_q = (student_logits / temperature).log_softmax(-1)
    divergence = functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    return alpha * temperature**2 * divergence + (1 - alpha) * label(student_logits, labels)


def dkd(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor,
    generator: Generator | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    """Decoupled KD: CE(y, q) + T² (α TCKD + β NCKD) (Zhao et al. 2022, Eq. 7).

    TCKD is the divergence of teacher and student in the true class against all others, NCKD that
    of their distributions over the other classes. Without the authors' warm-up of the two terms.
    """
    import torch
    from torch.nn import functional

    log_p = (teacher_logits.detach() / temperature).log_softmax(-1)
    log_q = (student_logits / temperature).log_softmax(-1)
    true = functional.one_hot(labels, student_logits.shape[-1]).bool()

    def split(logarithms: Tensor) -> tuple[Tensor, Tensor]:
        others = logarithms[~true].view(len(labels), -1)
        rest = others.logsumexp(-1)
        return torch.stack([logarithms[true], rest], -1), others - rest[:, None]

    tckd, nckd = (
        functional.kl_div(of_student, of_teacher, reduction="batchmean", log_target=True)
        for of_student, of_teacher in zip(split(log_q), split(log_p), strict=True)
    )
    return label(student_logits, labels) + temperature**2 * (alpha * tckd + beta * nckd)


def label_smoothing(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | None = None,
    generator: Generator | None = None,
    *,
    smoothing: float = 0.1,
) -> Tensor:
    """Cross-entropy with (1 − s) y + s / C, s = 0.1 by default (Szegedy et al. 2016)."""
    return cross_entropy(student_logits, labels, label_smoothing=smoothing)


def tf_kd(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Tf-KD_reg: 0.9 CE(y, q) + 0.1 KL(p, q) with a virtual teacher (Yuan et al. 2020, Eq. 9).

    The virtual teacher has 0.99 on the label and spreads the rest evenly. As in the authors' code
    for CIFAR-100, with the constants of their ResNet-18, p is the softmax of these probabilities
    over 20, and q has no temperature. Their mean over 100 classes, times 100, is the sum here.
    """
    from torch.nn.functional import one_hot

    classes = student_logits.shape[-1]
    on_label, rest = one_hot(labels, classes).to(student_logits.dtype), 0.01 / (classes - 1)
    p = ((rest + (0.99 - rest) * on_label) / 20).softmax(-1)
    divergence = cross_entropy(student_logits, p) + (p * p.log()).sum(-1).mean()
    return 0.9 * label(student_logits, labels) + 0.1 * divergence


def confidence_weights(teacher_logits: Tensor, labels: Tensor | None = None) -> Tensor:
    """CWTM's weights (b,): w_s = max p_s / Σ_u max p_u, even where the teacher is wrong (§3.2).

    With ``labels`` (b,) the true class's probability replaces the maximum (Eq. 9).
    """
    p = teacher_logits.detach().softmax(-1)
    confidence = p.amax(-1) if labels is None else p.gather(-1, labels[:, None]).squeeze(-1)
    return confidence / confidence.sum()


def permute_dark_knowledge(
    probabilities: Tensor, generator: Generator | None = None, keys: Tensor | None = None
) -> Tensor:
    """φ of DKPP: keep each row's largest entry in place and permute the others at random (§3.2).

    Takes and returns (n, C) probabilities; each row gets a permutation of its own, drawn uniformly.
    ``keys``, numbers in [0, 1) of shape (n, C) or (1, C), draw it instead of ``generator``: the
    same keys give the same permutation.
    """
    import torch

    largest = probabilities.argmax(-1, keepdim=True)
    # Sorting random keys gives a uniform permutation. Ordered by index with the largest at the end,
    # and ordered by key with the largest at the end, the same rank names source and target.
    if keys is None:
        keys = torch.rand(probabilities.shape, generator=generator, device=probabilities.device)
    source = keys.expand(probabilities.shape).scatter(-1, largest, 2.0).argsort(-1)
    index = torch.arange(probabilities.shape[-1], device=probabilities.device)
    places = index.expand_as(probabilities).scatter(-1, largest, len(index)).argsort(-1)
    return torch.empty_like(probabilities).scatter(-1, places, probabilities.gather(-1, source))


@dataclass(frozen=True)
class Objective:
    """An objective, called as its function.

    ``decision`` is a key of the scale's `decisions`, ``option`` the function's argument for it;
    ``teacher`` says whether it learns from one.
    """

    function: Callable[..., Tensor]
    decision: str | None = None
    option: str | None = None
    teacher: bool = True

    @property
    def parameters(self) -> tuple[str, ...]:
        """The numbers that a table may give it, by name."""
        arguments = inspect.signature(self.function).parameters.values()
        return tuple(each.name for each in arguments if isinstance(each.default, float))

    def __call__(
        self,
        student_logits: Tensor,
        labels: Tensor,
        teacher_logits: Tensor | None = None,
        generator: Generator | None = None,
        **options: Any,
    ) -> Tensor:
        """The loss of a batch, a scalar.

        ``student_logits`` and ``teacher_logits`` are (b, C), ``labels`` (b,); ``options`` are the
        objective's `parameters` and `option`.
        """
        return self.function(student_logits, labels, teacher_logits, generator, **options)


OBJECTIVES: dict[str, Objective] = {
    "label": Objective(label, teacher=False),
    "ban": Objective(ban),
    "ban+l": Objective(ban_l, decision="ban_l_weighting", option="weighting"),
    "cwtm": Objective(cwtm, decision="cwtm_weight", option="weight"),
    "dkpp": Objective(dkpp, decision="dkpp_permutation", option="permutation"),
    "kd": Objective(kd),
    "dkd": Objective(dkd),
    "label-smoothing": Objective(label_smoothing, teacher=False),
    "tf-kd": Objective(tf_kd, teacher=False),
}
