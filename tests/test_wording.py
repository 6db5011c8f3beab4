"""Numbers and lists in sentences: minus signs, intervals, commas and one conjunction."""

import math

import pytest

from replication.wording import (
    counted,
    first_of,
    formatted,
    in_words,
    lowered,
    p_in_words,
    ranges_in_words,
    seeds_in_words,
    signed,
    with_interval,
)


@pytest.mark.parametrize(
    ("items", "conjunction", "text"),
    [
        ([], "and", ""),
        (["a"], "and", "a"),
        (["a", "b"], "or", "a or b"),
        (["a", "b", "c"], "and", "a, b and c"),
    ],
)
def test_a_list_has_commas_and_one_conjunction(
    items: list[str], conjunction: str, text: str
) -> None:
    assert in_words(items, conjunction) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([0], "0"), ([0, 1, 2], "0 to 2"), ([0, 1, 4, 6, 7], "0 to 1, 4 and 6 to 7"), ([], "")],
)
def test_numbers_that_follow_each_other_are_a_range(numbers: list[int], text: str) -> None:
    assert ranges_in_words(numbers) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (2190, "2,190 runs")],
)
def test_a_noun_is_singular_after_one_alone(number: int, text: str) -> None:
    assert counted(number, "run") == text


def test_a_number_of_seeds_is_rounded_or_too_large() -> None:
    assert seeds_in_words(2140.6) == "about 2,141"
    assert seeds_in_words(math.inf) == "more than 10,000"


def test_an_irregular_plural_is_given() -> None:
    assert counted(1, "inconsistency", "inconsistencies") == "1 inconsistency"
    assert counted(3, "inconsistency", "inconsistencies") == "3 inconsistencies"


def test_numbers_have_a_typographic_minus() -> None:
    assert formatted(-0.001, "z.2f") == "0.00"
    assert formatted(-1.5) == "−1.50"
    assert signed(0.25) == "+0.25"
    assert signed(-0.0625, 3) == "−0.062"


def test_a_difference_is_shown_with_the_interval_that_it_has() -> None:
    assert with_interval(-1, -2, 0.5) == "−1.00 [−2.00, +0.50]"
    assert with_interval(-1, math.nan, math.nan) == "−1.00"
    assert with_interval(math.nan, math.nan, math.nan) == "–"


def test_names_keep_their_capitals_in_the_middle_of_a_label() -> None:
    assert lowered("The control") == "the control"
    assert lowered("BAN students") == "BAN students"


@pytest.mark.parametrize(
    ("items", "text"),
    [([], ""), (["a", "b"], "a; b"), (["a", "b", "c", "d"], "a; b and 2 more")],
)
def test_a_long_list_says_how_many_more_there_are(items: list[str], text: str) -> None:
    assert first_of(items, 2, "; ") == text


def test_a_small_p_value_is_below_a_thousandth() -> None:
    assert p_in_words(0.0004) == "p < 0.001"
    assert p_in_words(0.0251) == "p = 0.025"
