"""Files written whole or not at all, and their checksums."""

import contextlib
import glob
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from replication.errors import InputError

ABANDONED_SECONDS = 24 * 60 * 60.0
"""A temporary file that was not written to for this long belongs to a process that was killed."""


JSON_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
"""What is raised when a JSON file is read that is missing, damaged or has other content."""


def checksum(file: Path, advice: str = "restore the file, or give read permission") -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: the file is missing or unreadable; the message ends with ``advice``, which says
            what the user can do about it.
    """
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); {advice}") from None


def payload_checksum(file: Path) -> str:
    """SHA-256 of the data behind the header of a safetensors file, so that the header can hold it.

    Raises:
        OSError: the file is missing or unreadable.
    """
    with file.open("rb") as stream:
        stream.seek(int.from_bytes(stream.read(8), "little"), os.SEEK_CUR)
        return hashlib.file_digest(stream, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(file: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name and rename it, so that no reader sees half of it.

    The other name is drawn at random: on a shared disk, processes of two containers may have the
    same id. What a killed process left of the same file is deleted a day later, when the file is
    written again. Everybody whom the user's umask allows to read the file may do so.

    Raises:
        InputError: the folder cannot be written, or the disk is full; an earlier file is kept.
    """
    part = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned_parts(file)
        part.touch()
        # Some writers, that of safetensors for one, leave a file that only its owner may read.
        mode = part.stat().st_mode
        write(part)
        part.chmod(mode)
        flush(part)
        part.replace(file)
        flush(file.parent)
    except (OSError, RuntimeError, SafetensorError) as error:
        # torch's writer raises the second from the first.
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        reason = getattr(cause, "strerror", None) or str(cause).splitlines()[0]
        raise InputError(
            f"{file}: cannot be written ({reason}); free disk space, give write permission, or move"
            " away what is in its place"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _remove_abandoned_parts(file: Path) -> None:
    """Delete what killed processes left of a file; running ones write to their parts."""
    for part in file.parent.glob(f".{glob.escape(file.name)}.*.part"):
        with contextlib.suppress(OSError):  # another process may have deleted it
            if time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                part.unlink()


def remove(*files: Path) -> None:
    """Delete files where they exist.

    Raises:
        InputError: one cannot be deleted.
    """
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"{file}: cannot be deleted ({error.strerror}); give write permission, or move away"
                " what is in its place"
            ) from None


def write_text(file: Path, text: str) -> None:
    """Write a text file whole or not at all; raises like `write_atomically`."""
    write_atomically(file, lambda part: part.write_text(text, encoding="utf-8"))
