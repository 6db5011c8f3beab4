"""Random number generators of a run: independent of each other, all derived from the run's id."""

import hashlib
from typing import Literal

import torch
from torch import Tensor

Purpose = Literal["initialisation", "order", "augmentation", "permutation", "dropout"]


def derive_seed(run_id: str, purpose: Purpose) -> int:
    """A 56-bit seed: the same for the same run and purpose, unrelated to every other."""
    return int.from_bytes(hashlib.sha256(f"{run_id}\n{purpose}".encode()).digest()[:7])


def make_generator(
    run_id: str, purpose: Purpose, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A generator for one purpose of one run."""
    return torch.Generator(device).manual_seed(derive_seed(run_id, purpose))


def global_rng_state(device: torch.device) -> dict[str, Tensor]:
    """The state of torch's global generators, which dropout uses."""
    states = {"cpu": torch.get_rng_state()}
    return states | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_global_rng_state(states: dict[str, Tensor], device: torch.device) -> None:
    """Restore a state returned by `global_rng_state`."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
