"""The precision of a run: what the scale asks for, or what the device is fast in."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from support.plans import tiny_plan

from replication.runtime import conditions

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "units", "kind", "expected"),
    [
        (CPU, {"amx"}, "image", "bfloat16"),
        (CPU, {"avx512_bf16"}, "image", "bfloat16"),
        (CPU, {"amx", "avx512_bf16"}, "language", "float32"),
        (CPU, {"cuda"}, "image", "float32"),
        (CUDA, {"cuda"}, "language", "bfloat16"),
        (CUDA, {"amx"}, "image", "tf32"),
    ],
)
def test_auto_is_what_the_device_is_fast_in(
    device: torch.device,
    units: set[str],
    kind: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: "amx" in units)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: "avx512_bf16" in units)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: "cuda" in units
    )
    scale = tiny_plan(precision="auto").scale
    assert conditions.choose_precision(scale, device, kind) == expected  # type: ignore[arg-type]
    for fixed in ("float32", "bfloat16", "tf32"):
        scale = tiny_plan(precision=fixed).scale
        assert conditions.choose_precision(scale, device, kind) == fixed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chosen", "dtype"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)]
)
def test_the_forward_pass_is_in_the_chosen_precision(chosen: str, dtype: torch.dtype) -> None:
    layer = torch.nn.Conv2d(1, 1, 1)
    with conditions.configure_precision(chosen, CPU)():  # type: ignore[arg-type]
        assert layer(torch.zeros(1, 1, 2, 2)).dtype == dtype


@pytest.fixture
def units() -> Iterator[list[Any]]:
    """The settings that are process-wide, put back afterwards."""
    backends: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    before = [unit.fp32_precision for unit in backends]
    yield backends
    for unit, value in zip(backends, before, strict=True):
        unit.fp32_precision = value


@pytest.mark.parametrize(("chosen", "expected"), [("tf32", "tf32"), ("float32", "ieee")])
def test_tf32_is_switched_with_the_precision(units: list[Any], chosen: Any, expected: str) -> None:
    conditions.configure_precision(chosen, CUDA)
    assert [unit.fp32_precision for unit in units] == [expected, expected]
