"""A new study: a folder with a scale, a table, claims and an objective, to be edited."""

import re
from collections.abc import Callable
from pathlib import Path

from replication.config.study_proposal import StudyProposal, example_study, fill_template
from replication.errors import InputError
from replication.files import write_text

TEMPLATE = Path(__file__).resolve().parents[2] / "templates" / "study"


def create_study(folder: Path, propose: Callable[[], StudyProposal] | None = None) -> list[Path]:
    """Write the files of a new study, named after the folder, and return them.

    Args:
        folder: the folder to write, which does not exist or is empty.
        propose: gives what the study is filled in with; by default an example to be edited. It is
            called once the folder is known to be new.

    Raises:
        InputError: the folder is not empty or cannot be written, or its name is no name of a scale.
    """
    name = folder.resolve().name
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise InputError(f"{folder}: name it in lower-case letters, digits, - and _")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists already; choose another name")
    proposal = propose() if propose else example_study(folder.as_posix())
    written = []
    for source in sorted(path for path in TEMPLATE.rglob("*.*") if path.is_file()):
        text = source.read_text(encoding="utf-8")
        text = text.replace("STUDY", folder.as_posix()).replace("NAME", name)
        target = folder / source.relative_to(TEMPLATE)
        write_text(target, fill_template(text, proposal))
        written.append(target)
    return written
