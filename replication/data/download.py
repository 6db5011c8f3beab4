"""Downloads that go on where they stopped, and are taken only with the right checksum."""

import os
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from filelock import FileLock
from rich.console import Console
from rich.progress import Progress
from torchvision.datasets.utils import check_integrity

BLOCK = 1 << 16
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""

RANGE_NOT_SATISFIABLE = 416


def download(url: str, file: Path, md5: str) -> None:
    """Download ``url`` to ``file``, which gets its name only when its md5 sum is right.

    What has come stays in a hidden file beside it, and the next call asks for the rest. Progress
    goes to standard error. Processes that want the same file wait for each other.

    Raises:
        OSError, HTTPException: the network or the disk failed; what has come is kept.
        ValueError: the md5 sum is wrong; nothing is kept.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    with FileLock(file.with_name(f".{file.name}.lock")):
        if check_integrity(file, md5):
            return
        _fetch_rest(url, part)
        if not check_integrity(part, md5):
            part.unlink()
            raise ValueError(f"its md5 sum is not {md5}")
        os.replace(part, file)


def _fetch_rest(url: str, part: Path) -> None:
    start = part.stat().st_size if part.exists() else 0
    try:
        _fetch(url, part, start)
    except HTTPError as error:
        if not (start and error.code == RANGE_NOT_SATISFIABLE):
            raise
        _fetch(url, part, 0)  # what is there is no beginning of this file


def _fetch(url: str, part: Path, start: int) -> None:
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    with urlopen(request, timeout=TIMEOUT) as response:
        goes_on = response.status == 206
        done = start if goes_on else 0
        length = response.headers["Content-Length"]
        total = done + int(length) if length else None
        with part.open("ab" if goes_on else "wb") as out, _progress() as progress:
            task = progress.add_task(part.name[1:-5], completed=done, total=total)
            for block in iter(partial(response.read, BLOCK), b""):
                out.write(block)
                done += len(block)
                progress.update(task, completed=done)
    if total is not None and done < total:
        raise HTTPException(f"the connection ended after {done} of {total} bytes")


def _progress() -> Progress:
    return Progress(console=Console(stderr=True))
