"""Sizes of the data sets that are known without reading them."""

import pytest

from replication.data.specs import TEXTS
from replication.data.text import END_OF_SENTENCE, characters, python_reference


def test_the_sizes_of_the_python_reference_are_those_of_the_corpus() -> None:
    corpus, sizes = python_reference(), TEXTS["python_reference"]
    assert END_OF_SENTENCE in corpus.vocabulary
    assert len(corpus.vocabulary) == sizes.words
    # Another version of Python has another text.
    for part in ("train", "validation", "test"):
        assert len(getattr(corpus, part)) == pytest.approx(getattr(sizes, part), rel=0.15)
    assert int(characters(corpus.vocabulary).max()) + 1 == pytest.approx(sizes.alphabet, abs=6)
