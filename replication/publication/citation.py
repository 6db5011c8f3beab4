"""The authors, licence and release of the suite, as ``CITATION.cff`` has them."""

from pathlib import Path
from typing import Any

from replication.config.yaml_model import read_yaml
from replication.errors import InputError

CITATION = Path("CITATION.cff")
NEEDED = ("title", "version", "date-released", "license", "authors")


def read_citation(file: Path = CITATION) -> dict[str, Any]:
    """The keys of the citation; the date is text.

    Raises:
        InputError: it is missing, or lacks a key that a publication needs.
    """
    citation = read_yaml(file)
    if missing := [key for key in NEEDED if not citation.get(key)]:
        raise InputError(f"{file}: key `{missing[0]}` is missing; add it")
    return citation | {"date-released": str(citation["date-released"])}


def author_name(author: dict[str, str]) -> str:
    """The name of a person or an organisation: ``Family, Given`` or one name."""
    parts = author.get("family-names"), author.get("given-names")
    return author.get("name") or ", ".join(filter(None, parts))
