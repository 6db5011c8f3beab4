"""Corpora of Table 6: what is read, how it is split, and how it is cut into windows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from replication.data import text
from replication.data.text import (
    IGNORED,
    Corpus,
    batchify,
    characters,
    penn_treebank,
    python_reference,
    windows,
)
from replication.errors import InputError

LINES = {
    "train": " no it was n't black monday \n but <unk> fell N points \n",
    "valid": " it fell N points \n",
    "test": " black monday was <unk> \n",
}


def spell(corpus: Corpus, stream: torch.Tensor) -> str:
    return " ".join(corpus.vocabulary[i] for i in stream)


def write_penn_treebank(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for part, lines in LINES.items():
        (folder / f"ptb.{part}.txt").write_text(lines)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def small_md5(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = {f"ptb.{p}.txt": hashlib.md5(lines.encode()).hexdigest() for p, lines in LINES.items()}
    monkeypatch.setattr(text, "PENN_TREEBANK_MD5", sums)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served on 127.0.0.1, as the only mirror but a dead one before it."""
    folder = tmp_path / "mirror"
    write_penn_treebank(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(text, "PENN_TREEBANK_MIRRORS", (f"{address}nowhere/", address))
        yield folder
        server.shutdown()
        thread.join()


class TestPennTreebank:
    pytestmark = pytest.mark.usefixtures("small_md5")

    def test_each_line_ends_in_eos(self, tmp_path: Path) -> None:
        write_penn_treebank(tmp_path)
        corpus = penn_treebank(tmp_path)
        assert spell(corpus, corpus.train) == (
            "no it was n't black monday <eos> but <unk> fell N points <eos>"
        )
        assert spell(corpus, corpus.validation) == "it fell N points <eos>"
        assert spell(corpus, corpus.test) == "black monday was <unk> <eos>"

    def test_the_vocabulary_is_every_type_of_the_training_part(self, tmp_path: Path) -> None:
        write_penn_treebank(tmp_path)
        expected = {"<eos>", *LINES["train"].split()}
        vocabulary = penn_treebank(tmp_path).vocabulary
        assert set(vocabulary) == expected
        assert len(vocabulary) == len(expected)

    def test_missing_files_come_from_the_first_mirror_that_has_them(
        self, tmp_path: Path, mirror: Path
    ) -> None:
        penn_treebank(tmp_path / "new" / "root")
        for part, lines in LINES.items():
            assert (tmp_path / "new" / "root" / f"ptb.{part}.txt").read_text() == lines

    def test_what_is_there_is_not_fetched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(text, "PENN_TREEBANK_MIRRORS", ())
        write_penn_treebank(tmp_path)
        assert len(penn_treebank(tmp_path).test) == 5

    def test_a_damaged_download_leaves_nothing_behind(self, tmp_path: Path, mirror: Path) -> None:
        (mirror / "ptb.train.txt").write_text("half of it")
        root = tmp_path / "root"
        with pytest.raises(InputError, match=r"ptb\.train\.txt") as raised:
            penn_treebank(root)
        assert str(root) in str(raised.value)
        assert [path.name for path in root.iterdir() if path.suffix != ".lock"] == []

    def test_a_dead_network_is_one_line_that_says_where_to_put_which_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(text, "PENN_TREEBANK_MIRRORS", ("http://127.0.0.1:9/",))
        with pytest.raises(InputError, match=r"put Mikolov's ptb\.train\.txt") as raised:
            penn_treebank(tmp_path)
        assert str(tmp_path) in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_a_wrong_file_in_the_root_is_named_and_kept(self, tmp_path: Path) -> None:
        write_penn_treebank(tmp_path)
        (tmp_path / "ptb.valid.txt").write_text("mine")
        with pytest.raises(InputError, match=r"ptb\.valid\.txt.*delete it"):
            penn_treebank(tmp_path)
        assert (tmp_path / "ptb.valid.txt").read_text() == "mine"


class TestPythonReference:
    def test_reads_like_penn_treebank(self, monkeypatch: pytest.MonkeyPatch) -> None:
        topic = (
            'The "with" statement\n****\n\nSee PEP 343: it doesn’t use\nexc_info(0x1f, 2.5).  Or 3.'
        )
        monkeypatch.setattr(text, "topics", {"with": topic})
        corpus = python_reference()
        assert spell(corpus, corpus.train) == (
            "the with statement <eos> see pep N <eos> it doesn’t use exc_info N N <eos> or N <eos>"
        )

    def test_a_quoted_paragraph_is_kept_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        quoted = "a b c"
        long = f"{quoted}\n\n" + "\n\n".join(f"long{i} x y z" for i in "mnopqrstu")
        monkeypatch.setattr(text, "topics", {"if": quoted, "else": quoted, "compound": long})
        corpus = python_reference()
        whole = spell(corpus, torch.cat([corpus.train, corpus.validation, corpus.test]))
        assert whole.count("a b c <eos>") == 1
        assert len(corpus.validation) == len(corpus.test) == 0

    def test_rare_words_are_unknown(self) -> None:
        small, large = python_reference(words=100), python_reference(words=2000)
        assert len(small.vocabulary) == 100
        assert set(small.vocabulary) < set(large.vocabulary)
        known = small.train != small.vocabulary.index("<unk>")
        assert spell(small, small.train[known]) == spell(large, large.train[known])

    def test_no_long_passage_is_in_two_parts(self) -> None:
        corpus = python_reference()
        train, validation, test = (
            {tuple(window) for window in stream.unfold(0, 40, 1).tolist()}
            for stream in (corpus.train, corpus.validation, corpus.test)
        )
        assert not train & validation
        assert not train & test
        assert not validation & test

    def test_the_parts_are_80_10_and_10_percent(self) -> None:
        corpus = python_reference()
        sizes = [len(part) for part in (corpus.train, corpus.validation, corpus.test)]
        assert [size / sum(sizes) for size in sizes] == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
        assert sum(sizes) > 40_000

    def test_each_part_ends_a_sentence(self) -> None:
        corpus = python_reference()
        for part in (corpus.train, corpus.validation, corpus.test):
            assert corpus.vocabulary[part[-1]] == "<eos>"

    def test_is_the_same_each_time(self) -> None:
        assert python_reference().fingerprint == python_reference().fingerprint


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
