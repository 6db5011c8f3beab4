"""Networks that start from trained weights: what is trained again, what is a copy, what loads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file, save_file

from replication.data.prepare import prepare
from replication.data.prepared import load
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.results.run_folder import CONFIG, MODEL, PREDICTIONS, RECORD
from replication.results.run_record import read_predictions, read_record
from replication.training.train_run import train
from replication.verify.verification import verify

SCALE: dict[str, Any] = {
    "scale": "own",
    "tables": ["own"],
    "seeds": [0, 1],
    "images": {"epochs": 1, "batch_size": 16, "learning_rate": 1e-4, "weight_decay": 0.0},
    "device": "cpu",
    "precision": "float32",
    "teacher_at_chance": "allow",
}


def start(folder: Path, seed: int = 0) -> Path:
    """A folder with a network of timm as the Hugging Face Hub has it."""
    torch.manual_seed(seed)
    network = timm.create_model("test_resnet", num_classes=3, in_chans=3)
    folder.mkdir(exist_ok=True)
    save_file(network.state_dict(), folder / MODEL)
    content = {"architecture": "test_resnet", "num_classes": 3, "pretrained_cfg": {}}
    content["pretrained_cfg"] = {"num_classes": 3, "first_conv": "conv1.0", "classifier": "fc"}
    (folder / CONFIG).write_text(json.dumps(content), encoding="utf-8")
    return folder


def study(folder: Path, row: dict[str, Any]) -> Plan:
    """A study of three classes of small images, with a teacher and a student of this network."""
    generator = np.random.default_rng(0)
    arrays = {}
    for part in ("train", "test"):
        arrays[f"x_{part}"] = generator.integers(0, 256, (48, 16, 16, 3)).astype(np.uint8)
        arrays[f"y_{part}"] = np.arange(48) % 3
    np.savez(folder / "blobs.npz", **arrays)
    columns = {
        "teacher": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "teacher"},
    }
    table = {"title": "Own", "dataset": "blobs", "columns": columns, "rows": {"resnet": row}}
    (folder / "own.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    scale = {**SCALE, "datasets": {"blobs": {"npz": str(folder / "blobs.npz")}}}
    scale["data_root"] = str(folder / "data")
    (folder / "study.yaml").write_text(yaml.safe_dump(scale), encoding="utf-8")
    plan = Plan.read([folder / "study.yaml"], folder, folder / "results")
    for dataset in plan.scale.datasets.values():
        prepare(dataset.name, plan.scale.data_root, dataset.sizes)
    return plan


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Ways in which a row can name a file of weights to start from."""
    file = str(folder / MODEL)
    trained = {"pretrained": True}
    return {
        "overlay": {
            "network": "timm:test_resnet",
            "arguments": {**trained, "pretrained_cfg_overlay": {"file": file, "num_classes": 3}},
        },
        "checkpoint": {"network": "timm:test_resnet", "arguments": {"checkpoint_path": file}},
        "folder": {"network": f"timm:local-dir:{folder}", "arguments": trained},
    }


WAYS = [*rows(Path())]


@pytest.mark.parametrize("way", WAYS)
def test_other_weights_under_the_same_name_train_again(way: str, tmp_path: Path) -> None:
    folder = start(tmp_path / "start")
    plan = study(tmp_path, rows(folder)[way])
    before = {run.id: plan.recipe_hash(run) for run in plan.runs.values()}
    start(tmp_path / "start")
    assert {run.id: plan.recipe_hash(run) for run in plan.runs.values()} == before
    start(tmp_path / "start", seed=1)
    for run in plan.runs.values():
        assert plan.recipe_hash(run) != before[run.id]


def test_the_recipe_of_a_network_without_such_a_file_stays_as_it_was(tmp_path: Path) -> None:
    for arguments in ({}, {"pretrained": True}, {"pretrained_cfg_overlay": {"file": "none.st"}}):
        plan = study(tmp_path, {"network": "timm:test_resnet", "arguments": arguments})
        for run in plan.runs.values():
            assert "initial_weights" not in plan.recipe(run)
            assert "version" not in plan.recipe(run)


@pytest.mark.parametrize("way", WAYS)
def test_a_missing_start_is_one_line(way: str, tmp_path: Path) -> None:
    folder = start(tmp_path / "start")
    plan = study(tmp_path, rows(folder)[way])
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"cannot be read|no file of weights") as caught:
        plan.recipe_hash(next(iter(plan.runs.values())))
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_networks_of_one_start_are_no_copies_and_load_with_timm(way: str, tmp_path: Path) -> None:
    folder = start(tmp_path / "start")
    plan = study(tmp_path, rows(folder)[way])
    for run in plan.runs.values():
        train(plan, run)
    first, *_ = plan.runs.values()
    initial = load_file(folder / MODEL)["conv1.0.weight"]
    assert torch.allclose(
        load_file(plan.folder(first) / MODEL)["conv1.0.weight"], initial, atol=0.01
    )
    files = tmp_path, [tmp_path / "study.yaml"]
    assert verify(plan.results, *files, deep=1).problems == []
    network = timm.create_model(f"local-dir:{plan.folder(first)}", pretrained=True).eval()
    data = load("blobs", plan.scale.data_root, plan.scale.datasets["blobs"].sizes)
    with torch.no_grad():
        logits = network(data.evaluation.images)
    expected = torch.from_numpy(read_predictions(plan.folder(first))["logits"])
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_a_real_copy_of_one_start_is_found(tmp_path: Path) -> None:
    plan = study(tmp_path, rows(start(tmp_path / "start"))["folder"])
    for run in plan.runs.values():
        train(plan, run)
    labels = [run for run in plan.runs.values() if run.objective == "label"]
    source, target = map(plan.folder, labels)
    for name in (MODEL, PREDICTIONS):
        (target / name).write_bytes((source / name).read_bytes())
    copied, record = read_record(source), read_record(target)
    checksums = {**record["checksums"], **{n: copied["checksums"][n] for n in (MODEL, PREDICTIONS)}}
    (target / RECORD).write_text(json.dumps({**record, "checksums": checksums}))
    problems = verify(plan.results, tmp_path, [tmp_path / "study.yaml"]).problems
    assert any("its weights are those of" in problem for problem in problems)


def test_a_trained_network_needs_its_start_no_more(tmp_path: Path) -> None:
    folder = start(tmp_path / "start")
    plan = study(tmp_path, rows(folder)["checkpoint"])
    teacher, student, *_ = plan.runs.values()
    train(plan, teacher)
    from replication.training.teacher import Teacher

    trained_teacher = Teacher.find(plan, teacher)
    (folder / MODEL).unlink()
    data = load("blobs", plan.scale.data_root, plan.scale.datasets["blobs"].sizes)
    network = trained_teacher.network(data, torch.device("cpu"))
    assert student.teacher == teacher
    assert network.state_dict().keys() == trained_teacher.weights.keys()
