"""What docs/scales.md says about the choice of the scales and their limits is what was measured."""

import re
from pathlib import Path

import pandas as pd
import pytest
from support.plans import ROOT

from benchmarks.scale_trials import TRIALS, read_trials, trials_table
from replication.config.scale import Scale
from replication.plan.plan import Plan

PAGE = ROOT / "docs" / "scales.md"
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


@pytest.mark.parametrize(
    ("scale_name", "network", "column", "sentence"),
    [
        ("fashion", "wide_resnet_28_1", "train_error", r"their pairs: \S+ errs on ([\d.]+) %"),
        ("fashion", "wide_resnet_28_2", "train_error", r"Wide-ResNet-28-2 on ([\d.]+) %"),
        ("fashion", "densenet_112_33", "train_error", r"DenseNet-112-33 on ([\d.]+) %\. At"),
        (
            "digits",
            "wide_resnet_28_1",
            "train_error",
            r"`digits` \S+ errs on ([\d.]+) %",
        ),
        ("digits", "wide_resnet_28_1", "test_error", r"and on ([\d.]+) % of the test pairs"),
    ],
)
def test_the_limits_are_those_of_the_published_criteria(
    scale_name: str, network: str, column: str, sentence: str
) -> None:
    limits = " ".join(PAGE.read_text("utf-8").split("## Limits")[1].split())
    (stated,) = re.findall(sentence, limits)
    assert stated in {f"{value:.1f}" for value in published(scale_name, network, column)}


def published(scale_name: str, network: str, column: str) -> list[float]:
    """The values of a network on pairs in all publications of a scale that have measured it."""
    files = [
        file
        for folder in sorted((ROOT / "published").glob(f"{scale_name}*"))
        if (file := Path(folder, "criteria.csv")).is_file()
    ]
    criteria = pd.concat([pd.read_csv(file) for file in files])
    pairs = criteria["dataset"].isin(["fashion_mnist_pairs", "two_digit_numbers"])
    chosen = criteria[pairs & (criteria["network"] == network)]
    return [float(value) for value in chosen[column].dropna()]
