"""Which images are used: the same numbers of every class, and choices that depend on little."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import settings  # noqa: F401 - loads the profile

from replication.data.sampling import (
    balanced_counts,
    balanced_pairs,
    choose,
    hold_out,
    pair_items,
)

labels_of_classes = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(torch.tensor)


@pytest.mark.parametrize(
    ("available", "count", "expected"),
    [
        ([500, 500, 500, 500], 100, [25, 25, 25, 25]),
        # A class that has too few gives all; the others share the rest.
        ([3, 500, 500, 500], 99, [3, 32, 32, 32]),
        ([3, 10, 500, 500], 99, [3, 10, 43, 43]),
        ([3, 10, 0, 20], 33, [3, 10, 0, 20]),
        ([3, 10, 0, 20], 40, [3, 10, 0, 20]),
        ([7], 4, [4]),
    ],
)
def test_classes_are_as_equal_as_their_numbers_allow(
    available: list[int], count: int, expected: list[int]
) -> None:
    assert balanced_counts(available, count) == expected


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.data())
def test_a_remainder_gives_some_classes_one_more(available: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, sum(available)))
    counts = balanced_counts(available, count)
    assert sum(counts) == count
    assert all(0 <= taken <= there for taken, there in zip(counts, available, strict=True))
    # A class has fewer than another only by one, or because it has no more.
    most = max(counts)
    pairs = zip(counts, available, strict=True)
    assert all(taken >= most - 1 or taken == there for taken, there in pairs)


@given(labels_of_classes, st.data())
def test_a_larger_balanced_choice_has_all_images_of_a_smaller_one(
    labels: torch.Tensor, data: st.DataObject
) -> None:
    larger = data.draw(st.integers(0, len(labels)))
    smaller = data.draw(st.integers(0, larger))
    few, _ = choose(labels, smaller, "subset", balanced=True)
    many, others = choose(labels, larger, "subset", balanced=True)
    assert set(few.tolist()) <= set(many.tolist())
    assert sorted([*many.tolist(), *others.tolist()]) == list(range(len(labels)))
    assert many.tolist() == sorted(many.tolist())


def test_the_choice_in_a_class_does_not_depend_on_the_other_classes() -> None:
    labels = torch.tensor([0] * 20 + [1] * 20 + [2] * 20)
    # The same images of the classes 0 and 2, between which class 1 has moved.
    mixed = torch.tensor([1] * 10 + [0] * 20 + [2] * 20 + [1] * 10)
    chosen, _ = choose(labels, 30, "subset", balanced=True)
    of_mixed, _ = choose(mixed, 30, "subset", balanced=True)
    places = [i for i in chosen.tolist() if labels[i] == 0]
    assert [i + 10 for i in places] == [i for i in of_mixed.tolist() if mixed[i] == 0]
    places = [i for i in chosen.tolist() if labels[i] == 2]
    assert [i - 10 for i in places] == [i for i in of_mixed.tolist() if mixed[i] == 2]


@pytest.mark.parametrize("balanced", [False, True])
def test_a_fifth_is_held_out(balanced: bool) -> None:
    labels = torch.arange(4).repeat(25)
    kept, held_out = hold_out(labels, balanced)
    assert sorted([*kept.tolist(), *held_out.tolist()]) == list(range(100))
    counts = torch.bincount(labels[held_out], minlength=4).tolist()
    assert sum(counts) == 20
    assert (counts == [5, 5, 5, 5]) == balanced


@given(labels_of_classes)
def test_a_balanced_held_out_part_has_a_fifth_of_every_class(labels: torch.Tensor) -> None:
    _, held_out = hold_out(labels, balanced=True)
    assert len(held_out) == len(labels) // 5
    whole = torch.bincount(labels, minlength=6)
    part = torch.bincount(labels[held_out], minlength=6)
    assert ((part - whole / 5).abs() < 1).all()


@pytest.mark.parametrize(("count", "each"), [(900, {100}), (9, {1}), (20, {2, 3})])
def test_balanced_pairs_show_every_pair_of_classes(count: int, each: set[int]) -> None:
    labels = torch.tensor([2, 0, 1, 0, 0, 2, 1, 0])
    left, right = balanced_pairs(labels, count)
    counts = torch.bincount(3 * labels[left] + labels[right], minlength=9)
    assert set(counts.tolist()) == each
    assert counts.sum() == count


def test_balanced_pairs_draw_the_items_of_a_class_equally_often() -> None:
    labels = torch.tensor([0] * 4 + [1] * 2)
    left, right = balanced_pairs(labels, 40_000)
    for side in (left, right):
        share = torch.bincount(side, minlength=6) / len(side)
        assert share.tolist() == pytest.approx([1 / 8] * 4 + [1 / 4] * 2, abs=0.01)
    # Left and right are independent, and so is their order of each other.
    same = ((left == 0) & (right == 0)).double().mean().item()
    assert same == pytest.approx(1 / 64, abs=0.003)
    first, second = (labels[left[:20_000]], labels[left[20_000:]])
    assert first.double().mean().item() == pytest.approx(second.double().mean().item(), abs=0.02)


def test_pairs_of_a_class_without_items_are_left_out() -> None:
    labels = torch.tensor([0, 2, 2])
    left, right = balanced_pairs(labels, 8)
    assert torch.bincount(3 * labels[left] + labels[right], minlength=9).tolist() == [
        2, 0, 2, 0, 0, 0, 2, 0, 2,
    ]  # fmt: skip


def test_choices_are_the_same_each_time() -> None:
    labels = torch.arange(5).repeat(10)
    for balanced in (False, True):
        one, other = (choose(labels, 20, "subset", balanced)[0] for _ in range(2))
        assert torch.equal(one, other)
    assert torch.equal(pair_items(10, 5), pair_items(10, 5))
    assert torch.equal(balanced_pairs(labels, 50), balanced_pairs(labels, 50))
