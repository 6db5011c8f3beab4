"""Networks from elsewhere: seen in their own normalisation, and warned of where they do not fit."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from replication.config.paper_tables import read_table
from replication.data.prepare import prepare
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.results.run_folder import CONFIG, MODEL
from replication.results.run_record import read_predictions, read_record
from replication.training.train_run import train
from replication.verify.verification import verify

NETWORK = "timm:test_resnet"
OF_TIMM: dict[str, Any] = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
FAR: dict[str, Any] = {"mean": [2.0, -1.0, 3.0], "std": [0.25, 0.5, 2.0]}
CONTRAST = 0.02
SCALE: dict[str, Any] = {
    "scale": "own",
    "tables": ["own"],
    "seeds": [0],
    "images": {"epochs": 1, "batch_size": 32, "learning_rate": 0.01, "weight_decay": 0.0},
    "device": "cpu",
    "precision": "float32",
}


def images_of(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Colour images (n, 16, 16, 3) of three classes, in which brightness and colour say nothing."""
    generator = np.random.default_rng(part == "train")
    labels = np.arange(96) % 3
    images = generator.integers(0, 90, (96, 16, 16, 3)).astype(np.uint8)
    images[labels == 0, ::4] += 150
    images[labels == 1, :, ::4] += 150
    images[labels == 2, ::4, ::4] += 150
    return images, labels


def as_seen(part: str, mean: list[float], std: list[float]) -> Tensor:
    """The images (n, 3, 16, 16) in a normalisation, as somebody else's code gives them."""
    pixels = torch.from_numpy(images_of(part)[0]).permute(0, 3, 1, 2) / 255
    return (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


def train_elsewhere(mean: list[float], std: list[float]) -> nn.Module:
    """A network that fits its training images in this normalisation."""
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=3)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    images, labels = as_seen("train", mean, std), torch.from_numpy(images_of("train")[1])
    for _ in range(25):
        optimiser.zero_grad()
        cross_entropy(network(images), labels).backward()
        optimiser.step()
    with torch.no_grad():
        for _ in range(40):  # the running statistics become those of the images
            network(images)
    return network.eval()


def error_of(network: nn.Module, mean: list[float], std: list[float]) -> float:
    """Its test error in percent, outside of the suite."""
    with torch.no_grad():
        wrong = network(as_seen("test", mean, std)).argmax(1) != torch.from_numpy(
            images_of("test")[1]
        )
    return 100 * wrong.float().mean().item()


@pytest.fixture(scope="module")
def of_timm() -> nn.Module:
    return train_elsewhere(**OF_TIMM)


@pytest.fixture(scope="module")
def far_away() -> nn.Module:
    return train_elsewhere(**FAR)


def study(
    folder: Path, weights: dict[str, Tensor] | nn.Module, contrast: float = 1.0, **cell: Any
) -> Plan:
    """A study whose teacher has these weights."""
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    save_file({name: value.clone() for name, value in state.items()}, folder / "given.safetensors")
    return study_with(folder, folder / "given.safetensors", contrast, **cell)


