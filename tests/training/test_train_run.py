"""Real small trainings: what is trained by what, the schedule, determinism, shared layers."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import load_file
from support.plans import ROOT, tiny_plan
from support.trainings import build_network
from torch import nn

from replication import files
from replication.config.datasets import ImageDataset
from replication.config.decisions import Decisions
from replication.errors import InputError
from replication.objectives import OBJECTIVES, Objective
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.results.run_folder import (
    CONFIDENCE_WEIGHTS,
    FAILURE,
    HISTORY,
    MODEL,
    PREDICTIONS,
    RECORD,
)
from replication.results.run_record import read_predictions, read_record
from replication.runtime import conditions
from replication.runtime.conditions import find_device
from replication.training import image_trainer as images
from replication.training.image_trainer import ImageTrainer
from replication.training.language_trainer import LanguageTrainer
from replication.training.loop import Trainer, TrainingContext, derive_seed
from replication.training.teacher import Teacher
from replication.training.train_run import load_data, train

CPU = torch.device("cpu")
LABEL = "two_digit_numbers/densenet_90_60.label.0"
BAN = f"{LABEL}/densenet_90_60.ban.0"
CWTM = f"{LABEL}/densenet_90_60.cwtm.0"
SHARED = f"{LABEL}/wide_resnet_as_dense_1_100.ban.0"
LSTM = "python_reference/lstm.label.0"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return tiny_plan()


def a_training(
    run: Run, network: nn.Module, data: images.ImageData, recipe: Any, **more: Any
) -> ImageTrainer:
    return ImageTrainer(a_context(run, network, recipe, **more), data)


def a_context(run: Run, network: nn.Module, recipe: Any, **more: Any) -> TrainingContext[Any]:
    parts = {
        "objective_name": run.objective,
        "objective": OBJECTIVES[run.objective],
        "teacher": None,
        "recipe": recipe,
        "decisions": Decisions(),
        "autocast": nullcontext,
        **more,
    }
    return TrainingContext(run.id, network, **parts)


def drive(training: Trainer[Any]) -> list[float]:
    """Train to the end; the learning rate of each epoch."""
    while len(training.history) < training.epochs:
        while training.step():
            pass
        training.end_epoch()
    return [row["learning_rate"] or 0 for row in training.history]


def train_lineage(plan: Plan, run_id: str) -> None:
    run = plan.run(run_id)
    for member in (*run.lineage, run):
        train(plan, member)


def contents(plan: Plan, run_id: str) -> dict[str, bytes]:
    folder = plan.folder(plan.run(run_id))
    names = (MODEL, PREDICTIONS, HISTORY)
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize(
    "run_id",
    [
        *(
            f"{LABEL}/densenet_90_60.{objective}.0"
            for objective in ("ban", "ban+l", "cwtm", "dkpp")
        ),
        f"{LSTM}/lstm.ban+l.0",
        "python_reference/cnn_lstm.label.0",
    ],
)
def test_the_same_run_gives_the_same_bytes(plan: Plan, run_id: str) -> None:
    train_lineage(plan, run_id)
    first = contents(plan, run_id)
    torch.manual_seed(12345)
    train(plan, plan.run(run_id))
    assert contents(plan, run_id) == first


def test_two_seeds_give_two_networks(plan: Plan) -> None:
    train(plan, plan.run(LABEL))
    other = tiny_plan(seeds=[1])
    train(other, other.run(LABEL.replace("label.0", "label.1")))
    assert contents(plan, LABEL) != contents(other, LABEL.replace("label.0", "label.1"))


def test_the_streams_of_a_run_are_unrelated() -> None:
    purposes = ("initialisation", "order", "augmentation", "permutation", "dropout")
    seeds = {
        derive_seed(run, purpose) for run in ("a/b.label.0", "a/b.label.1") for purpose in purposes
    }
    assert len(seeds) == 10


def test_changing_the_augmentation_leaves_the_order_of_images_as_it_was(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[list[int]] = []
    cut = images.Augmenter.__call__

    def watch(self: images.Augmenter, index: torch.Tensor, views: Any) -> torch.Tensor:
        orders[-1] += index.tolist()
        return cut(self, index, views)

    monkeypatch.setattr(images.Augmenter, "__call__", watch)
    for keys in ({}, {"images": {"crop_padding": 2, "flip": True}}):
        orders.append([])
        changed = tiny_plan(**keys)
        train(changed, changed.run(LABEL))
    # The logits for students follow, in an order of their own.
    assert orders[0][:400] == orders[1][:400]
    epochs = [sorted(orders[0][:200]), sorted(orders[0][200:400])]
    assert epochs == [list(range(200))] * 2
    assert orders[0][:200] != orders[0][200:400]


def test_the_folder_says_what_was_done(plan: Plan) -> None:
    train_lineage(plan, BAN)
    folder = plan.folder(plan.run(BAN))
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    assert record["run"] == BAN
    assert record["generation"] == 1
    assert record["seed"] == 0
    assert set(record["code"]) == {"commit", "dirty"}
    assert {"python", "torch", "timm", "born-again-networks"} <= set(record["versions"])
    assert record["threads"] == record["attempts"] == 1
    assert record["precision"] == "float32"
    assert len(record["dataset"]["sha256"]) == 64
    for number in ("seconds", "peak_memory_mib", "images_per_second"):
        assert record[number] > 0
    assert record["device"]
    assert record["recipe"] == plan.recipe(plan.run(BAN))
    assert record["teacher"] == {
        "run": LABEL,
        "model_sha256": files.checksum(folder.parent / MODEL),
    }
    for name, checksum in record["checksums"].items():
        assert files.checksum(folder / name) == checksum
    predictions = read_predictions(folder)
    wrong = (predictions["logits"].argmax(-1) != predictions["labels"]).mean() * 100
    assert record["result"] == {"test error (%)": pytest.approx(wrong)}
    lines = (folder / HISTORY).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + plan.scale.images.epochs
    assert {path.name for path in folder.iterdir()} == {
        MODEL, PREDICTIONS, HISTORY, CONFIDENCE_WEIGHTS, RECORD, "config.json", "README.md"
    }  # fmt: skip


def test_cwtm_leaves_the_distribution_of_its_weights_over_the_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = tiny_plan(images={"batch_size": 200})  # all training images are one batch
    train_lineage(plan, CWTM)
    folder = plan.folder(plan.run(CWTM))
    logits = load_file(folder.parent / "teacher_logits.1-view.safetensors")["logits"][0]
    labels = load_data(plan, plan.run(CWTM), CPU).train.labels
    p = logits.double().softmax(-1)
    percentiles = pd.read_csv(folder / CONFIDENCE_WEIGHTS)
    for column, confidence in (("max", p.amax(-1)), ("true_class", p[torch.arange(200), labels])):
        weights = np.percentile(200 * confidence / confidence.sum(), percentiles["percent"])
        np.testing.assert_allclose(percentiles[column], weights, rtol=1e-5)
    assert percentiles["max"].iloc[-1] - percentiles["max"].iloc[0] > 0.05
    assert CONFIDENCE_WEIGHTS in read_record(folder)["checksums"]


def test_a_trained_generation_loads_by_timm_in_one_line(plan: Plan) -> None:
    train(plan, plan.run(LABEL))
    folder = plan.folder(plan.run(LABEL))
    data = load_data(plan, plan.run(LABEL), CPU)
    predicted = torch.from_numpy(read_predictions(folder)["logits"])
    name, arguments = read_record(folder)["network"].values()
    by_file = timm.create_model(name, checkpoint_path=folder / MODEL, **arguments)
    by_folder = timm.create_model(f"local-dir:{folder}", pretrained=True)
    for network in (by_file, by_folder):
        with torch.no_grad():
            logits = network.eval()(data.evaluation.images)  # type: ignore[union-attr]
        torch.testing.assert_close(logits, predicted, rtol=1e-4, atol=1e-4)


def test_predictions_are_the_last_epochs_weights_not_the_best(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Mistake 8. A rate that wrecks the network in the last epoch has to be seen in the result.
    plan = tiny_plan(images={"epochs": 6, "milestones": [5], "gamma": 100.0, "evaluate_every": 1})
    train(plan, plan.run("digits/wide_resnet_28_10.label.0"))
    folder = plan.folder(plan.run("digits/wide_resnet_28_10.label.0"))
    lines = (folder / HISTORY).read_text(encoding="utf-8").splitlines()
    errors = [float(line.split(",")[4]) for line in lines[1:]]
    assert min(errors) < 70
    assert errors[-1] > 80
    record = read_record(folder)
    assert record["result"]["test error (%)"] == pytest.approx(errors[-1], rel=1e-4)


def test_the_learning_rate_of_every_epoch_is_the_papers() -> None:
    recipe = Plan.read([ROOT / "config/paper.yaml"], ROOT / "tables").scale.images
    assert (recipe.epochs, recipe.batch_size, recipe.weight_decay) == (200, 128, 5e-4)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    data = images.ImageData(
        images.Items(torch.randn(4, 1, 2, 2), torch.tensor([0, 1, 0, 1])),
        images.Items(torch.randn(2, 1, 2, 2), torch.tensor([0, 1])),
        2, (0.0,), (1.0,), "",
    )  # fmt: skip
    recipe = recipe.model_copy(update={"crop_padding": 1})
    rates = drive(
        a_training(Run(ImageDataset(name="digits"), "x", "label", 0), network, data, recipe)
    )
    expected = [0.1] * 60 + [0.02] * 60 + [0.004] * 40 + [0.0008] * 40
    assert rates == pytest.approx(expected)


def test_image_networks_learn_by_sgd_with_nesterov_and_decay_on_everything(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[torch.optim.SGD] = []

    class Watched(torch.optim.SGD):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(torch.optim, "SGD", Watched)
    train(plan, plan.run(LABEL))
    ((group,),) = (optimiser.param_groups for optimiser in made)
    assert (group["momentum"], group["nesterov"], group["dampening"]) == (0.9, True, 0)
    assert group["weight_decay"] == 5e-4
    weights = load_file(plan.folder(plan.run(LABEL)) / MODEL)
    learned = [key for key in weights if "running" not in key and "num_batches" not in key]
    assert len(group["params"]) == len(learned)


def watched_teacher(plan: Plan) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    run = plan.run(BAN)
    train(plan, plan.run(LABEL))
    assert run.teacher is not None
    teacher = Teacher.find(plan, run.teacher).network(load_data(plan, run, CPU), CPU)
    return teacher, {key: tensor.clone() for key, tensor in teacher.state_dict().items()}


@pytest.mark.parametrize("crop_padding", [0, 1])
def test_the_teacher_is_in_evaluation_mode_and_stays_as_it_is(
    plan: Plan, crop_padding: int
) -> None:
    # Mistake 3: in training mode its statistics drift with every step.
    plan = tiny_plan(images={"crop_padding": crop_padding})
    teacher, before = watched_teacher(plan)
    run, data = plan.run(BAN), load_data(plan, plan.run(BAN), CPU)
    assert isinstance(data, images.ImageData)
    student = build_network(plan, run, data)
    drive(a_training(run, student, data, plan.scale.images, teacher=teacher))
    assert not teacher.training
    assert all(torch.equal(before[key], tensor) for key, tensor in teacher.state_dict().items())
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_a_teacher_in_training_mode_is_refused(plan: Plan) -> None:
    teacher, _ = watched_teacher(plan)
    run, data = plan.run(BAN), load_data(plan, plan.run(BAN), CPU)
    assert isinstance(data, images.ImageData)
    student = build_network(plan, run, data)
    with pytest.raises(AssertionError):
        a_training(run, student, data, plan.scale.images, teacher=teacher.train())


@pytest.mark.parametrize("crop_padding", [0, 1])
def test_the_teacher_sees_the_students_own_view(
    plan: Plan, crop_padding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(images={"crop_padding": crop_padding, "epochs": 1})
    teacher, _ = watched_teacher(plan)
    run, data = plan.run(BAN), load_data(plan, plan.run(BAN), CPU)
    assert isinstance(data, images.ImageData)
    student = build_network(plan, run, data)
    seen: list[torch.Tensor] = []
    student.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0]))
    teacher_logits: list[torch.Tensor] = []

    def watch(z: torch.Tensor, y: torch.Tensor, t: torch.Tensor, g: object) -> torch.Tensor:
        teacher_logits.append(t)
        return z.sum() * 0

    monkeypatch.setitem(OBJECTIVES, "ban", Objective(watch))
    drive(a_training(run, student, data, plan.scale.images, teacher=teacher))
    with torch.no_grad():
        for view, logits in zip(seen, teacher_logits, strict=False):
            torch.testing.assert_close(teacher(view), logits, rtol=1e-4, atol=1e-4)
    assert len(teacher_logits) == -(-200 // plan.scale.images.batch_size)


def test_a_student_starts_from_weights_of_its_own(plan: Plan) -> None:
    # Mistake 4: teacher and student the same object, or the same start.
    teacher, _ = watched_teacher(plan)
    data = load_data(plan, plan.run(BAN), CPU)
    starts = []
    for run_id in (LABEL, BAN):
        torch.manual_seed(derive_seed(run_id, "initialisation"))
        starts.append(build_network(plan, plan.run(run_id), data).state_dict())
    weights = [key for key in starts[0] if key.endswith("conv0.weight") or "conv2" in key]
    assert weights
    assert not any(torch.equal(starts[0][key], starts[1][key]) for key in weights)
    assert not any(torch.equal(starts[1][key], teacher.state_dict()[key]) for key in weights)


def test_evaluation_leaves_the_network_in_training_mode(plan: Plan) -> None:
    # Mistake 8, second half: evaluation mode left on for the next epoch.
    run = plan.run(LABEL)
    data = load_data(plan, run, CPU)
    assert isinstance(data, images.ImageData)
    network = build_network(plan, run, data)
    training = a_training(run, network, data, plan.scale.images)
    first = training.evaluate()
    assert network.training
    assert torch.equal(first, training.evaluate())


def test_shared_ends_stay_the_teachers_and_everything_else_learns(plan: Plan) -> None:
    train_lineage(plan, SHARED)
    student = load_file(plan.folder(plan.run(SHARED)) / MODEL)
    teacher = load_file(plan.folder(plan.run(LABEL)) / MODEL)
    torch.manual_seed(derive_seed(SHARED, "initialisation"))
    data = load_data(plan, plan.run(SHARED), CPU)
    start = build_network(plan, plan.run(SHARED), data).state_dict()
    ends = {"features.conv0.weight", "classifier.weight", "classifier.bias"}
    for key, tensor in student.items():
        if key in ends:
            assert torch.equal(tensor, teacher[key]), key
        else:
            assert not torch.equal(tensor, start[key]), key


def test_a_baseline_shares_nothing(plan: Plan) -> None:
    baseline = "two_digit_numbers/wide_resnet_as_dense_1_100.label.0"
    train(plan, plan.run(baseline))
    train(plan, plan.run(LABEL))
    ours, teacher = (load_file(plan.folder(plan.run(r)) / MODEL) for r in (baseline, LABEL))
    for key in ("features.conv0.weight", "classifier.weight"):
        assert not torch.equal(ours[key], teacher[key])


def test_language_students_read_the_words_with_their_teacher(plan: Plan) -> None:
    train_lineage(plan, f"{LSTM}/lstm.ban+l.0")
    predictions = read_predictions(plan.folder(plan.run(f"{LSTM}/lstm.ban+l.0")))
    corpus = load_data(plan, plan.run(LSTM), CPU)
    assert not isinstance(corpus, images.ImageData)
    assert {name: len(values) for name, values in predictions.items()} == {
        "validation": len(corpus.validation),
        "test": len(corpus.test),
    }
    assert all((values < 0).all() for values in predictions.values())


def test_the_language_rate_decays_when_the_validation_perplexity_stalls(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(
        language={"lstm": {"epochs": 6, "decay": 0.5, "minimum_improvement": 0.5}},
        datasets={"ptb": {"train": 900}},
    )
    perplexities = iter([100.0, 90.0, 89.6, 95.0, 80.0, 79.4])
    monkeypatch.setattr(
        LanguageTrainer,
        "log_likelihoods",
        lambda self, part: -torch.tensor([next(perplexities)]).log(),
    )
    run = plan.run(LSTM)
    data = load_data(plan, run, CPU)
    assert not isinstance(data, images.ImageData)
    assert plan.scale.language
    context = a_context(run, build_network(plan, run, data), plan.scale.language.lstm)
    rates = drive(LanguageTrainer(context, data))
    # 89.6 falls by too little, 95 rises; each halves the rate of the next epoch.
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.25, 0.25]


Damage = Callable[[Plan, Run], object]


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


WRONG_TEACHERS: dict[str, tuple[Damage, str]] = {
    "not trained": (lambda p, r: (p.folder(r) / RECORD).unlink(), "run.json: no such file"),
    "without weights": (lambda p, r: (p.folder(r) / MODEL).unlink(), "model.safetensors"),
    "damaged": (lambda p, r: truncate(p.folder(r) / MODEL), "not the file that run.json"),
    "damaged record": (lambda p, r: truncate(p.folder(r) / RECORD), "run.json: damaged"),
    "of another recipe": (
        lambda p, r: (p.folder(r) / RECORD).write_text(
            json.dumps({**read_record(p.folder(r)), "recipe_hash": "0"}), encoding="utf-8"
        ),
        "trained with another recipe",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_TEACHERS)
def test_a_wrong_teacher_is_one_clear_line(plan: Plan, name: str) -> None:
    damage, message = WRONG_TEACHERS[name]
    train(plan, plan.run(LABEL))
    damage(plan, plan.run(LABEL))
    with pytest.raises(InputError) as caught:
        train(plan, plan.run(BAN))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_training_that_diverges_says_so(plan: Plan) -> None:
    plan = tiny_plan(images={"learning_rate": 1e30})
    with pytest.raises(
        InputError, match=r"the loss is not finite in epoch \d; lower `learning_rate`"
    ):
        train(plan, plan.run(LABEL))
    folder = plan.folder(plan.run(LABEL))
    assert {path.name for path in folder.iterdir()} == {FAILURE, "failed.pt"}
    reason = json.loads((folder / FAILURE).read_text(encoding="utf-8"))["reason"]
    assert "the loss is not finite" in reason


def test_a_last_step_that_diverges_is_no_result(plan: Plan) -> None:
    # The loss of its only step is that of the first weights.
    plan = tiny_plan(images={"epochs": 1, "batch_size": 200, "learning_rate": 1e30})
    with pytest.raises(InputError, match="the predictions are not finite after the last step"):
        train(plan, plan.run(LABEL))
    folder = plan.folder(plan.run(LABEL))
    assert {path.name for path in folder.iterdir()} == {FAILURE, "failed.pt"}


@pytest.mark.parametrize("rate", [1e4, 1e30])
def test_a_perplexity_past_all_numbers_is_a_loss_that_is_not_finite(
    plan: Plan, rate: float
) -> None:
    recipe = {"epochs": 2, "learning_rate": rate, "clip_norm": 1e6}
    plan = tiny_plan(language={"lstm": recipe}, datasets={"ptb": {"train": 3000}})
    with pytest.raises(InputError, match="the loss is not finite in epoch 1"):
        train(plan, plan.run(LSTM))


def test_a_failed_training_leaves_nothing_to_go_on_from_by_a_better_recipe(plan: Plan) -> None:
    plan = tiny_plan(images={"epochs": 3, "milestones": [1], "gamma": 1e30})
    with pytest.raises(InputError, match="lower `learning_rate`"):
        train(plan, plan.run(LABEL))
    plan = tiny_plan(images={"epochs": 3, "milestones": [1]})
    assert train(plan, plan.run(LABEL))["attempts"] == 1


def test_a_teacher_of_other_data_is_refused(plan: Plan) -> None:
    train(plan, plan.run(LABEL))
    file = plan.folder(plan.run(LABEL)) / RECORD
    record = read_record(file.parent)
    record["dataset"]["sha256"] = "0"
    file.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match=r"label.0: was trained on other data"):
        train(plan, plan.run(BAN))


def test_a_record_names_all_teachers(plan: Plan) -> None:
    train_lineage(plan, BAN)
    teachers = [
        {"run": run, "model_sha256": files.checksum(plan.folder(plan.run(run)) / MODEL)}
        for run in (LABEL, BAN)
    ]
    assert read_record(plan.folder(plan.run(BAN)))["lineage"] == teachers[:1]
    assert Teacher.find(plan, plan.run(BAN)).lineage == teachers


def test_code_has_no_commit_where_there_is_no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert conditions.code.__wrapped__() == {"commit": None, "dirty": None}


def test_a_missing_gpu_is_named(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="`device: cuda`: PyTorch finds no CUDA device"):
        find_device(tiny_plan(device="cuda").scale)
