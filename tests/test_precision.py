"""The precision of a run: what the scale asks for, or what the device is fast in."""

import pytest
import torch
from conftest import tiny_plan

from replication.training import precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "fast", "kind", "expected"),
    [
        (CPU, True, "image", "bfloat16"),
        (CPU, True, "language", "float32"),
        (CPU, False, "image", "float32"),
        (CUDA, True, "language", "bfloat16"),
        (CUDA, False, "image", "tf32"),
    ],
)
def test_auto_is_what_the_device_is_fast_in(
    device: torch.device, fast: bool, kind: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: fast)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: fast)
    scale = tiny_plan(precision="auto").scale
    assert precision.choose(scale, device, kind) == expected  # type: ignore[arg-type]
    for fixed in ("float32", "bfloat16", "tf32"):
        scale = tiny_plan(precision=fixed).scale
        assert precision.choose(scale, device, kind) == fixed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chosen", "dtype"), [("bfloat16", torch.bfloat16), ("float32", torch.float32)]
)
def test_the_forward_pass_is_in_the_chosen_precision(chosen: str, dtype: torch.dtype) -> None:
    layer = torch.nn.Conv2d(1, 1, 1)
    with precision.use(chosen, CPU)():  # type: ignore[arg-type]
        assert layer(torch.zeros(1, 1, 2, 2)).dtype == dtype


@pytest.mark.parametrize("chosen", ["tf32", "float32"])
def test_tf32_is_switched_with_the_precision(chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for units in (torch.backends.cuda.matmul, torch.backends.cudnn):
        monkeypatch.setattr(units, "fp32_precision", "none")
    precision.use(chosen, CUDA)  # type: ignore[arg-type]
    expected = "tf32" if chosen == "tf32" else "ieee"
    assert torch.backends.cuda.matmul.fp32_precision == expected
    assert torch.backends.cudnn.fp32_precision == expected
