"""The learning rate of every epoch, for every optimiser and schedule; and the optimisers."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from timm.optim._optim_factory import get_optimizer_info, list_optimizers
from timm.scheduler.cosine_lr import CosineLRScheduler
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from replication.config.recipes import ImageRecipe, LanguageRecipe
from replication.data.prepare import prepare
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.results.run_folder import HISTORY
from replication.training.optimisation import learning_rates, make_optimiser, set_learning_rate
from replication.training.train_run import train

EPOCHS, MILESTONES, RATE, GAMMA, WARM = 6, [2, 4], 0.01, 0.1, 2
STEPPED = [0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001]
COSINE = [0.01 * (1 + np.cos(np.pi * epoch / EPOCHS)) / 2 for epoch in range(EPOCHS)]
# Two epochs of warm-up: from 1e-5, and half of the way.
WARM_UP = [1e-5, 1e-5 + (0.01 - 1e-5) / 2]
EXPECTED = {"step": STEPPED, "cosine": COSINE}
TABLE = {
    "title": "One network",
    "dataset": "noise",
    "columns": {"teacher": {"objective": "label"}},
    "rows": {"small": {"network": "timm:test_resnet"}},
}
BASE: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 8,
    "learning_rate": RATE,
    "milestones": MILESTONES,
    "gamma": GAMMA,
    "weight_decay": 0.05,
}


def recipe(**keys: Any) -> ImageRecipe:
    return ImageRecipe.model_validate_json(json.dumps({**BASE, **keys}))


def plan_of(folder: Path, **keys: Any) -> Plan:
    """A study of 16 images of noise, trained with these keys of a recipe."""
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, count in (("train", 16), ("test", 8)):
        arrays[f"x_{part}"] = generator.integers(0, 256, (count, 8, 8), dtype=np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 2
    np.savez(folder / "noise.npz", **arrays)
    (folder / "mine.yaml").write_text(yaml.safe_dump(TABLE), encoding="utf-8")
    scale = {
        "scale": "mine",
        "tables": ["mine"],
        "seeds": [0],
        "datasets": {"noise": {"npz": str(folder / "noise.npz")}},
        "data_root": str(folder / "data"),
        "networks": {},
        "images": {**BASE, **keys},
        "device": "cpu",
        "precision": "float32",
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(scale), encoding="utf-8")
    plan = Plan.read([folder / "study.yaml"], folder, folder / "results")
    (dataset,) = plan.scale.datasets.values()
    prepare(dataset.name, plan.scale.data_root, dataset.sizes)
    return plan


@pytest.mark.parametrize(
    ("optimizer", "schedule", "warm"),
    list(itertools.product(("sgd", "adamw", "lamb", "rmsprop"), ("step", "cosine"), (0, WARM))),
)
def test_a_run_applies_the_learning_rate_of_every_epoch(
    tmp_path: Path, optimizer: str, schedule: str, warm: int
) -> None:
    plan = plan_of(tmp_path, optimizer=optimizer, schedule=schedule, warmup_epochs=warm)
    (run,) = plan.runs.values()
    applied: list[set[float]] = []

    def note(stepping: torch.optim.Optimizer, *_: object) -> None:
        applied.append({group["lr"] for group in stepping.param_groups})

    hook = register_optimizer_step_pre_hook(note)
    try:
        train(plan, run)
    finally:
        hook.remove()
    # Two steps an epoch, with one rate for all parameters.
    assert all(len(rates) == 1 for rates in applied)
    of_epochs = [
        (first.pop(), second.pop()) for first, second in zip(*[iter(applied)] * 2, strict=True)
    ]
    training = plan.training(run)
    assert of_epochs == [(rate, rate) for rate in learning_rates(training)]
    by_hand = EXPECTED[schedule]
    expected = [*WARM_UP, *by_hand[WARM:]] if warm else by_hand
    assert [rate for rate, _ in of_epochs] == pytest.approx(expected, rel=1e-12)
    shown = pd.read_csv(plan.folder(run) / HISTORY)["learning_rate"]
    assert shown.tolist() == pytest.approx(expected, rel=1e-5)


def test_steps_are_those_of_torch_to_the_last_bit() -> None:
    chosen = recipe(epochs=30, milestones=[3, 7, 8, 20], gamma=0.2, learning_rate=0.3)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3, 7, 8, 20], gamma=0.2)
    rates = []
    for _ in range(30):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert learning_rates(chosen) == rates


@pytest.mark.parametrize("warm", [0, 3])
def test_the_cosine_is_timms_to_the_last_bit(warm: int) -> None:
    keys = {"epochs": 20, "learning_rate": 0.3, "minimum_learning_rate": 0.001}
    chosen = recipe(**keys, schedule="cosine", warmup_epochs=warm, warmup_learning_rate=0.01)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule = CosineLRScheduler(
        optimiser, t_initial=20, lr_min=0.001, warmup_t=warm, warmup_lr_init=0.01
    )
    rates = []
    for epoch in range(20):
        rates.append(optimiser.param_groups[0]["lr"])
        schedule.step(epoch + 1)
    assert learning_rates(chosen) == rates


def test_the_rate_of_a_language_model_falls_after_a_stalled_epoch() -> None:
    chosen = LanguageRecipe(
        epochs=6,
        batch_size=2,
        bptt=3,
        learning_rate=1.0,
        decay=0.5,
        minimum_improvement=0.5,
        clip_norm=5.0,
    )
    # 89.6 falls by too little, 95 rises.
    rates = learning_rates(chosen, [100.0, 90.0, 89.6, 95.0, 80.0])
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.25, 0.25]


def test_a_group_keeps_its_share_of_the_rate() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    groups = [
        {"params": network[0].parameters(), "lr_scale": 0.5},
        {"params": network[1].parameters()},
    ]
    optimiser = torch.optim.SGD(groups, lr=1.0)
    set_learning_rate(optimiser, 0.1)
    assert [group["lr"] for group in optimiser.param_groups] == [0.05, 0.1]


def test_by_default_the_optimiser_is_the_papers() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    network[0].bias.requires_grad_(False)
    chosen = recipe()
    optimiser = make_optimiser(network, chosen)
    assert isinstance(optimiser, torch.optim.SGD)
    (group,) = optimiser.param_groups
    assert len(group["params"]) == 3
    assert (group["nesterov"], group["momentum"], group["weight_decay"]) == (True, 0.9, 0.05)
    # And its dump is what it was before there was a choice.
    assert not ImageRecipe.OPEN & chosen.model_dump().keys()


def test_timms_optimiser_leaves_norms_and_biases_without_decay() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    chosen = recipe(optimizer="adamw", optimizer_arguments={"betas": [0.8, 0.9]})
    optimiser = make_optimiser(network, chosen)
    decays = {len(group["params"]): group["weight_decay"] for group in optimiser.param_groups}
    assert decays == {3: 0.0, 1: 0.05}
    assert optimiser.param_groups[0]["betas"] == (0.8, 0.9)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"optimizer": "adamv"}, "timm cannot make adamv"),
        ({"optimizer": "adahessian"}, "adahessian needs second derivatives"),
        ({"optimizer": "lookahead_AdaHessian"}, "lookahead_AdaHessian needs second derivatives"),
        ({"optimizer": "lbfgs"}, "timm cannot make lbfgs"),
        (
            {"optimizer": "adamw", "optimizer_arguments": {"beta": 1}},
            "timm cannot make adamw",
        ),
    ],
)
def test_an_optimiser_that_cannot_be_made_is_one_line(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        make_optimiser(nn.Linear(2, 2), recipe(**keys))
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


SECOND_ORDER = {name for name in list_optimizers() if get_optimizer_info(name).second_order}


def test_every_optimiser_that_needs_second_derivatives_is_refused() -> None:
    assert {"adahessian"} <= SECOND_ORDER
    for name in SECOND_ORDER:
        with pytest.raises(InputError, match=f"{name} needs second derivatives.* such as adamw"):
            make_optimiser(nn.Linear(2, 2), recipe(optimizer=name))


def test_keys_without_an_effect_leave_the_optimiser_the_papers() -> None:
    chosen = recipe(warmup_learning_rate=0.0, minimum_learning_rate=0.01)
    assert chosen.is_the_papers
    assert isinstance(make_optimiser(nn.Linear(2, 2), chosen), torch.optim.SGD)
    assert chosen.model_dump() == recipe().model_dump()
    warm = recipe(warmup_learning_rate=0.0, warmup_epochs=1)
    assert not warm.is_the_papers
    assert warm.model_dump()["warmup_learning_rate"] == 0
    assert recipe(schedule="cosine", minimum_learning_rate=0.01).model_dump()[
        "minimum_learning_rate"
    ]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_network_without_a_trainable_parameter_is_refused(optimizer: str) -> None:
    network = nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(InputError, match="all parameters of the network are frozen"):
        make_optimiser(network, recipe(optimizer=optimizer))