def study_with(folder: Path, file: Path, contrast: float = 1.0, **cell: Any) -> Plan:
    arrays: dict[str, np.ndarray] = {}
    for part in ("train", "test"):
        images, arrays[f"y_{part}"] = images_of(part)
        arrays[f"x_{part}"] = images if contrast == 1 else (images / 255 * contrast)
    np.savez(folder / "blobs.npz", **arrays)  # type: ignore[arg-type]
    columns = {
        "teacher": {"weights": str(file), **cell},
        "ban": {"objective": "ban", "teacher": "teacher"},
    }
    rows = {"resnet": {"network": NETWORK}}
    table = {"title": "Own", "dataset": "blobs", "columns": columns, "rows": rows}
    (folder / "own.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    scale = {**SCALE, "datasets": {"blobs": {"npz": str(folder / "blobs.npz")}}}
    scale["data_root"] = str(folder / "data")
    (folder / "study.yaml").write_text(yaml.safe_dump(scale), encoding="utf-8")
    plan = Plan.read([folder / "study.yaml"], folder, folder / "results")
    for dataset in plan.scale.datasets.values():
        prepare(dataset.name, plan.scale.data_root, dataset.sizes)
    return plan


def evaluate(plan: Plan, capfd: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """The record of the teacher, and what its evaluation says on standard error."""
    capfd.readouterr()
    record = train(plan, next(iter(plan.runs.values())))
    return record, capfd.readouterr().err


def test_a_network_sees_the_normalisation_of_its_cell_and_so_do_its_students(
    far_away: nn.Module, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = study(tmp_path, far_away, **FAR)
    teacher, student = plan.runs.values()
    record, printed = evaluate(plan, capfd)
    assert record["result"]["test error (%)"] == pytest.approx(error_of(far_away, **FAR))
    assert record["normalisation"] == {**FAR, "source": "its cell"}
    assert record["warnings"] == []
    assert "warning" not in printed
    with torch.no_grad():
        expected = far_away(as_seen("test", **FAR))
    predicted = torch.from_numpy(read_predictions(plan.folder(teacher))["logits"])
    torch.testing.assert_close(predicted, expected, atol=1e-3, rtol=1e-3)
    # What timm loads from the folder says how to normalise, and has the weights as they were.
    config = json.loads((plan.folder(teacher) / CONFIG).read_text())["pretrained_cfg"]
    assert (config["mean"], config["std"]) == (FAR["mean"], FAR["std"])
    assert load_file(plan.folder(teacher) / MODEL).keys() == far_away.state_dict().keys()
    train(plan, student)
    (cache,) = plan.folder(teacher).glob("teacher_logits*")
    with torch.no_grad():
        logits = far_away(as_seen("train", **FAR))
    stored = load_file(cache)["logits"][0].float()
    torch.testing.assert_close(stored, logits - logits.amax(1, keepdim=True), atol=0.02, rtol=0.01)
    assert verify(plan.results, tmp_path, [tmp_path / "study.yaml"], deep=1).problems == []


def test_a_teacher_that_runs_beside_its_student_sees_its_own_normalisation(
    far_away: nn.Module, tmp_path: Path
) -> None:
    stored, live = (tmp_path / name for name in ("stored", "live"))
    for folder, limit in ((stored, 4.0), (live, 0.0)):
        folder.mkdir()
        plan = study(folder, far_away, **FAR)
        config = {**yaml.safe_load((folder / "study.yaml").read_text())}
        (folder / "study.yaml").write_text(
            yaml.safe_dump({**config, "logit_cache_limit_gib": limit}), encoding="utf-8"
        )
        plan = Plan.read([folder / "study.yaml"], folder, folder / "results")
        for run in plan.runs.values():
            train(plan, run)
    histories = [
        next((folder / "results").rglob("*ban.0/history.csv")) for folder in (stored, live)
    ]
    losses = [float(file.read_text().splitlines()[1].split(",")[2]) for file in histories]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_without_a_statement_timms_is_taken(
    of_timm: nn.Module, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record, printed = evaluate(study(tmp_path, of_timm), capfd)
    assert record["normalisation"]["source"] == "timm's pretrained_cfg"
    assert record["normalisation"]["mean"] == pytest.approx(OF_TIMM["mean"])
    assert record["result"]["test error (%)"] == pytest.approx(error_of(of_timm, **OF_TIMM))
    assert "are normalised by mean [0.5, 0.5, 0.5] and std [0.5, 0.5, 0.5]" in printed
    assert record["train_errors"].keys() == {"the study's images", "timm's pretrained_cfg"}


def test_without_a_statement_the_studys_is_taken_if_it_fits_clearly_better(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Images of so little contrast that timm's numbers leave next to nothing of them.
    pixels = as_seen("train", [0.0] * 3, [1.0] * 3) * CONTRAST
    mean, std = pixels.mean((0, 2, 3)).tolist(), pixels.std((0, 2, 3), correction=0).tolist()
    network = train_elsewhere([value / CONTRAST for value in mean], [v / CONTRAST for v in std])
    plan = study(tmp_path, network, contrast=CONTRAST)
    record, _ = evaluate(plan, capfd)
    assert record["normalisation"]["source"] == "the study's images"
    assert record["normalisation"]["mean"] == pytest.approx(mean, rel=1e-4)
    assert record["train_errors"]["the study's images"] < 10


def test_a_config_beside_the_weights_states_the_normalisation(
    far_away: nn.Module, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = {"architecture": "test_resnet", "pretrained_cfg": FAR}
    (tmp_path / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    plan = study(tmp_path, far_away)
    record, _ = evaluate(plan, capfd)
    assert record["normalisation"] == {**FAR, "source": str(tmp_path / CONFIG)}
    assert record["recipe"]["normalisation"] == FAR
    before = plan.recipe_hash(next(iter(plan.runs.values())))
    # Another network's says nothing of these weights.
    (tmp_path / CONFIG).write_text(json.dumps({**config, "architecture": "vgg11"}))
    assert plan.recipe_hash(next(iter(plan.runs.values()))) != before


def test_an_unknown_normalisation_is_warned_of(
    far_away: nn.Module, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = study(tmp_path, far_away)
    record, printed = evaluate(plan, capfd)
    assert error_of(far_away, **FAR) < 10 < record["result"]["test error (%)"]
    (warning,) = record["warnings"]
    assert f"warning: {warning}" in printed.splitlines()
    assert "its error on the training images is" in warning
    assert "`mean` and `std`" in warning
    findings = verify(plan.results, tmp_path, [tmp_path / "study.yaml"])
    assert any(warning in remark for remark in findings.remarks)


def test_the_normalisation_that_would_fit_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bytes_: dict[str, Any] = {"mean": [0.0] * 3, "std": [1 / 255] * 3}
    record, _ = evaluate(study(tmp_path, train_elsewhere(**bytes_)), capfd)
    (warning,) = record["warnings"]
    assert "with mean [0, 0, 0] and std [0.003922, 0.003922, 0.003922] (pixels from 0 to" in warning


def test_a_wrong_statement_is_warned_of(
    of_timm: nn.Module, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    record, _ = evaluate(study(tmp_path, of_timm, **FAR), capfd)
    (warning,) = record["warnings"]
    assert "(its cell), but" in warning
    assert record["normalisation"]["mean"] == FAR["mean"]


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_of_wrappers_are_left_out_with_a_note(
    prefix: str, far_away: nn.Module, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wrapped = {f"{prefix}{name}": value for name, value in far_away.state_dict().items()}
    record, printed = evaluate(study(tmp_path, wrapped, **FAR), capfd)
    assert record["result"]["test error (%)"] == pytest.approx(error_of(far_away, **FAR))
    assert f"the prefix {prefix} of its names was dropped" in printed


SAVED: dict[str, Callable[[nn.Module], object]] = {
    "state dict": lambda network: network.state_dict(),
    "checkpoint": lambda network: {"state_dict": network.state_dict(), "epoch": 3},
    "of another tool": lambda network: {"model": network.state_dict(), "args": {"lr": 0.1}},
}


@pytest.mark.parametrize(
    ("name", "old_format"),
    [("state dict", True), ("checkpoint", False), ("of another tool", False)],
)
def test_the_line_for_a_file_of_pytorch_converts_it(
    name: str, old_format: bool, far_away: nn.Module, tmp_path: Path
) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    file = folder / "teacher.pth"
    torch.save(SAVED[name](far_away), file, _use_new_zipfile_serialization=not old_format)
    plan = study_with(folder, file)
    with pytest.raises(InputError, match="not a safetensors file; name") as caught:
        plan.recipe_hash(next(iter(plan.runs.values())))
    command = re.search(r"create it once with: python (.*)$", str(caught.value))
    assert command
    subprocess.run([sys.executable, *shlex.split(command[1])], check=True)
    converted = load_file(folder / "teacher.safetensors")
    assert converted.keys() == far_away.state_dict().keys()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "half": ({"weights": "a.st", "mean": [0.5]}, "both need one number for each channel"),
    "lengths": ({"weights": "a.st", "mean": [0.5], "std": [1, 1]}, "need one number for each"),
    "trained": ({"objective": "label", "mean": [0], "std": [1]}, "are those of `weights`"),
    "zero": ({"weights": "a.st", "mean": [0], "std": [0]}, "greater than 0"),
    "empty": ({"weights": "a.st", "mean": [], "std": []}, "at least 1 item"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_normalisation_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    cell, says = REFUSED[name]
    rows = {"resnet": {"network": NETWORK}}
    table = {"title": "Own", "dataset": "blobs", "columns": {"teacher": cell}, "rows": rows}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    with pytest.raises(InputError, match=says):
        read_table("own", tmp_path)


def test_another_number_of_channels_is_refused(far_away: nn.Module, tmp_path: Path) -> None:
    plan = study(tmp_path, far_away, mean=[0.5], std=[0.5])
    with pytest.raises(
        InputError, match="have 1 channels, but the images have 3; give a number for each"
    ):
        train(plan, next(iter(plan.runs.values())))


def test_students_of_a_network_from_elsewhere_name_it(
    far_away: nn.Module, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = study(tmp_path, far_away, **FAR)
    evaluate(plan, capfd)
    teacher, student = plan.runs.values()
    record = train(plan, student)
    assert record["teacher"]["run"] == teacher.id
    assert read_record(plan.folder(teacher))["recipe"]["normalisation"] == FAR
