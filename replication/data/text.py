"""Word-level corpora as tensors: loaded, spelled, and cut into windows (Table 6)."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor

from replication.data.specs import STREAMS, TEXT_DATASETS
from replication.errors import InputError

END_OF_SENTENCE = "<eos>"
UNKNOWN = "<unk>"
IGNORED = -100
"""Target without a word; `torch.nn.functional.cross_entropy` ignores it by default."""


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

    @property
    def size(self) -> str:
        """Nothing, where a data set of images has the size of an image."""
        return ""

    @property
    def counts(self) -> dict[str, Any]:
        """What a run records of the corpus beside its name and fingerprint."""
        streams = {part: len(stream) for part, stream in self.arrays.items()}
        return {"words": len(self.vocabulary), **streams}

    @property
    def facts(self) -> dict[str, Any]:
        """What is kept beside the arrays of a prepared corpus, as plain data."""
        return {"vocabulary": [*self.vocabulary]}

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The three streams, by names that `from_arrays` takes back."""
        return {part: getattr(self, part).numpy() for part in STREAMS}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any], fingerprint: str
    ) -> Self:
        """The corpus with these `arrays` and `facts`, in the same memory."""
        train, validation, test = (torch.from_numpy(arrays[part]) for part in STREAMS)
        return cls(train, validation, test, tuple(facts["vocabulary"]))


def load_corpus(
    name: str,
    root: Path,
    words: int | None = None,
    train: int | None = None,
    file: Path | None = None,
    *,
    download: bool = False,
) -> Corpus:
    """Load a corpus from its own folder below ``root``, the folder of all data sets.

    ``words`` is the size of the vocabulary (None: the data set's own), ``train`` the number of
    training words that are used (None: all), ``file`` a text of one's own.

    Raises:
        InputError: files are missing, damaged or cannot be downloaded, or the training part has
            fewer words than requested.
    """
    if file:
        corpus: Corpus = resolve_name("replication.data.text_files:own_text")(file, words)
    else:
        spec = TEXT_DATASETS[name]
        corpus = resolve_name(spec.loader)(root / name, words or spec.words, download)
    total = len(corpus.train)
    if train and train > total:
        raise InputError(
            f"{name}: `train` asks for {train} words, but the data set has {total}; lower it"
        )
    return replace(corpus, train=corpus.train[:train])


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
