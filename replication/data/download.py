"""Downloads that get their file name only when their checksum is right."""

import tarfile
import zlib
from pathlib import Path

import pooch

UNREADABLE = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    EOFError,
    tarfile.TarError,
    zlib.error,
)
"""What reading a damaged or missing file, or downloading it, raises."""


def download(url: str, file: Path, md5: str) -> None:
    """Download ``url`` to ``file``, unless the file is there and has this md5 sum.

    A file with another sum is kept until the right one has been downloaded. Progress goes to
    standard error. Callers that share a folder hold a lock.

    Raises:
        OSError: the network or the disk failed.
        ValueError: the md5 sum is wrong; nothing is kept.
    """
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=30)
    pooch.retrieve(
        url, f"md5:{md5}", file.name, file.parent, processor=_make_readable, downloader=downloader
    )


def _make_readable(file: str, action: str, _: object) -> str:
    if action != "fetch":
        Path(file).chmod(0o644)  # pooch leaves a download readable for its owner alone
    return file


def last_line(error: Exception) -> str:
    """The last line of an error's message, which has the reason; its kind if it has no message."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
