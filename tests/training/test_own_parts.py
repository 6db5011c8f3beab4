"""Trainings of networks of timm, on data and objectives of one's own, by another optimiser."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
import yaml

from replication.analysis.collect import describe_finished_run
from replication.analysis.measure import Measurements
from replication.data.prepare import prepare
from replication.data.prepared import load
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.plan.run import Run, network_tag
from replication.results.run_folder import HISTORY, MODEL
from replication.results.run_record import read_predictions, read_record
from replication.training.train_run import train
from replication.verify.history import history_problems

VIT: dict[str, Any] = {"network": "timm:test_vit", "arguments": {"img_size": 8, "patch_size": 4}}
TABLE: dict[str, Any] = {
    "title": "A transformer and its students",
    "dataset": "blobs",
    "columns": {
        "teacher": {"objective": "label"},
        "ban": {"objective": "ban", "teacher": "teacher"},
        "kd": {"objective": {"name": "kd", "temperature": 2}, "teacher": "teacher"},
        "own": {"objective": "losses:match", "teacher": "teacher"},
        "shared": {
            "objective": "ban",
            "teacher": "teacher",
            "share_ends": True,
            "seed_offset": 1000,
        },
    },
    "rows": {"vit": VIT},
}
SCALE: dict[str, Any] = {
    "scale": "mine",
    "tables": ["mine"],
    "seeds": [0],
    "datasets": {"blobs": {"npz": "blobs.npz"}},
    "networks": {},
    "images": {
        "epochs": 6,
        "batch_size": 8,
        "learning_rate": 0.003,
        "weight_decay": 0.05,
        "optimizer": "adamw",
        "schedule": "cosine",
        "warmup_epochs": 1,
        "warmup_learning_rate": 0.001,
    },
    "device": "cpu",
    "precision": "float32",
}
LOSSES = """from torch.nn.functional import mse_loss

def match(student_logits, labels, teacher_logits):
    return mse_loss(student_logits, teacher_logits)
