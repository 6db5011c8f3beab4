"""Corpora as tensors: spelled, and cut into windows."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.checks import refused

from replication.data.prepared import text_spec
from replication.data.text import IGNORED, Corpus, batchify, characters, load_corpus, windows


@pytest.mark.parametrize("sizes", [{}, {"words": 200, "train": 900}])
def test_a_loaded_corpus_has_the_sizes_of_its_specification(sizes: dict[str, int]) -> None:
    corpus = load_corpus("python_reference", Path(), **sizes)
    spec = text_spec("python_reference", **sizes)
    assert (len(corpus.vocabulary), len(corpus.train)) == (spec.words, spec.train)
    if not sizes:
        parts = (len(corpus.validation), len(corpus.test))
        assert parts == (spec.validation, spec.test)


def test_more_words_than_the_data_set_has_are_an_error() -> None:
    with refused("python_reference: `train` asks for 100000000 words", "; lower it"):
        load_corpus("python_reference", Path(), train=10**8)


def test_the_fingerprint_sees_a_token_move_between_parts_and_a_word_change() -> None:
    five, four, three, words = torch.arange(5), torch.arange(4), torch.arange(3), tuple("abcde")
    corpus = Corpus(five, four, three, words)
    moved = Corpus(five[:4], torch.cat([five[4:], four]), three, words)
    renamed = Corpus(five, four, three, (*words[:4], "f"))
    assert len({c.fingerprint for c in (corpus, moved, renamed)}) == 3


def test_words_are_spelled_between_markers_and_padded_on_the_right() -> None:
    spelled = characters(("<unk>", "ab", "b", "<eos>"))
    unk, a, b, eos = spelled[0, 1], spelled[1, 1], spelled[1, 2], spelled[3, 1]
    assert spelled.tolist() == [[1, unk, 2, 0], [1, a, b, 2], [1, b, 2, 0], [1, eos, 2, 0]]
    assert sorted(map(int, (unk, a, b, eos))) == [3, 4, 5, 6]


def test_columns_are_contiguous_and_drop_what_does_not_fill_them() -> None:
    assert batchify(torch.arange(8), 3).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert batchify(torch.arange(8), 3, fill=-1).tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, -1]]


def test_a_stream_shorter_than_the_batch_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 tokens do not fill 3 columns"):
        batchify(torch.arange(2), 3)


sizes = st.tuples(st.integers(1, 80), st.integers(1, 7), st.integers(1, 9)).filter(
    lambda s: s[0] >= s[1]
)


@given(sizes)
def test_training_predicts_each_token_once_but_those_that_fill_no_row(
    size: tuple[int, int, int],
) -> None:
    n, batch_size, bptt = size
    pairs = list(windows(torch.arange(n), batch_size, bptt))
    targets = torch.cat([targets for _, targets in pairs])
    assert targets.t().flatten().tolist() == list(range(n - n % batch_size))
    assert all(inputs.shape == targets.shape for inputs, targets in pairs)
    assert all(len(targets) == bptt for _, targets in pairs[:-1])


@given(sizes)
def test_evaluation_predicts_every_token_once(size: tuple[int, int, int]) -> None:
    n, batch_size, bptt = size
    pairs = windows(torch.arange(n), batch_size, bptt, keep_all=True)
    targets = torch.cat([targets for _, targets in pairs]).t().flatten()
    assert targets[targets != IGNORED].tolist() == list(range(n))


@given(sizes, st.booleans())
def test_every_target_follows_its_input(size: tuple[int, int, int], keep_all: bool) -> None:
    n, batch_size, bptt = size
    for inputs, targets in windows(torch.arange(n), batch_size, bptt, keep_all=keep_all):
        true = targets != IGNORED
        assert torch.equal((inputs[true] + 1) % n, targets[true])


@given(sizes)
def test_what_fills_a_column_follows_all_that_is_predicted_in_it(
    size: tuple[int, int, int],
) -> None:
    n, batch_size, bptt = size
    pairs = windows(torch.arange(n), batch_size, bptt, keep_all=True)
    filled = torch.cat([targets for _, targets in pairs]) == IGNORED
    assert torch.equal(filled, filled.cummax(0).values)
