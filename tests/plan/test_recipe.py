"""What determines a run's result is in its recipe's hash, and nothing else is."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import save_file
from support.checks import refused
from support.plans import ROOT, tiny_plan

from replication.config.recipes import ImageRecipe
from replication.config.scale import check_scale, read_config
from replication.data.own_images import read_own_images
from replication.plan.plan import Plan
from replication.plan.recipe import REVISIONS, hash_recipe, with_version
from replication.training.image_trainer import Augmenter

SIX = [f"table{number}" for number in range(1, 7)]
BYTES_OF_CIFAR10_STAND_IN = 200 * 10 * 2
"""Of logits on 200 images without crops and flips, in ten classes."""


def hashes(plan: Plan) -> dict[str, str]:
    return {run_id: plan.recipe_hash(run) for run_id, run in plan.runs.items()}


def changed_runs(before: Plan, after: Plan) -> set[str]:
    assert before.runs.keys() == after.runs.keys()
    old, new = hashes(before), hashes(after)
    return {run_id for run_id in old if old[run_id] != new[run_id]}


def test_how_often_a_training_is_evaluated_changes_no_hash() -> None:
    often, seldom = (tiny_plan(images={"evaluate_every": every}) for every in (1, 2))
    assert changed_runs(often, seldom) == set()
    run = next(iter(often.runs.values()))
    assert often.recipe(run)["training"]["evaluate_every"] == 1
    assert seldom.recipe(run)["training"]["evaluate_every"] == 2


@pytest.mark.parametrize("limit", [0.5, 4.0, 4000.0])
def test_a_limit_that_no_logits_exceed_changes_no_hash(limit: float) -> None:
    keys: dict[str, Any] = {"tables": SIX}
    assert changed_runs(tiny_plan(**keys), tiny_plan(**keys, logit_cache_limit_gib=limit)) == set()


def test_a_limit_that_some_logits_exceed_changes_their_students_alone() -> None:
    before = tiny_plan(tables=SIX)
    after = tiny_plan(tables=SIX, logit_cache_limit_gib=BYTES_OF_CIFAR10_STAND_IN / 2**30)
    changed = changed_runs(before, after)
    students = {run_id for run_id, run in before.runs.items() if run.teacher}
    small = {run_id for run_id in students if before.runs[run_id].dataset.name == "digits"}
    assert small
    assert changed == students - small
    assert {before.recipe(run).get("teacher_logits") for run in before.runs.values()} == {
        None,
        "stored",
    }
    live = {after.recipe(after.runs[run_id])["teacher_logits"] for run_id in changed}
    assert live == {"computed at every step"}


@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("flip", [False, True])
def test_a_recipe_counts_as_many_views_as_its_augmentation(padding: int, flip: bool) -> None:
    recipe = ImageRecipe(
        epochs=1,
        batch_size=1,
        learning_rate=0.1,
        weight_decay=0.0,
        crop_padding=padding,
        flip=flip,
    )
    images = torch.zeros(1, 1, 8, 8)
    assert recipe.views == Augmenter(images, padding, flip).views


def own_images(folder: Path, **keys: Any) -> Plan:
    """A plan of a teacher and a student on an npz file of the folder."""
    folder.mkdir(exist_ok=True)
    images, labels = np.zeros((6, 4, 4), np.uint8), np.arange(6) % 3
    images[labels > 0] = 1
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(folder / "pets.npz", **arrays)
    table = {
        "title": "Pets",
        "dataset": "pets",
        "columns": {
            "label": {"objective": "label"},
            "ban": {"objective": "ban", "teacher": "label"},
        },
        "rows": {"narrow": {"network": "wide_resnet_28_1"}},
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    config = read_config([ROOT / "config/digits.yaml"]) | {
        "tables": ["own"],
        "seeds": [0],
        "datasets": {"pets": {"npz": str(folder / "pets.npz")}},
        "data_root": str(folder / "data"),
    }
    return Plan.make(check_scale({**config, **keys}, "test"), folder)


def test_where_data_of_ones_own_lie_changes_no_hash(tmp_path: Path) -> None:
    plan, moved_plan = own_images(tmp_path / "a"), own_images(tmp_path / "b")
    assert changed_runs(plan, moved_plan) == set()
    for run in plan.runs.values():
        assert str(tmp_path) not in str(plan.recipe(run))
        assert plan.recipe(run)["dataset"] == {"name": "pets"}


def test_what_is_chosen_of_the_data_changes_every_hash(tmp_path: Path) -> None:
    before = own_images(tmp_path)
    fewer = {"npz": str(tmp_path / "pets.npz"), "train": 3}
    after = own_images(tmp_path, datasets={"pets": fewer})
    assert changed_runs(before, after) == {*before.runs}


def test_preparing_data_of_ones_own_changes_no_hash(tmp_path: Path) -> None:
    before = hashes(own_images(tmp_path))
    plan = own_images(tmp_path)
    (dataset,) = plan.scale.datasets.values()
    read_own_images(dataset.sizes["source"], tmp_path / "data", download=True)
    assert hashes(plan) == before
    assert plan.data_spec(dataset).train == 6
    assert hashes(plan) == before


def test_the_description_beside_the_results_says_how_large_moved_data_are(tmp_path: Path) -> None:
    # Logits on six images in three classes, which are not prepared.
    small = {"logit_cache_limit_gib": (6 * 3 * 2 - 1) / 2**30}
    plan = replace(own_images(tmp_path, **small), results=tmp_path / "results")
    student = next(run for run in plan.runs.values() if run.teacher)
    assert plan.stores_logits_for(student)
    description = plan.prepared_data_file("pets")
    description.parent.mkdir(parents=True)
    description.write_text(json.dumps({"name": "pets", "train": 6, "classes": 3}))
    assert not plan.stores_logits_for(student)
    enough = own_images(tmp_path, logit_cache_limit_gib=6 * 3 * 2 / 2**30)
    assert replace(enough, results=tmp_path / "results").stores_logits_for(student)
    description.write_text("damaged")
    assert plan.stores_logits_for(student)


def test_nothing_is_stored_with_a_limit_of_nothing(tmp_path: Path) -> None:
    plan = own_images(tmp_path, logit_cache_limit_gib=0.0)
    assert not any(plan.stores_logits_for(run) for run in plan.runs.values() if run.teacher)


def test_weights_from_elsewhere_have_no_training_and_are_known_by_their_content(
    tmp_path: Path,
) -> None:
    columns = {"given": {"weights": str(tmp_path / "teacher.safetensors")}}
    table = {
        "title": "Given",
        "dataset": "cifar10",
        "columns": columns,
        "rows": {"narrow": {"network": "wide_resnet_28_1"}},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(table), encoding="utf-8")
    config = read_config([ROOT / "config/digits.yaml"]) | {"tables": ["own"], "seeds": [0]}
    plan = Plan.make(check_scale(config, "test"), tmp_path)
    (run,) = plan.runs.values()
    with refused(str(tmp_path / "teacher.safetensors"), "correct `weights` in its table"):
        plan.recipe(run)
    hashes = []
    for content in (0.0, 1.0):
        save_file({"weight": np.full(3, content)}, tmp_path / "teacher.safetensors")
        assert plan.recipe(run).keys() == {
            *("dataset", "evaluate_on", "network", "objective", "precision", "weights")
        }
        hashes.append(plan.recipe_hash(run))
    assert hashes[0] != hashes[1]


WITH_TIMM = {"optimizer": "adamw"}
REVISED: dict[str, tuple[dict[str, Any], int | None]] = {
    "the paper's recipe": ({}, None),
    "SGD with a warm-up that says where it starts": (
        {"milestones": [], "warmup_epochs": 1, "warmup_learning_rate": 0.01},
        None,
    ),
    "timm's optimiser with a cosine": ({**WITH_TIMM, "schedule": "cosine"}, None),
    "timm's optimiser without milestones": ({**WITH_TIMM, "milestones": []}, None),
    "timm's optimiser with milestones": (WITH_TIMM, 2),
    "a warm-up from the default": ({"milestones": [], "warmup_epochs": 1}, 2),
    "both": ({**WITH_TIMM, "warmup_epochs": 1}, 3),
}


@pytest.mark.parametrize("name", REVISED)
def test_a_recipe_has_a_version_if_a_change_of_the_code_affects_it(name: str) -> None:
    keys, version = REVISED[name]
    plan = tiny_plan(images={"epochs": 6, "milestones": [3], **keys})
    (run,) = (run for run in plan.runs.values() if run.id.endswith("/densenet_90_60.cwtm.0"))
    assert plan.recipe(run).get("version") == version


def test_the_normalisation_of_timms_networks_gives_their_weights_a_version() -> None:
    given = {"weights": "0", "network": {"name": "timm:resnet18"}}
    assert with_version(given)["version"] == 2
    stated = {**given, "normalisation": {"mean": [0.5], "std": [0.5]}}
    of_the_suite = {**given, "network": {"name": "wide_resnet_28_1"}}
    for other in (stated, of_the_suite, {"network": {"name": "timm:resnet18"}}):
        assert "version" not in with_version(other)


def test_no_language_model_has_a_version() -> None:
    plan = tiny_plan(tables=["table6"], images=WITH_TIMM)
    assert all("version" not in plan.recipe(run) for run in plan.runs.values())


def test_each_revision_gives_the_recipes_that_it_affects_another_hash() -> None:
    plain: dict[str, Any] = {"training": {"milestones": [3], "optimizer": "adamw"}}
    assert [revision.affects(plain) for revision in REVISIONS] == [True, False, False, False, False]
    assert hash_recipe(plain) != hash_recipe(with_version(plain))


def test_recipes_of_the_papers_tables_keep_their_hashes() -> None:
    # If these change, everything that is published has to be trained again.
    plan = Plan.read([ROOT / "config/fashion.yaml"], ROOT / "tables")
    teacher = "fashion_mnist_pairs/densenet_90_60.label.0"
    assert plan.recipe_hash(plan.run(teacher)) == "9b6d285941925117"
    assert plan.recipe_hash(plan.run(f"{teacher}/densenet_90_60.ban.0")) == "f515a01f37dc39ed"


def test_cifars_order_gives_its_recipes_a_version() -> None:
    plan = Plan.read([ROOT / "config/paper.yaml"], ROOT / "tables")
    versions = {run.dataset.name: plan.recipe(run).get("version") for run in plan.runs.values()}
    # One of the two revisions is that of `precision: auto`.
    assert plan.scale.precision == "auto"
    assert versions == {"cifar10": 3, "cifar100": 3, "penn_treebank": None}


@pytest.mark.parametrize(("precision", "version"), [("auto", 2), ("float32", None)])
def test_the_choice_of_a_precision_gives_recipes_of_images_a_version(
    precision: str, version: int | None
) -> None:
    plan = tiny_plan(tables=["table2", "table6"], precision=precision)
    versions = {run.dataset.name: plan.recipe(run).get("version") for run in plan.runs.values()}
    assert versions == {"two_digit_numbers": version, "python_reference": None}
