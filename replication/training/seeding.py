"""Random numbers of a training: streams independent of each other, all derived from its id."""

import hashlib
from typing import Any, Literal

import torch

Purpose = Literal["initialisation", "order", "augmentation", "permutation", "dropout"]
GeneratorState = dict[str, Any]
"""The state of one generator: ``device``, the type of its device, and ``state``, bytes (n,)."""


def derive_seed(run_id: str, purpose: Purpose) -> int:
    """A 56-bit seed: the same for the same run and purpose, unrelated to every other."""
    return int.from_bytes(hashlib.sha256(f"{run_id}\n{purpose}".encode()).digest()[:7])


def make_generator(
    run_id: str, purpose: Purpose, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A generator for one purpose of one run."""
    return torch.Generator(device).manual_seed(derive_seed(run_id, purpose))


def generator_state(generator: torch.Generator) -> GeneratorState:
    """The state of a generator, for `restore_generator`."""
    return {"device": generator.device.type, "state": generator.get_state()}


def restore_generator(generator: torch.Generator, saved: GeneratorState) -> None:
    """Continue from a state returned by `generator_state`.

    CPU and GPU draw by different algorithms, so that neither can continue from the state of the
    other. A generator on another type of device stays as it is: at the beginning of its stream.
    """
    if saved["device"] == generator.device.type:
        generator.set_state(saved["state"])


def global_generator_states(device: torch.device) -> list[GeneratorState]:
    """The states of torch's global generators, from which drop-out draws."""
    states = [{"device": "cpu", "state": torch.get_rng_state()}]
    if device.type == "cuda":
        states.append({"device": "cuda", "state": torch.cuda.get_rng_state(device)})
    return states


def restore_global_generators(saved: list[GeneratorState], device: torch.device) -> None:
    """Continue from states returned by `global_generator_states`, as `restore_generator` does."""
    for generator in saved:
        if generator["device"] == "cpu":
            torch.set_rng_state(generator["state"])
        elif device.type == "cuda":
            torch.cuda.set_rng_state(generator["state"], device)
