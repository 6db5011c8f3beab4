"""FLOPs of networks that were counted once, kept beside the results.

The file ``results/<scale>/.flops.json`` has a number for the hash of everything that it depends on.
It can be deleted at any time. Processes that write it at once overwrite each other's numbers, which
are then counted once more; none reads half of a file.
"""

import hashlib
import json
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from replication.data.specs import ImageSpec, TextSpec
from replication.errors import InputError
from replication.files import JSON_ERRORS, write_text

FILE = ".flops.json"
PACKAGE = Path(__file__).parents[1]
COUNTED_SOURCES = [
    *sorted((PACKAGE / "networks").glob("*.py")),
    PACKAGE / "sweep" / "flop_counter.py",
]
"""The code that builds networks and counts their FLOPs."""


@cache
def forward_flops_of(results: Path, name: str, options: str, data: ImageSpec | TextSpec) -> float:
    """FLOPs of the forward pass of one image or word; counted if they are not kept yet.

    Args:
        results: folder of a scale's results, where the number is kept if it can be written.
        name: the network's name.
        options: the network's keyword arguments as JSON.
        data: what it is built for.
    """
    file, key = results / FILE, _key(name, options, data)
    kept = _read(file)
    if key in kept:
        return kept[key]
    from replication.sweep.flop_counter import count_forward_flops

    flops = count_forward_flops(name, options, data)
    with suppress(InputError):  # a folder that others made is only read
        write_text(file, json.dumps({**_read(file), key: flops}, indent=1) + "\n")
    return flops


def _key(name: str, options: str, data: ImageSpec | TextSpec) -> str:
    """A hash of what the FLOPs of a network depend on."""
    inputs = (data.classes, data.shape) if isinstance(data, ImageSpec) else data.words
    depends_on = name, options, inputs, _versions()
    return hashlib.sha256(repr(depends_on).encode()).hexdigest()[:32]


@cache
def _versions() -> tuple[str, ...]:
    digest = hashlib.sha256()
    for file in COUNTED_SOURCES:
        digest.update(file.read_bytes())
    return version("torch"), version("timm"), digest.hexdigest()


def _read(file: Path) -> dict[str, float]:
    """The kept numbers; none where the file is missing or damaged."""
    try:
        kept = json.loads(file.read_bytes())
        return {key: float(number) for key, number in kept.items()}
    except JSON_ERRORS:
        return {}
