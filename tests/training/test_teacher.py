"""Checks of a teacher: it has learned something, is not its student, and stays as it is."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from support.plans import tiny_plan
from torch import nn

from replication.data.images import ImageData, Items
from replication.plan.plan import Plan
from replication.results.run_folder import FAILED_CHECKPOINT, MODEL, RECORD
from replication.training import train_run
from replication.training.image_trainer import ImageTrainer
from replication.training.loop import TrainingError
from replication.training.teacher import chance_problem
from replication.training.train_run import train

LABEL = "digits/wide_resnet_28_1.label.0"
BAN = f"{LABEL}/wide_resnet_28_1.ban.0"
LSTM = "python_reference/lstm.label.0"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return tiny_plan()


def set_result(plan: Plan, run_id: str, result: dict[str, float]) -> None:
    file = plan.folder(plan.run(run_id)) / RECORD
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**record, "result": result}), encoding="utf-8")


def test_a_teacher_at_chance_is_refused(plan: Plan) -> None:
    for run_id in (LABEL, LSTM):
        train(plan, plan.run(run_id))
    plan = tiny_plan(teacher_at_chance="stop")
    for result, right in ((89.0, "11 of 100"), (math.nan, "0 of 100")):
        set_result(plan, LABEL, {"test error (%)": result})
        with pytest.raises(TrainingError, match=rf"no better than chance \({right} test images"):
            train(plan, plan.run(BAN))
    set_result(plan, LABEL, {"test error (%)": 50.0})
    train(plan, plan.run(BAN))
    set_result(plan, LSTM, {"test perplexity": 500.5})
    with pytest.raises(TrainingError, match="no better than chance"):
        train(plan, plan.run(f"{LSTM}/lstm.ban+l.0"))


def data_with(*counts: int) -> ImageData:
    """A test set with so many images of each class."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    items = Items(torch.zeros(len(labels), 1, 2, 2), labels)
    return ImageData(items, items, len(counts), (0.0,), (1.0,), "")


@pytest.mark.parametrize(
    "counts", [[2] * 50, [1] * 100, [1, 1], [3], [95, 5], [60, 40], [1] * 7, [997, 1, 2]]
)
def test_a_perfect_teacher_is_better_than_chance_and_guessing_is_not(counts: list[int]) -> None:
    data, n = data_with(*counts), sum(counts)
    assert chance_problem(0.0, data) is None
    if len(counts) > 1:
        assert chance_problem(100 * (1 - max(counts) / n), data) is not None
    assert chance_problem(100.0, data) is not None


def test_chance_is_the_exact_binomial_test() -> None:
    data = data_with(*[2] * 50)
    # Guessing is right with a probability of 0.02; 7 of 100 or fewer in more than 1 of 741 cases.
    problems = [chance_problem(100.0 - right, data) for right in range(101)]
    assert problems[7] == (
        "7 of 100 test images are right; guessing gets about 2 right, and a network that has"
        " learned something at least 8"
    )
    assert [right for right, problem in enumerate(problems) if problem is None] == [*range(8, 101)]


def test_a_student_that_starts_with_its_teachers_weights_is_refused(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(plan, plan.run(LABEL))
    weights, build = load_file(plan.folder(plan.run(LABEL)) / MODEL), train_run.create_network

    def copied(*arguments: Any) -> nn.Module:
        network = build(*arguments)
        network.load_state_dict(weights)
        return network

    monkeypatch.setattr(train_run, "create_network", copied)
    with pytest.raises(TrainingError, match="the student has its teacher's weights"):
        train(plan, plan.run(BAN))


def test_a_teacher_whose_statistics_change_stops_the_training(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(plan, plan.run(LABEL))
    plan, logits = tiny_plan(logit_cache_limit_gib=0.0), ImageTrainer._teacher_logits

    def in_training_mode(self: ImageTrainer, *arguments: Any) -> Any:
        assert isinstance(self.context.teacher, nn.Module)
        self.context.teacher.train()
        return logits(self, *arguments)

    monkeypatch.setattr(ImageTrainer, "_teacher_logits", in_training_mode)
    run = plan.run(BAN)
    with pytest.raises(TrainingError, match=r"running_.* changed while its student was training"):
        train(plan, run)
    # At the end of the first epoch, and no checkpoint is left to resume from.
    failed = torch.load(plan.folder(run) / FAILED_CHECKPOINT, weights_only=True)
    assert len(failed["trainer"]["history"]) == 1
    assert not list(plan.folder(run).glob("checkpoint*"))
