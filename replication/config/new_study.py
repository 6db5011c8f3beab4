"""A new study: a folder with a scale, a table, claims and an objective, to be edited."""

import re
from pathlib import Path

from replication.errors import InputError
from replication.files import write_text

TEMPLATE = Path(__file__).resolve().parents[2] / "templates" / "study"


def create_study(folder: Path) -> list[Path]:
    """Write the files of a new study, named after the folder, and return them.

    Raises:
        InputError: the folder is not empty or cannot be written, or its name is no name of a scale.
    """
    name = folder.resolve().name
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise InputError(f"{folder}: name it in lower-case letters, digits, - and _")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists already; choose another name")
    written = []
    for source in sorted(path for path in TEMPLATE.rglob("*.*") if path.is_file()):
        text = source.read_text(encoding="utf-8")
        target = folder / source.relative_to(TEMPLATE)
        write_text(target, text.replace("STUDY", folder.as_posix()).replace("NAME", name))
        written.append(target)
    return written
