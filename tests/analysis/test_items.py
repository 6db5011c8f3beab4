"""Intervals over test items."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from support.plans import ROOT, tiny_plan
from support.small_results import copy_small_results, train_small_results

from replication.analysis.items import bootstrap, difference_by_item, item_intervals, items_of
from replication.config.datasets import OwnImages
from replication.config.paper_claims import read_claims
from replication.data.images import Items
from replication.data.sampling import pair_items
from replication.data.specs import IMAGE_DATASETS
from replication.data.used_images import _choose, _Selection

CLAIMS = read_claims(ROOT / "tables")
STUDENT, TEACHER = ("t", "r", "ban"), ("t", "r", "teacher")


def test_an_interval_over_single_items_is_that_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(1, 2, 900)
    low, high = bootstrap(values, np.arange(900)[None], 900)
    reach = 1.96 * values.std() / 30
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.02)


def test_pairs_that_share_items_have_a_wider_interval() -> None:
    # 2,000 pairs of 100 items, each as hard as its left item.
    generator = np.random.default_rng(0)
    pairs = generator.integers(0, 100, (2, 2000))
    values = generator.normal(0, 1, 100)[pairs[0]]
    low, high = bootstrap(values, pairs, 100)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 10, rel=0.15)
    naive = np.subtract(*bootstrap(values, np.arange(2000)[None], 2000)[::-1])
    assert high - low > 3 * naive


def test_the_items_of_a_pair_are_those_that_are_put_side_by_side() -> None:
    scale = tiny_plan().scale
    total, items = items_of(scale, scale.datasets["cifar100"], 100)
    assert items.shape == (2, 100)
    assert items.max() < total
    assert (items == pair_items(total, 100).numpy()).all()
    single = Items(torch.arange(total).float().reshape(-1, 1, 1, 1), torch.arange(total))
    spec, whole = IMAGE_DATASETS["two_digit_numbers"], _Selection(single, torch.arange(total))
    pairs = _choose("numbers", spec, whole, "test", 100, balanced=False).load(1)
    assert pairs.images.squeeze().T.tolist() == items.tolist()
    total, items = items_of(scale, scale.datasets["cifar10"], 100)
    assert (total, items.shape) == (100, (1, 100))


def test_images_of_ones_own_are_single_items_that_need_no_data() -> None:
    own = OwnImages(folder="nowhere", size=(8, 8), channels=1)
    total, items = items_of(tiny_plan().scale, own, 7)
    assert total == 7
    assert items.tolist() == [[0, 1, 2, 3, 4, 5, 6]]


def test_the_difference_by_item_is_over_the_seeds_that_all_cells_have() -> None:
    correct = {
        STUDENT: {0: np.array([True, True]), 1: np.array([True, False])},
        TEACHER: {
            0: np.array([False, True]),
            1: np.array([True, False]),
            2: np.array([False, False]),
        },
    }
    difference = difference_by_item({STUDENT: 1, TEACHER: -1}, correct)
    assert difference is not None
    assert difference.tolist() == [-50, 0]


def test_without_common_seeds_or_items_there_is_no_difference() -> None:
    one, two = np.array([True]), np.array([True, False])
    contrast = {STUDENT: 1.0, TEACHER: -1.0}
    assert difference_by_item(contrast, {STUDENT: {0: two}}) is None
    assert difference_by_item(contrast, {STUDENT: {0: two}, TEACHER: {1: two}}) is None
    assert difference_by_item(contrast, {STUDENT: {0: two}, TEACHER: {0: one}}) is None


def test_primary_claims_on_images_have_a_line_and_missing_runs_no_numbers() -> None:
    frame = item_intervals(tiny_plan().scale, CLAIMS, {})
    assert len(frame) == 9
    assert frame.drop(columns="claim").isna().all(axis=None)


def test_the_interval_is_about_the_difference_that_the_table_has(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = copy_small_results(train_small_results(tmp_path_factory), tmp_path, monkeypatch)
    frame = pd.read_csv(plan.results / "claims_items.csv").set_index("claim")
    line = frame.loc["densenet-students-beat-wide-resnet-teachers"]
    table = pd.read_csv(plan.results / "tables/table3.csv")
    students = table[table["column"] == "densenet-90-60 student"]
    assert line["paired_difference"] == pytest.approx(students["delta_vs_teacher"].mean())
    assert line["item_low"] < line["paired_difference"] < line["item_high"]
    assert frame["item_low"].notna().sum() == 1


def test_a_primary_claim_on_another_metric_has_no_interval_of_errors() -> None:
    name = "ban-all"
    specs = {**CLAIMS.file.claims}
    specs[name] = specs[name].model_copy(update={"metric": "nll"})
    claims = replace(CLAIMS, file=CLAIMS.file.model_copy(update={"claims": specs}))
    frame = item_intervals(tiny_plan().scale, claims, {})
    assert len(frame) == 8
    assert name not in {*frame["claim"]}
