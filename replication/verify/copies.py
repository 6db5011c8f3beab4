"""Finds runs whose networks are copies of each other, exact or nearly so.

Two runs from different initial weights have uncorrelated weights (at most 0.06 over the runs
of a digits sweep), and predictions that correlate with at most 0.995. Copies with noise, a few
changed elements or another file header correlate in their weights; copies whose units were
permuted or rescaled are the same function, and correlate in their predictions.

Networks that start from the same trained weights resemble each other without being copies, in
weights and in predictions. Of these, only identical ones are copies.
"""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from replication.plan.initial_weights import has_given_start
from replication.verify.findings import nested

SAMPLE = 8192
"""Numbers of a network, or of its predictions, that are compared."""
ENDS = ("features.conv0.", "classifier.")
"""Tensors that students of Table 5 have from their teacher."""
LEAST_CORRELATIONS = {"weights": 0.25, "predictions": 0.9999}
"""Correlations above which two runs are copies."""

Sample = tuple[Hashable, NDArray[np.float32]]
"""What a run has to share with another to be compared, and its numbers, normalised."""


@dataclass(frozen=True)
class SharedStart:
    """What a run that starts from trained weights has to share with another to be compared."""

    key: Hashable
    start: str


def of_start(record: Mapping[str, Any], sample: Sample) -> Sample:
    """The sample of a run, which is not compared as usual if it starts from trained weights."""
    arguments = nested(record, "recipe", "network", "options") or {}
    if not has_given_start(arguments):
        return sample
    names = nested(record, "network", "name"), nested(record, "recipe", "initial_weights")
    key, numbers = sample
    return SharedStart(key, json.dumps([*names, arguments], sort_keys=True)), numbers


def sample_weights(file: Path) -> Sample:
    """A sample of a network's weights, each tensor standardised; raises like `load_file`."""
    tensors = sorted(load_file(file).items())
    shapes = tuple((name, tensor.shape) for name, tensor in tensors)
    matrices = [tensor for name, tensor in tensors if tensor.ndim > 1 and not name.startswith(ENDS)]
    standardised = [
        (matrix - matrix.mean()).ravel() / max(matrix.std(), 1e-12) for matrix in matrices
    ]
    return shapes, _normalise(np.concatenate([*standardised, np.zeros(0, np.float32)]))


def sample_predictions(data: str, predictions: Mapping[str, NDArray[Any]]) -> Sample:
    """A sample of a network's predictions on these data, without what does not change them."""
    if "logits" in predictions:
        numbers = predictions["logits"] - predictions["logits"].mean(1, keepdims=True)
    else:
        numbers = predictions["test"]
    return (data, numbers.shape), _normalise(numbers.ravel())


def _normalise(numbers: NDArray[Any]) -> NDArray[np.float32]:
    """Evenly spaced numbers, with mean 0 and norm 1; none where they are too few or constant."""
    sample = numbers[:: -(-len(numbers) // SAMPLE) or 1].astype(np.float32)
    centred = sample - sample.mean() if len(sample) else sample
    norm = np.linalg.norm(centred)
    return centred / norm if norm > 0 else centred[:0]


def find_copies(what: str, samples: Mapping[str, Sample]) -> Iterator[tuple[str, str]]:
    """Pairs of runs that are copies: each run with the first that it is like."""
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for run, (key, numbers) in samples.items():
        if len(numbers):
            groups[key, len(numbers)].append(run)
    for runs in groups.values():
        key, _ = samples[runs[0]]
        if isinstance(key, SharedStart):
            first: dict[bytes, str] = {}
            for run in runs:
                other = first.setdefault(samples[run][1].tobytes(), run)
                if other != run:
                    yield run, other
            continue
        stacked = np.stack([samples[run][1] for run in runs])
        similar = np.tril(stacked @ stacked.T > LEAST_CORRELATIONS[what], -1)
        for copy in np.flatnonzero(similar.any(axis=1)):
            yield runs[copy], runs[similar[copy].argmax()]
