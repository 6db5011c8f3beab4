"""Which items a cell gets right: packed bits beside the csv files."""

from pathlib import Path

import numpy as np
import pytest

from replication.errors import InputError
from replication.results.correctness import CORRECT, read_correctness, write_correctness

KEYS = [("table4", "0.5*depth", "error", 3), ("table2", "a/b; c", 'ens*2 "x"', 0)]


@pytest.mark.parametrize("items", [1, 7, 8, 9, 1000])
def test_bits_come_back_whatever_their_number(items: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(items)
    written = {key: generator.random(items) < 0.5 for key in KEYS}
    write_correctness(tmp_path, written)
    read = read_correctness(tmp_path, "build it")
    assert set(read) == set(KEYS)
    for key in KEYS:
        np.testing.assert_array_equal(read[key], written[key])


def test_the_same_bits_give_the_same_bytes_and_one_bit_an_item(tmp_path: Path) -> None:
    bits = np.arange(8000) % 3 == 0
    write_correctness(tmp_path, dict.fromkeys(KEYS, bits))
    first = (tmp_path / CORRECT).read_bytes()
    write_correctness(tmp_path, dict.fromkeys(reversed(KEYS), bits))
    assert (tmp_path / CORRECT).read_bytes() == first
    assert len(first) < 2 * 1000 + 600


def test_a_missing_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"correct\.safetensors: no such file; build it"):
        read_correctness(tmp_path, "build it")
    write_correctness(tmp_path, {KEYS[0]: np.ones(100, bool)})
    file = tmp_path / CORRECT
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"correct\.safetensors: damaged .*; delete it and build"):
        read_correctness(tmp_path, "build it")
