"""Metrics of predictions on values worked out by hand."""

import math

import pytest
import torch

from replication import metrics

# Two items of three classes, the first right with 0.6, the second wrong with 0.5.
STUDENT = torch.tensor([[0.6, 0.3, 0.1], [0.5, 0.25, 0.25]], dtype=torch.float64)
TEACHER = torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]], dtype=torch.float64)
LABELS = torch.tensor([0, 1])


def test_nll_is_the_mean_over_the_items_in_nats() -> None:
    expected = -(math.log(0.6) + math.log(0.25)) / 2
    assert metrics.nll(STUDENT.log(), LABELS) == pytest.approx(expected)


def test_brier_sums_over_the_classes() -> None:
    first = 0.4**2 + 0.3**2 + 0.1**2
    second = 0.5**2 + 0.75**2 + 0.25**2
    assert metrics.brier(STUDENT.log(), LABELS) == pytest.approx((first + second) / 2)
    wrong = torch.tensor([[1.0, 0.0]], dtype=torch.float64).log()
    assert metrics.brier(wrong, torch.tensor([1])) == pytest.approx(2)


def test_agreement_compares_predictions() -> None:
    assert metrics.agreement(STUDENT, TEACHER) == 50
    assert metrics.agreement(TEACHER.log(), TEACHER.log()) == 100


def test_divergence_is_weighted_by_the_teacher() -> None:
    first = 0.5 * math.log(0.5 / 0.6) + 0.25 * math.log(0.25 / 0.3) + 0.25 * math.log(0.25 / 0.1)
    second = 0.25 * math.log(0.25 / 0.5) + 0.5 * math.log(0.5 / 0.25)
    divergence = metrics.divergence(STUDENT.log(), TEACHER.log())
    assert divergence == pytest.approx((first + second) / 2)
    assert divergence != pytest.approx(metrics.divergence(TEACHER.log(), STUDENT.log()))


def two_classes(*confidence: float) -> torch.Tensor:
    """Log-probabilities of items that are predicted to be of class 0 with these probabilities."""
    first = torch.tensor(confidence, dtype=torch.float64)
    return torch.stack([first, 1 - first], dim=1).log()


def test_calibration_error_weighs_bins_by_their_items() -> None:
    # Bins are 1/15 wide: 0.91 and 0.92 share the 14th, 0.62 is in the 10th.
    bins = metrics.reliability(two_classes(0.91, 0.92, 0.62), torch.tensor([0, 1, 0]))
    assert bins.shape == (15, 3)
    assert bins[13].tolist() == pytest.approx([2, 0.915, 0.5])
    assert bins[9].tolist() == pytest.approx([1, 0.62, 1])
    assert bins[:, 0].sum() == 3
    assert bins[0, 1:].isnan().all()
    expected = 100 * (2 * abs(0.5 - 0.915) + abs(1 - 0.62)) / 3
    assert metrics.calibration_error(bins) == pytest.approx(expected)


def test_certain_predictions_are_in_the_last_bin_and_an_edge_in_the_lower_one() -> None:
    bins = metrics.reliability(two_classes(1.0, 0.6), torch.tensor([0, 0]))
    # 0.6 is the upper edge of the ninth bin.
    assert bins[:, 0].nonzero().flatten().tolist() == [8, 14]
    assert metrics.calibration_error(bins) == pytest.approx(20)


def test_predictions_as_right_as_they_are_confident_have_no_calibration_error() -> None:
    bins = metrics.reliability(two_classes(*[0.75] * 4), torch.tensor([0, 0, 0, 1]))
    assert metrics.calibration_error(bins) == pytest.approx(0)
