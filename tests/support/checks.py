"""Assertions that many tests make."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from replication.errors import InputError


def wait_until(done: Callable[[], Any], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.05)


def check_line(line: str, begins: str, *says: str) -> None:
    """See that what was said is one line, how it begins and what it says."""
    assert line.startswith(begins), line
    for part in says:
        assert part in line, line
    assert "\n" not in line


@contextmanager
def refused(begins: str, *says: str) -> Iterator[None]:
    """See that what is done within is refused, in one line that begins so and says this."""
    with pytest.raises(InputError) as caught:
        yield
    check_line(str(caught.value), begins, *says)
