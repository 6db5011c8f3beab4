"""Which test items each cell classifies correctly, at every seed: ``correct.safetensors``.

One bit per item, so that intervals over items, agreement in errors and paired tests can be computed
again without predictions.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from replication.errors import InputError
from replication.files import JSON_ERRORS, write_atomically

CORRECT = "correct.safetensors"
CellAndSeed = tuple[str, str, str, int]
"""Table, row, column and seed."""
Correctness = Mapping[CellAndSeed, NDArray[np.bool_]]
"""For a cell and seed, whether each of the n test items is classified correctly: (n,)."""


def write_correctness(folder: Path, correctness: Correctness) -> None:
    """Write ``correct.safetensors``; the same content gives the same bytes.

    Raises:
        InputError: the file cannot be written.
    """
    packed = {json.dumps(key): np.packbits(bits) for key, bits in correctness.items()}
    items = {json.dumps(key): len(bits) for key, bits in correctness.items()}
    metadata = {"items": json.dumps(items, sort_keys=True)}
    write_atomically(folder / CORRECT, lambda part: save_file(packed, part, metadata))


def read_correctness(folder: Path, hint: str) -> dict[CellAndSeed, NDArray[np.bool_]]:
    """Read ``correct.safetensors``.

    Raises:
        InputError: the file is missing or damaged; the message ends with ``hint``.
    """
    file = folder / CORRECT
    correctness = {}
    try:
        with safe_open(file, "numpy") as stored:
            items = json.loads((stored.metadata() or {})["items"])
            for name, count in items.items():
                table, row, column, seed = json.loads(name)
                bits = np.unpackbits(stored.get_tensor(name), count=count).astype(bool)
                correctness[str(table), str(row), str(column), int(seed)] = bits
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; {hint}") from None
    except (*JSON_ERRORS, SafetensorError) as problem:
        raise InputError(f"{file}: damaged ({problem}); delete it and {hint}") from None
    return correctness
