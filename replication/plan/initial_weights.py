"""The files that a network of timm starts from, where its arguments name some.

The same name may stand for other weights tomorrow, so the checksums of the files belong to the
recipe. Weights that timm downloads by name, which the Hugging Face Hub keeps by version, are not
looked up: a plan is made without a network.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from replication.architectures.catalogue import TIMM
from replication.errors import InputError
from replication.files import checksum
from replication.plan.published_study import described

LOCAL_FOLDER = f"{TIMM}:local-dir:"
"""Prefix of the name of a network whose description and weights are in a folder."""
START_ARGUMENTS = ("pretrained", "checkpoint_path")
"""Arguments of timm.create_model that say what the weights are, and not what the network is."""
PREFERRED = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth")
"""Names of the file of weights in a folder, in the order in which timm prefers them."""
ENDINGS = (".safetensors", ".pth", ".pth.tar", ".bin")
"""Endings of other files of weights, in the same order."""


def initial_checksums(
    network: str, arguments: Mapping[str, Any], study: Path | None = None
) -> dict[str, str]:
    """SHA-256 of each local file that the network is made from, by its name without folders.

    Empty for a network that starts from random numbers, or from weights that timm downloads. A
    publication, whose folder of the ``study`` describes the files, need not have them.

    Raises:
        InputError: a file cannot be read.
    """
    published = described(study, "initial_weights", initial_key(network, arguments))
    if published:
        return {str(name): str(digest) for name, digest in published.items()}
    return {
        file.name: checksum(file, f"correct the arguments of `{network}` in its table")
        for file in _files(network, arguments)
    }


def initial_key(network: str, arguments: Mapping[str, Any]) -> str:
    """What a publication describes the start of a network under."""
    return json.dumps([network, dict(arguments)], sort_keys=True)


def has_given_start(arguments: Mapping[str, Any]) -> bool:
    """Whether arguments of timm.create_model say that a network starts from trained weights."""
    return any(arguments.get(name) for name in START_ARGUMENTS)


def without_start(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The same arguments for a network whose weights will be loaded from elsewhere."""
    return {name: value for name, value in arguments.items() if name not in START_ARGUMENTS}


def _files(network: str, arguments: Mapping[str, Any]) -> list[Path]:
    files = []
    if path := arguments.get("checkpoint_path"):
        files.append(Path(str(path)))
    if network.startswith(LOCAL_FOLDER):
        folder = Path(network.removeprefix(LOCAL_FOLDER))
        files.append(folder / "config.json")
        if arguments.get("pretrained"):
            files.append(_weights_in(folder))
    elif arguments.get("pretrained"):
        for name in ("pretrained_cfg", "pretrained_cfg_overlay"):
            config = arguments.get(name)
            if isinstance(config, Mapping) and config.get("file"):
                files.append(Path(str(config["file"])))
    return files


def _weights_in(folder: Path) -> Path:
    preferred = [folder / name for name in PREFERRED]
    others = [file for ending in ENDINGS for file in sorted(folder.glob(f"*{ending}"))]
    present = (file for file in [*preferred, *others] if file.is_file())
    if file := next(present, None):
        return file
    raise InputError(
        f"{folder}: has no file of weights; leave out `pretrained`, or name another folder"
    )
