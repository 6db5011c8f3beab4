"""Checks the files of published results against the checksums in their RO-Crate."""

import json
from pathlib import Path

from replication import files
from replication.errors import InputError
from replication.verify.findings import Findings

CRATE = "ro-crate-metadata.json"


def check_files(folder: Path, findings: Findings) -> None:
    """See that the folder has the files that its crate lists, unchanged, and no others.

    Raises:
        InputError: the crate is missing or damaged.
    """
    listed = _listed(folder / CRATE)
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    } - {CRATE}
    for name in sorted(listed.keys() | present):
        if name not in present:
            findings.problems.append(f"{folder / name}: no such file, but {CRATE} lists it")
            continue
        if name not in listed:
            findings.problems.append(f"{folder / name}: {CRATE} does not list it")
        elif files.checksum(folder / name) != listed[name]:
            findings.problems.append(f"{folder / name}: is not the file that {CRATE} lists")
        else:
            findings.mark(Path(name), "checked against its checksum")


def _listed(file: Path) -> dict[str, str]:
    """The checksums of a crate's files by name; raises InputError if it is missing or damaged."""
    try:
        graph = json.loads(file.read_text(encoding="utf-8"))["@graph"]
        return {entity["@id"]: entity["sha256"] for entity in graph if "File" in [*_types(entity)]}
    except FileNotFoundError:
        problem = "no such file"
    except files.JSON_ERRORS as error:
        problem = f"damaged ({error!r})"
    raise InputError(f"{file}: {problem}; publish the results again: replication publish")


def _types(entity: dict[str, object]) -> list[object]:
    kind = entity["@type"]
    return kind if isinstance(kind, list) else [kind]