"""
TAG = network_tag("timm:test_vit", json.dumps(VIT["arguments"], sort_keys=True))
TEACHER = f"blobs/{TAG}.label.0"


def write(folder: Path, table: dict[str, Any] = TABLE, **scale: Any) -> Plan:
    """A study: three classes of 8×8 images: rows, columns, dots."""
    generator = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 96), ("test", 60)):
        labels = np.arange(n) % 3
        images = generator.integers(0, 60, (n, 8, 8)).astype(np.uint8)
        images[labels == 0, ::2] += 150
        images[labels == 1, :, ::2] += 150
        images[labels == 2, ::2, ::2] += 150
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    np.savez(folder / "blobs.npz", **arrays)
    (folder / "mine.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    (folder / "losses.py").write_text(LOSSES, encoding="utf-8")
    scale = {**SCALE, "datasets": {"blobs": {"npz": str(folder / "blobs.npz")}}, **scale}
    scale |= {"data_root": str(folder / "data")}
    (folder / "study.yaml").write_text(yaml.safe_dump(scale), encoding="utf-8")
    plan = Plan.read([folder / "study.yaml"], folder, folder / "results")
    for dataset in plan.scale.datasets.values():
        prepare(dataset.name, plan.scale.data_root, dataset.sizes)
    return plan


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    plan = write(tmp_path_factory.mktemp("study"))
    for run in plan.runs.values():
        train(plan, run)
    return plan


def test_every_student_learns(plan: Plan) -> None:
    assert len(plan.runs) == 5
    for run in plan.runs.values():
        record = read_record(plan.folder(run))
        assert record["result"]["test error (%)"] < 15, run.id
        assert record["dataset"]["name"] == "blobs"
    names = {run.id.removeprefix(f"{TEACHER}/") for run in plan.runs.values()}
    assert f"{TAG}.kd-temperature-2.0" in names
    assert f"{TAG}.losses-match.0" in names


def test_a_recipe_has_the_source_of_ones_own_objective_and_the_optimiser(plan: Plan) -> None:
    record = read_record(plan.folder(plan.run(f"{TEACHER}/{TAG}.losses-match.0")))
    assert len(record["recipe"]["source"]) == 16
    assert record["recipe"]["training"]["optimizer"] == "adamw"
    assert record["recipe"]["network"]["options"] == VIT["arguments"]


def test_the_learning_rate_warms_up_and_falls_as_a_cosine(plan: Plan) -> None:
    lines = (plan.folder(plan.run(TEACHER)) / "history.csv").read_text().splitlines()
    column = lines[0].split(",").index("learning_rate")
    rates = [float(line.split(",")[column]) for line in lines[1:]]
    cosine = [0.003 * (1 + np.cos(np.pi * epoch / 6)) / 2 for epoch in range(1, 6)]
    assert rates == pytest.approx([0.001, *cosine], rel=1e-4)


def test_timm_loads_the_trained_network(plan: Plan) -> None:
    folder, root = plan.folder(plan.run(TEACHER)), plan.scale.data_root
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    data = load("blobs", root, plan.scale.datasets["blobs"].sizes)
    with torch.no_grad():
        logits = network(data.evaluation.images)
    expected = torch.from_numpy(read_predictions(folder)["logits"])
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_shared_ends_are_the_teachers(plan: Plan) -> None:
    from safetensors.torch import load_file

    student = f"{TEACHER}/{TAG}.ban.1000"
    one, two = (
        load_file(plan.folder(plan.run(run_id)) / "model.safetensors")
        for run_id in (TEACHER, student)
    )
    for name in ("patch_embed.proj.weight", "head.weight"):
        assert torch.equal(one[name], two[name])
    assert not torch.equal(one["blocks.0.attn.qkv.weight"], two["blocks.0.attn.qkv.weight"])


def plan_with_given_weights(trained: Plan, folder: Path) -> tuple[Plan, Run, Run]:
    """A plan with the weights of a trained run as weights from elsewhere; that run, a student."""
    shutil.copy(trained.folder(trained.run(TEACHER)) / MODEL, folder / "elsewhere.st")
    given = {**VIT, "weights": str(folder / "elsewhere.st")}
    columns = {"teacher": given, "ban": {"objective": "ban", "teacher": "teacher"}}
    plan = write(folder, {**TABLE, "columns": columns}, seeds=[0, 1])
    teacher = f"blobs/{TAG}.given.0"
    assert list(plan.runs) == [teacher, *(f"{teacher}/{TAG}.ban.{seed}" for seed in (0, 1))]
    return plan, plan.run(teacher), plan.run(f"{teacher}/{TAG}.ban.0")


def test_a_teacher_from_elsewhere_is_evaluated_and_teaches(plan: Plan, tmp_path: Path) -> None:
    own, teacher, student = plan_with_given_weights(plan, tmp_path)
    for run in (teacher, student):
        train(own, run)
    original = read_record(plan.folder(plan.run(TEACHER)))
    record = read_record(own.folder(teacher))
    assert record["result"] == original["result"]
    assert record["recipe"]["weights"] == original["checksums"][MODEL]
    assert read_record(own.folder(student))["lineage"] == [
        {"run": teacher.id, "model_sha256": record["checksums"][MODEL]}
    ]


def test_weights_from_elsewhere_have_no_invented_training(plan: Plan, tmp_path: Path) -> None:
    own, teacher, _ = plan_with_given_weights(plan, tmp_path)
    record, folder = train(own, teacher), own.folder(teacher)
    assert not record.keys() & {"attempts", "earlier", "compile", "images_per_second"}
    assert "training" not in record["recipe"]
    history = pd.read_csv(folder / HISTORY)
    assert list(history.columns) == ["epoch", "train_loss", "train_error", "test_error"]
    original = pd.read_csv(plan.folder(plan.run(TEACHER)) / HISTORY)
    (line,) = history.to_dict("records")
    assert line["epoch"] == 0
    assert line["test_error"] == pytest.approx(original["test_error"].iloc[-1], rel=1e-5)
    # Of the network as it is, and not while it was trained.
    assert line["train_error"] < 15
    assert list(history_problems(folder, read_record(folder))) == []
    described = describe_finished_run(Measurements(own), teacher)
    assert described["train_error"] == line["train_error"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "with weights from elsewhere, which were evaluated and not trained here" in card
    assert "## Recipe" not in card
    # A changed result is seen.
    history.assign(test_error=50.0).to_csv(folder / HISTORY, index=False)
    (problem,) = history_problems(folder, read_record(folder))
    assert "has a test_error of 50.0" in problem


@pytest.mark.parametrize(
    ("row", "content", "says"),
    [
        (
            VIT,
            None,
            "elsewhere.st: cannot be read (No such file or directory); correct `weights`",
        ),
        (VIT, b"weights", "not a safetensors file"),
        ({**VIT, "network": "timm:test_vit2"}, "own", "does not fit"),
        ({**VIT, "arguments": {"img_size": 8, "patch_size": 2}}, "own", "has shape"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(
    row: dict[str, Any], content: bytes | str | None, says: str, plan: Plan, tmp_path: Path
) -> None:
    file = tmp_path / "elsewhere.st"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        shutil.copy(plan.folder(plan.run(TEACHER)) / "model.safetensors", file)
    columns = {"teacher": {**row, "weights": str(file)}}
    other_plan = write(tmp_path, {**TABLE, "columns": columns})
    with pytest.raises(InputError) as caught:
        train(other_plan, next(iter(other_plan.runs.values())))
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


NETWORKS = {
    "unknown": ({"network": "timm:test_vitt"}, "timm has no network `test_vitt`; did you mean"),
    "other size": ({"network": "timm:test_vit"}, "cannot classify images of 1 × 8 × 8 (Input"),
    "argument": ({**VIT, "arguments": {"image": 8}}, "cannot classify images of 1 × 8 × 8"),
    "no classifier": (
        {"network": "timm:test_resnet", "arguments": {"features_only": True}},
        "cannot classify images of 1 × 8 × 8",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_cannot_be_trained_is_one_line(name: str, tmp_path: Path) -> None:
    row, says = NETWORKS[name]
    plan = write(tmp_path, {**TABLE, "rows": {"vit": row}})
    with pytest.raises(InputError) as caught:
        train(plan, next(iter(plan.runs.values())))
    assert says in str(caught.value)
    assert str(caught.value).isprintable()
