"""A new study: a folder with a scale, a table, claims and an objective, to be edited."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from replication.config.study_proposal import StudyProposal, example_study, placeholders
from replication.errors import InputError
from replication.files import write_text

SUITE = Path(__file__).resolve().parents[2]
TEMPLATE = SUITE / "templates" / "study"


def create_study(folder: Path, propose: Callable[[], StudyProposal] | None = None) -> list[Path]:
    """Write the files of a new study, named after the folder, and return them.

    Args:
        folder: the folder to write, which does not exist or is empty.
        propose: gives what the study is filled in with; by default an example to be edited. It is
            called once the folder is known to be new.

    Raises:
        InputError: the folder is not empty or cannot be written, or its name has other
            characters than those of a scale, or is that of an existing scale or publication.
    """
    name = folder.resolve().name
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise InputError(f"{folder}: use only lower-case letters, digits, - and _ in its name")
    if not folder.as_posix().isprintable():
        raise InputError(f"{folder}: has characters that cannot be printed; choose another folder")
    if {"{", "}"} & {*folder.as_posix()}:
        raise InputError(
            f"{folder}: has braces, which Snakemake takes for wildcards; choose another folder"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: already exists; choose another name")
    if owner := _owner_of(name):
        raise InputError(
            f"{folder}: `{name}` is the name of {owner}, whose results would get mixed up with the"
            " study's; choose another name"
        )
    # In YAML the name stands in double quotes: without them, 2024 is a number and no is false.
    path = folder.as_posix()
    values = {
        "SHELL": shlex.quote(f"{path}/study.yaml"),
        "STUDY": path,
        "NAME": name,
        **placeholders(propose() if propose else example_study(path)),
    }
    pattern = "|".join(map(re.escape, values))
    written = []
    for source in sorted(path for path in TEMPLATE.rglob("*.*") if path.is_file()):
        text = source.read_text(encoding="utf-8")
        target = folder / source.relative_to(TEMPLATE)
        write_text(target, re.sub(pattern, lambda match: values[match[0]], text))
        written.append(target)
    return written


def _owner_of(name: str) -> str | None:
    """The scale or publication that has a name already, in words; None where there is none."""
    for root in (SUITE, Path()):
        if (root / "config" / f"{name}.yaml").exists():
            return f"the scale config/{name}.yaml"
        if (root / "published" / name).exists():
            return f"the publication published/{name}"
    # Results go to the current directory.
    return f"the results results/{name}" if Path("results", name).exists() else None
