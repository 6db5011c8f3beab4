"""Checks the files of published results against the checksums in their RO-Crate."""

import json
from pathlib import Path

from replication import files
from replication.errors import InputError
from replication.verify.findings import Findings

CRATE = "ro-crate-metadata.json"


def check_files(folder: Path, found: Findings) -> None:
    """See that the folder has the files that its crate lists, unchanged, and no others."""
    listed = _listed(folder / CRATE)
    there = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    } - {CRATE}
    for name in sorted(listed.keys() | there):
        if name not in there:
            found.problems.append(f"{folder / name}: no such file, but {CRATE} lists it")
        elif name not in listed:
            found.problems.append(f"{folder / name}: {CRATE} does not list it")
        elif files.checksum(folder / name) != listed[name]:
            found.problems.append(f"{folder / name}: is not the file that {CRATE} lists")


def _listed(file: Path) -> dict[str, str]:
    """The checksums of a crate's files by name; raises InputError if it is missing or damaged."""
    try:
        graph = json.loads(file.read_text(encoding="utf-8"))["@graph"]
        return {it["@id"]: it["sha256"] for it in graph if "File" in [*_types(it)]}
    except FileNotFoundError:
        problem = "no such file"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        problem = f"damaged ({error!r})"
    raise InputError(f"{file}: {problem}; publish the results again: replication publish")


def _types(entity: dict[str, object]) -> list[object]:
    kind = entity["@type"]
    return kind if isinstance(kind, list) else [kind]
