"""Random streams of a run: each its own, all derived from the run's id."""

import hashlib
from typing import Literal

import torch
from torch import Tensor

Purpose = Literal["initialisation", "order", "augmentation", "permutation", "dropout"]


def seed(run_id: str, purpose: Purpose) -> int:
    """A 56-bit seed: the same for the same run and purpose, unrelated to every other."""
    return int.from_bytes(hashlib.sha256(f"{run_id}\n{purpose}".encode()).digest()[:7])


def stream(run_id: str, purpose: Purpose, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose of one run."""
    return torch.Generator(device).manual_seed(seed(run_id, purpose))


def global_rng_state(device: torch.device) -> dict[str, Tensor]:
    """The state of torch's own generators, from which drop-out draws."""
    states = {"cpu": torch.get_rng_state()}
    return states | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def set_global_rng_state(states: dict[str, Tensor], device: torch.device) -> None:
    """Go back to a state that `global_rng_state` has given."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
