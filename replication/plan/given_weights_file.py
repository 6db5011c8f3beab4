"""The file of a network that was trained elsewhere: its form, and the normalisation that it states.

The plan reads it without torch, so that problems with it are reported before any training.
"""

import json
import shlex
from pathlib import Path
from typing import Any

from replication.errors import InputError
from replication.files import JSON_ERRORS, checksum
from replication.plan.published_study import described
from replication.plan.run import Run

HUB_CONFIG = "config.json"
"""The file beside weights that timm and the Hugging Face Hub describe a network in."""
PICKLES = (b"PK\x03\x04", b"\x80")
"""How the files of `torch.save` begin: as a zip archive today, as a pickle in the past."""
CONVERSION = (
    "import sys, torch; from safetensors.torch import save_file;"
    " w = torch.load(sys.argv[1], map_location='cpu', weights_only=True);"
    " w = next((w[k] for k in ('state_dict', 'model') if isinstance(w.get(k), dict)), w);"
    " save_file({k: v.clone().contiguous() for k, v in w.items()}, sys.argv[2])"
)
"""Python that writes the state dict in a file of `torch.save` as a safetensors file."""


def given_weights_checksum(run: Run, study: Path | None = None) -> str:
    """SHA-256 of the weights of a run that has them from elsewhere.

    A publication, whose folder of the ``study`` describes them, need not have the file.

    Raises:
        InputError: the file cannot be read, or is not a safetensors file; for a file of PyTorch's
            own format, the line has the command that converts it.
    """
    file = Path(run.weights or "")
    if published := described(study, "weights", run.weights or ""):
        return str(published["sha256"])
    try:
        digest = checksum(file)
        with file.open("rb") as stream:
            start = stream.read(9)
    except (InputError, OSError) as error:
        problem = str(error).partition(";")[0]
        raise InputError(f"{problem}; correct `weights` in its table") from None
    if start.startswith(PICKLES):
        target = file.with_suffix(".safetensors")
        command = f'python -c "{CONVERSION}" {shlex.join([str(file), str(target)])}'
        raise InputError(
            f"{file}: a file of torch.save, not a safetensors file; name {target} in `weights`, and"
            f" create it once with: {command}"
        )
    if start[8:] != b"{":
        raise InputError(f"{file}: not a safetensors file; save it again with safetensors.torch")
    return digest


def stated_normalisation(run: Run, study: Path | None = None) -> dict[str, Any] | None:
    """The normalisation that a network from elsewhere was trained with, where something states it.

    That is its cell in the table, or the ``pretrained_cfg`` of a ``config.json`` beside its
    weights, as timm writes it and as every run of this suite has one. The keys are ``mean`` and
    ``std``, a number per channel, and ``source``, which says where they were found.
    """
    if published := described(study, "weights", run.weights or ""):
        stated: dict[str, Any] | None = published["normalisation"]
        return stated
    if run.normalisation:
        in_cell = dict(zip(("mean", "std"), map(list, run.normalisation), strict=True))
        return {**in_cell, "source": "its cell"}
    file = Path(run.weights or "").with_name(HUB_CONFIG)
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        stated = config.get("pretrained_cfg", config)
        mean, std = ([float(value) for value in stated[key]] for key in ("mean", "std"))
        same_network = config["architecture"] == _architecture(run.network)
    except JSON_ERRORS:
        return None
    if not same_network or len(mean) != len(std) or not mean or min(std) <= 0:
        return None
    return {"mean": mean, "std": std, "source": str(file)}


def _architecture(network: str) -> str:
    """The name that timm has for a network, without the tag of its weights."""
    return network.rpartition(":")[2].partition(".")[0]
