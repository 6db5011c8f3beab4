"""Random streams of a run: each its own, all derived from the run's id."""

import hashlib
from typing import Literal

import torch

Purpose = Literal["initialisation", "order", "augmentation", "permutation", "dropout"]


def seed(run_id: str, purpose: Purpose) -> int:
    """A 56-bit seed: the same for the same run and purpose, unrelated to every other."""
    return int.from_bytes(hashlib.sha256(f"{run_id}\n{purpose}".encode()).digest()[:7])


def stream(run_id: str, purpose: Purpose, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose of one run."""
    return torch.Generator(device).manual_seed(seed(run_id, purpose))
