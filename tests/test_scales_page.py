"""What docs/explanation/fair-test.md says about the choice of the scales was measured."""

import re

import pandas as pd
import pytest
from support.plans import ROOT

from benchmarks.scale_trials import TRIALS, read_trials, trials_table
from replication.config.scale import Scale
from replication.plan.plan import Plan

PAGE = ROOT / "docs/explanation/fair-test.md"
CONFIG = ROOT / "config" / "cifar.yaml"


@pytest.fixture(scope="module")
def trials() -> pd.DataFrame:
    return read_trials(ROOT / TRIALS)


@pytest.fixture(scope="module")
def scale() -> Scale:
    return Plan.read([CONFIG], ROOT / "tables").scale


def test_the_page_has_every_trial_of_cifar(trials: pd.DataFrame) -> None:
    page = PAGE.read_text("utf-8")
    begin, end = "<!-- python -m benchmarks.scale_trials -->\n", "<!-- end of the trials -->\n"
    (table,) = re.findall(f"{begin}(.*?){end}", page, re.S)
    assert table == trials_table(trials)


def test_a_trial_that_was_stopped_has_no_validation_error() -> None:
    trial = {
        "dataset": "CIFAR-100",
        "network": "densenet_90_60",
        "width": 32,
        "parameters": 318820,
        "train_images": 7500,
        "epochs": 36,
        "epochs_done": 8,
        "batch_size": 64,
        "learning_rate": 0.2,
        "milestones": "18 27 32",
        "seed": 900,
        "train_error": 77.8933,
        "validation_error": None,
        "validation_nll": None,
        "cpu_seconds": 186.6,
    }
    assert trials_table(pd.DataFrame([trial])).splitlines()[-1] == (
        "| CIFAR-100 | densenet_90_60 | 32 | 318,820 | 7,500 | 8 of 36 | 64 | 0.2 | 18, 27, 32"
        " | 900 | 77.9 | – | – | 187 |"
    )


def test_no_result_uses_a_seed_of_the_trials(trials: pd.DataFrame) -> None:
    plan = Plan.read([CONFIG], ROOT / "tables")
    assert trials["seed"].min() >= 900
    # A cell's `seed_offset` adds thousands.
    assert not set(trials["seed"]) & {run.seed for run in plan.runs.values()}


def test_densenet_90_60_of_the_scale_was_tried_and_fits(trials: pd.DataFrame, scale: Scale) -> None:
    recipe = scale.images
    chosen = trials[
        (trials["network"] == "densenet_90_60")
        & (trials["dataset"] == "CIFAR-100")
        & (trials["width"] == 32)
        & (trials["train_images"] == 5000)
        & (trials["epochs_done"] == recipe.epochs)
        & (trials["batch_size"] == recipe.batch_size)
        & (trials["learning_rate"] == recipe.learning_rate)
        & (trials["milestones"] == " ".join(map(str, recipe.milestones)))
    ]
    assert len(chosen) >= 1
    assert (chosen["train_error"] < 1).all()
    assert scale.networks.densenet.width_ratio == "8/15"
    assert scale.datasets["cifar100"].sizes["train"] == 5000
