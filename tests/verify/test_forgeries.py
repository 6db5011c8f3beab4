"""`verify` names forgeries in which every other file follows from the forged one."""

import re
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from support.forgeries import (
    copy_over,
    forge,
    history,
    permuted,
    predictions,
    rebuild,
    weights,
)
from support.small_results import BAN, LABEL, TREATMENTS, small_plan_of
from support.trainings import build_network

from replication.config.yaml_model import merge
from replication.data.images import ImageData
from replication.errors import InputError
from replication.plan.plan import SCALE_FILE, Plan
from replication.results.run_record import read_record
from replication.training.image_trainer import forward
from replication.training.train_run import load_data, train
from replication.verify.history import history_problems
from replication.verify.verification import verify

RUNS = "results/tiny/runs"
BAN_L, CWTM = BAN.replace("ban", "ban+l"), BAN.replace("ban", "cwtm")
OTHER_LABEL = LABEL.replace("label.0", "label.1")
OTHER_BAN = BAN.replace(".0", ".1")
DENSENET = "two_digit_numbers/densenet_90_60.label.0"
RESIDUAL = f"{DENSENET}/wide_resnet_as_dense_1_100.ban.0"
LSTM = "python_reference/lstm.label.0"
LSTM_BAN = f"{LSTM}/lstm.ban+l.0"
ANOTHER_TEACHER = "history.csv has losses and divergences from another teacher"
NO_LINE = "has no line, although its runs exist"
NOT_PLANNED = "has a line, but its folder has no run as the scale plans it"


def problems(deep: bool = False) -> list[str]:
    """What `verify` finds in the results of the current folder."""
    return verify(Path("results/tiny"), deep=float(deep)).problems


def of_runs(lines: list[str]) -> list[str]:
    """Those on the folders of runs, without cells and tables, which need the runs to be intact."""
    return [
        line
        for line in lines
        if line.startswith(f"{RUNS}/") and not line.endswith("snakemake again")
    ]


def of_runs_csv(lines: list[str]) -> list[str]:
    """Those on ``runs.csv``."""
    return [line for line in lines if line.startswith(f"{RUNS}.csv: ")]


def test_honest_results_and_rewritten_ones_pass(small_plan: Plan) -> None:
    findings = verify(small_plan.results, deep=1)
    assert findings.problems == []
    assert findings.recomputed_runs == len(small_plan.runs)
    for run in small_plan.runs:
        forge(small_plan, run)
    rebuild(small_plan)
    assert problems(deep=True) == []


# Predictions that the weights do not produce.


def test_invented_predictions_of_images(small_plan: Plan) -> None:
    tensors = predictions(small_plan, BAN)
    wrong = (tensors["logits"].argmax(1) != tensors["labels"]).nonzero()[:3, 0]
    tensors["logits"][wrong, tensors["labels"][wrong]] = 9.0
    forge(small_plan, BAN, predicted=tensors)
    rebuild(small_plan)
    assert problems() == []
    (line,) = problems(deep=True)
    assert line.startswith(
        f"{RUNS}/{BAN}: predictions.safetensors is not what its weights give: `logits` differs by"
    )


def test_invented_predictions_of_words(small_plan: Plan) -> None:
    tensors = predictions(small_plan, LSTM_BAN)
    forge(small_plan, LSTM_BAN, predicted={name: tensor + 0.01 for name, tensor in tensors.items()})
    rebuild(small_plan)
    assert problems() == []
    start = f"{RUNS}/{LSTM_BAN}: predictions.safetensors is not what its weights give: "
    first, second = problems(deep=True)
    assert first.startswith(f"{start}`validation` differs by")
    assert second.startswith(f"{start}`test` differs by")


def test_other_weights_than_those_of_the_predictions(small_plan: Plan) -> None:
    changed = {name: tensor * 1.01 for name, tensor in weights(small_plan, BAN).items()}
    forge(small_plan, BAN, model=changed | {"classifier.bias": changed["classifier.bias"] + 1e-2})
    rebuild(small_plan)
    assert problems() == []
    (line,) = problems(deep=True)
    assert line.startswith(f"{RUNS}/{BAN}: predictions.safetensors is not what its weights give")


def test_logits_that_the_teacher_does_not_give(small_plan: Plan) -> None:
    (own,) = (small_plan.results / "runs" / LABEL).glob("teacher_logits.*")
    shutil.copy(small_plan.results / "runs" / OTHER_LABEL / own.name, own)
    forge(small_plan, LABEL)
    rebuild(small_plan)
    assert problems() == []
    # Its students' histories fit the logits that were there before.
    students = [BAN.replace("wide_resnet_28_2.ban", "densenet_90_60.ban"), BAN]
    assert problems(deep=True) == [
        f"{RUNS}/{LABEL}: {own.name} is not what its weights give",
        *(f"{RUNS}/{student}: {ANOTHER_TEACHER}" for student in students),
    ]


def test_students_of_each_others_teachers(small_plan: Plan) -> None:
    runs = small_plan.results / "runs"
    shutil.copytree(runs / BAN, "aside")
    copy_over(small_plan, OTHER_BAN, BAN)
    for file in Path("aside").glob("*.*"):
        if file.name != "run.json":
            shutil.copy(file, runs / OTHER_BAN)
    forge(small_plan, OTHER_BAN)
    rebuild(small_plan)
    assert problems() == []
    assert problems(deep=True) == [f"{RUNS}/{run}: {ANOTHER_TEACHER}" for run in (BAN, OTHER_BAN)]


# Labels.


def test_labels_unlike_those_of_the_teacher(small_plan: Plan) -> None:
    tensors = predictions(small_plan, BAN)
    forge(small_plan, BAN, predicted={**tensors, "labels": tensors["logits"].argmax(1)})
    rebuild(small_plan)
    first = "two_digit_numbers/densenet_90_60.label.0"
    assert of_runs(problems()) == [f"{RUNS}/{BAN}: its labels are not those of {first}"]


def test_items_in_another_order(small_plan: Plan) -> None:
    tensors = {name: tensor.flip(0) for name, tensor in predictions(small_plan, BAN).items()}
    forge(small_plan, BAN, predicted=tensors)
    rebuild(small_plan)
    assert of_runs(problems()) == [f"{RUNS}/{BAN}: its labels are not those of {DENSENET}"]


def test_labels_of_all_runs_unlike_the_data_set(small_plan: Plan) -> None:
    labels = predictions(small_plan, BAN)["logits"].argmax(1)
    images = [run for run in small_plan.runs if run.startswith("two_digit_numbers")]
    for run in images:
        forge(small_plan, run, predicted={**predictions(small_plan, run), "labels": labels})
    rebuild(small_plan)
    assert problems() == []
    says = "the labels in predictions.safetensors are not those of the data set"
    assert sorted(problems(deep=True)) == sorted(f"{RUNS}/{run}: {says}" for run in images)


# Columns filled with other runs.


def test_a_column_of_runs_of_another_objective(small_plan: Plan) -> None:
    table = merge(TREATMENTS, {"columns": {"cwtm": {"objective": "ban+l"}}})
    file = Path("tables/treatments.yaml")
    honest = file.read_bytes()
    file.write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    rebuild(small_plan_of())
    file.write_bytes(honest)
    all_problems = problems()
    for seed in (0, 1):
        cwtm, ban_l = (run.replace(".0", f".{seed}") for run in (CWTM, BAN_L))
        line = f"results/tiny/cells.csv: treatments, wide, cwtm, {seed}: run is {ban_l}, not {cwtm}"
        assert line in all_problems
    assert of_runs(all_problems) == []
    assert of_runs_csv(all_problems) == [
        f"{RUNS}.csv: {CWTM.replace('.0', f'.{seed}')}: {NO_LINE}" for seed in (0, 1)
    ]


def test_a_column_of_copies_under_another_name(small_plan: Plan) -> None:
    copy_over(small_plan, BAN_L, CWTM)
    rebuild(small_plan)
    assert problems() == [
        f"{RUNS}/{CWTM}: its {what} are those of {BAN_L}, or nearly so"
        for what in ("weights", "predictions")
    ]


def test_runs_of_another_objective_under_its_own_name(small_plan: Plan) -> None:
    forge(small_plan, BAN, lines=history(small_plan, BAN).assign(ban_cosine=0.9))
    recipe = read_record(small_plan.results / "runs" / BAN_L)["recipe"]
    forge(small_plan, CWTM, recipe=recipe)
    all_problems = problems()
    assert of_runs(all_problems) == [
        f"{RUNS}/{BAN}: history.csv has a gradient other than BAN's",
        f"{RUNS}/{CWTM}: its run.json has cwtm for `objective`, but its recipe has ban+l",
        f"{RUNS}/{CWTM}: its recipe has ban+l for `objective`, but the scale has cwtm",
        f"{RUNS}/{CWTM}: its recipe has None for `decisions.cwtm_weight`, but the scale has max",
        f"{RUNS}/{CWTM}: its recipe has mean for `decisions.ban_l_weighting`, but the scale has"
        " None",
    ]
    assert of_runs_csv(all_problems) == [f"{RUNS}.csv: {CWTM}: {NOT_PLANNED}"]


def test_layers_that_are_not_shared(small_plan: Plan) -> None:
    changed = weights(small_plan, RESIDUAL)
    changed["features.conv0.weight"] = changed["features.conv0.weight"] + 1e-3
    forge(small_plan, RESIDUAL, model=changed)
    rebuild(small_plan)
    assert problems() == [f"{RUNS}/{RESIDUAL}: its first and last layer are not its teacher's"]


# Ensembles.


def test_an_ensemble_averaged_by_logits(small_plan: Plan) -> None:
    # Items on which the mean of probabilities is right and the mean of logits is wrong.
    for run, own, other in ((BAN, 0.0, 8.0), (BAN_L, 20.0, 13.0)):
        tensors = predictions(small_plan, run)
        right, items = tensors["labels"][:5], torch.arange(5)
        tensors["logits"][:5] = 0.0
        tensors["logits"][items, right] = own
        tensors["logits"][items, (right + 1) % 100] = other
        forge(small_plan, run, predicted=tensors)
    rebuild(small_plan)
    assert problems() == []
    rebuild(small_plan_of(decisions={"ensemble": "logits"}), keep_scale=True)
    all_problems = problems()
    assert all(", wide, ens*2" in line or "does not show" in line for line in all_problems)
    assert any("cells.csv: treatments, wide, ens*2, 0: value is" in line for line in all_problems)


def test_an_ensemble_of_other_members(small_plan: Plan) -> None:
    table = merge(TREATMENTS, {"columns": {"ens*2": {"ensemble": ["teacher", "ban"]}}})
    file = Path("tables/treatments.yaml")
    honest = file.read_bytes()
    file.write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    rebuild(small_plan_of())
    file.write_bytes(honest)
    line = "results/tiny/cells.csv: treatments, wide, ens*2, 0: run is"
    assert f"{line} {LABEL};{BAN}, not {BAN};{BAN_L}" in problems()


# Recipes and histories.


@pytest.fixture
def longer(small_plan: Plan) -> str:
    """A student of a longer training than its teacher's, in the place of a planned one."""
    plan = small_plan_of(images={"epochs": 6, "milestones": [3]})
    plan = replace(plan, results=Path("elsewhere/tiny"))
    for run in (LABEL, BAN):
        train(plan, plan.run(run))
    shutil.copytree(
        plan.folder(plan.run(BAN)), small_plan.results / "runs" / BAN, dirs_exist_ok=True
    )
    forge(small_plan, LABEL)  # has the student name its teacher's weights
    return BAN


def test_a_student_of_another_recipe_than_its_teacher(small_plan: Plan, longer: str) -> None:
    rebuild(small_plan)
    folder = f"{RUNS}/{longer}"
    other = [
        f"{folder}: its recipe has 6 for `training.epochs`, but the scale has 2",
        f"{folder}: its recipe has [3] for `training.milestones`, but the scale has [1]",
    ]
    all_problems = problems()
    assert of_runs(all_problems) == other
    assert of_runs_csv(all_problems) == [f"{RUNS}.csv: {longer}: {NOT_PLANNED}"]
    cell = "results/tiny/cells.csv: table3, wide-resnet-28-2, ban, 0"
    assert any(line.startswith(f"{cell}: {folder}: trained with another") for line in all_problems)


def test_a_longer_training_under_the_recipe_of_its_teacher(small_plan: Plan, longer: str) -> None:
    recipe = merge(
        read_record(small_plan.results / "runs" / longer)["recipe"],
        {"training": {"epochs": 2, "milestones": [1]}},
    )
    forge(small_plan, longer, recipe=recipe)
    rebuild(small_plan)
    assert problems() == [f"{RUNS}/{longer}: history.csv has 6 epochs, but its recipe has 2"]
    lines = history(small_plan, longer)[-2:].assign(epoch=[1, 2])
    forge(small_plan, longer, recipe=recipe, lines=lines)
    assert problems() == [
        f"{RUNS}/{longer}: history.csv has a learning rate in epoch 1 other than its recipe's"
    ]


def lines_of(run: str, **columns: list[Any]) -> Callable[[Plan], object]:
    return lambda plan: forge(plan, run, lines=history(plan, run).assign(**columns))


HISTORIES: dict[str, tuple[Callable[[Plan], object], str]] = {
    "too short": (
        lambda plan: forge(plan, BAN, lines=history(plan, BAN)[-1:]),
        f"{BAN}: history.csv has 1 epoch, but its recipe has 2",
    ),
    "without the first epoch": (
        lines_of(BAN_L, epoch=[2, 3]),
        f"{BAN_L}: history.csv does not number its epochs from 1 to 2",
    ),
    "ends elsewhere than the result": (
        lines_of(CWTM, test_error=[None, 50.0]),
        f"{CWTM}: history.csv ends with a test_error of 50.0, but its result is ",
    ),
    "words that end elsewhere": (
        lines_of(LSTM, validation_perplexity=[12.5]),
        f"{LSTM}: history.csv ends with a validation_perplexity of 12.5, but its result is ",
    ),
    "evaluated at another epoch": (
        lines_of(OTHER_BAN, test_error=[90.0, None]),
        f"{OTHER_BAN}: history.csv has no test_error where its recipe evaluates, or has one",
    ),
    "an epoch twice": (
        lambda plan: forge(
            plan,
            OTHER_LABEL,
            lines=history(plan, OTHER_LABEL).assign(train_loss=3.0, train_error=80.0),
        ),
        f"{OTHER_LABEL}: history.csv has the same numbers in epochs 1 and 2",
    ),
    "a time that is too short": (
        lambda plan: forge(plan, DENSENET, seconds=0.01, images_per_second=10.0),
        f"{DENSENET}: 2 epochs at 10.0 samples a second do not fit in its 0.01 seconds",
    ),
    "another precision": (
        lambda plan: forge(plan, RESIDUAL, precision="bfloat16"),
        f"{RESIDUAL}: its precision is bfloat16, but the scale's is float32",
    ),
}


def test_histories_unlike_recipe_and_result(small_plan: Plan) -> None:
    before = pd.read_csv(small_plan.results / "runs.csv").set_index("run")
    for change, _ in HISTORIES.values():
        change(small_plan)
    all_problems = problems()
    run_problems = of_runs(all_problems)
    for name, (_, says) in HISTORIES.items():
        (line,) = [
            problem
            for problem in run_problems
            if problem.startswith(f"{RUNS}/{says.split(': ')[0]}: ")
        ]
        assert line.startswith(f"{RUNS}/{says}"), name
    assert len(run_problems) == len(HISTORIES)
    # What runs.csv has of histories and records is compared as well.
    assert sorted(of_runs_csv(all_problems)) == sorted(
        f"{RUNS}.csv: {run}: {column} is {before.loc[run, column]}, not {forged}"
        for run, column, forged in (
            (OTHER_LABEL, "train_error", 80.0),
            (DENSENET, "seconds", 0.01),
            (RESIDUAL, "precision", "bfloat16"),
        )
    )


@pytest.mark.parametrize(
    ("third", "rate", "is_wrong"),
    [
        # Written alike, 80.0001 was 80.00014 or less than 80.00006: both rates are possible.
        (80.0001, 2, False),
        (80.0001, 1, False),
        # One digit lower, it did improve.
        (79.998, 2, False),
        (79.998, 1, True),
    ],
)
def test_rounding_explains_the_rate_after_perplexities_that_are_written_alike(
    tmp_path: Path, third: float, rate: float, is_wrong: bool
) -> None:
    recipe = {"epochs": 4, "batch_size": 20, "bptt": 35, "learning_rate": 2.0, "decay": 0.5}
    recipe |= {"minimum_improvement": 0.0, "clip_norm": 5.0}
    record = {"recipe": {"training": recipe}, "result": {"validation perplexity": 70.0}}
    (tmp_path / "history.csv").write_text(
        "epoch,learning_rate,train_loss,validation_perplexity\n"
        f"1,2,5,90\n2,2,4,80.0001\n3,2,4,{third}\n4,{rate},4,70\n",
        encoding="utf-8",
    )
    assert bool(list(history_problems(tmp_path, record))) == is_wrong


def test_the_rates_of_a_language_model_follow_from_its_perplexities(tmp_path: Path) -> None:
    recipe = {"epochs": 4, "batch_size": 20, "bptt": 35, "learning_rate": 2.0, "decay": 0.5}
    recipe |= {"minimum_improvement": 0.5, "clip_norm": 5.0}
    record = {"recipe": {"training": recipe}, "result": {"validation perplexity": 79.8}}
    lines = "epoch,learning_rate,train_loss,validation_perplexity\n"
    # From 90 to 80 it improves, from 80 to 79.9 it stalls.
    lines += "1,2,5,90\n2,2,4,80\n3,2,4,79.9\n4,{},4,79.8\n"
    for rate, says in ((1, []), (2, ["history.csv has a learning rate in epoch 4"])):
        (tmp_path / "history.csv").write_text(lines.format(rate), encoding="utf-8")
        messages = list(history_problems(tmp_path, record))
        assert [line.removesuffix(" other than its recipe's") for line in messages] == says
    del recipe["batch_size"]
    with pytest.raises(InputError) as refused:
        list(history_problems(tmp_path, record))
    assert str(refused.value).startswith(
        f"{tmp_path}/run.json: its recipe: key `batch_size` is missing"
    )


# Copies.


def noise(plan: Plan, run: str) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: tensor + 0.1 * tensor.std() * torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1
        else tensor
        for name, tensor in weights(plan, run).items()
    }


def predicted_by(plan: Plan, run: str, model: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a run's network predicts with these weights."""
    planned_run = plan.run(run)
    data = load_data(plan, planned_run, torch.device("cpu"))
    assert isinstance(data, ImageData)
    network = build_network(plan, planned_run, data)
    network.load_state_dict(model)
    logits = forward(network.eval(), data.evaluation.images, nullcontext)
    return {"logits": logits, "labels": data.evaluation.labels}


def one_element(plan: Plan, run: str) -> dict[str, torch.Tensor]:
    tensors = weights(plan, run)
    tensors["features.group1_unit1.conv1.weight"][0, 0, 0, 0] += 1e-3
    return tensors


@pytest.mark.parametrize(
    ("change", "copied"),
    [
        (weights, ("weights", "predictions")),
        (one_element, ("weights", "predictions")),
        (noise, ("weights",)),
        (permuted, ("predictions",)),
    ],
)
def test_the_same_network_under_two_seeds(
    small_plan: Plan,
    change: Callable[[Plan, str], dict[str, torch.Tensor]],
    copied: tuple[str, ...],
) -> None:
    copy_over(small_plan, BAN, OTHER_BAN)
    model = change(small_plan, BAN)
    forge(small_plan, OTHER_BAN, model=model, predicted=predicted_by(small_plan, BAN, model))
    rebuild(small_plan)
    assert problems() == [
        f"{RUNS}/{OTHER_BAN}: its {what} are those of {BAN}, or nearly so" for what in copied
    ]


def test_a_student_that_started_from_its_teachers_weights(small_plan: Plan) -> None:
    copy_over(small_plan, LABEL, BAN)
    model = noise(small_plan, LABEL)
    lines = history(small_plan, CWTM).assign(ban_cosine=1.0)
    lines.loc[1, "test_error"] = history(small_plan, LABEL)["test_error"].iloc[-1]
    forge(small_plan, BAN, model=model, lines=lines)
    assert f"{RUNS}/{BAN}: its weights are those of {LABEL}, or nearly so" in problems()


# Seeds and lines left out.


def test_a_seed_left_out_of_the_scale(small_plan: Plan) -> None:
    rebuild(small_plan_of(seeds=[0]))
    left_out = sorted(run for run in small_plan.runs if ".1" in run)
    says = "is of a seed that the scale leaves out; add the seed, or delete the run"
    assert problems() == [f"{RUNS}/{run}: {says}" for run in left_out]


def test_a_table_with_fewer_seeds_is_built_from_them_and_hides_no_run(small_plan: Plan) -> None:
    plan = small_plan_of(table_seeds={"table3": [0]})
    rebuild(plan)
    hidden = {name for name in small_plan.runs if name not in plan.runs}
    says = "is of a seed that the scale leaves out; add the seed, or delete the run"
    assert sorted(problems()) == sorted(f"{RUNS}/{run}: {says}" for run in hidden)
    for run in hidden:
        shutil.rmtree(plan.results / "runs" / run, ignore_errors=True)
    assert problems() == []
    quality = pd.read_csv(plan.results / "quality.csv.gz")
    for name in ("table3", "treatments"):
        seeds = {0} if name == "table3" else {0, 1}
        assert set(pd.read_csv(plan.results / f"tables/{name}.csv")["n"]) == {len(seeds)}
        assert set(quality.loc[quality["table"] == name, "seed"]) == seeds


def test_a_seed_left_out_of_the_cells(small_plan: Plan) -> None:
    rebuild(small_plan_of(seeds=[1]), keep_scale=True)
    all_problems = problems()
    for cell in small_plan.cells:
        place = f"results/tiny/cells.csv: {cell.table}, {cell.row}, {cell.column}, 0"
        assert f"{place}: {NO_LINE}" in all_problems
    assert of_runs(all_problems) == []
    left_out = [run for run, seed in small_plan.lineage_seeds.items() if seed == 0]
    assert len(left_out) == 22
    assert sorted(of_runs_csv(all_problems)) == sorted(
        f"{RUNS}.csv: {run}: {NO_LINE}" for run in left_out
    )


def test_another_scale_beside_the_results(small_plan: Plan, tmp_path: Path) -> None:
    rebuild(small_plan_of(seeds=[0]))
    Path("config").mkdir()
    named = small_plan.scale.model_dump_json()
    Path("config/tiny.yaml").write_text(named, encoding="utf-8")
    remark = "results/tiny/scale.json: `seeds` is [0], but [0, 1] in config/tiny.yaml"
    assert remark in verify(small_plan.results).remarks
    findings = verify(small_plan.results, configfiles=[Path("config/tiny.yaml")])
    assert any("has no line, although its runs exist" in line for line in findings.problems)
    assert not any("leaves out" in line for line in findings.problems)


def test_a_table_shown_unlike_its_csv(small_plan: Plan) -> None:
    for suffix in ("md", "html", "tex"):
        file = small_plan.results / f"tables/treatments.{suffix}"
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r"\d\.\d", "1.0", text, count=1), encoding="utf-8")
    (small_plan.results / SCALE_FILE).replace("scale.json")
    Path("config").mkdir()
    Path("scale.json").rename("config/tiny.yaml")
    assert problems() == [
        f"results/tiny/tables/treatments.{suffix}: does not show what follows from its csv files"
        for suffix in ("md", "html", "tex")
    ]


def test_a_claim_edited(small_plan: Plan) -> None:
    file = small_plan.results / "claims.csv"
    claims = pd.read_csv(file)
    claims.loc[3, "verdict"] = "splendid"
    claims.drop(index=5).to_csv(file, index=False)
    start = "results/tiny/claims.csv: "
    assert problems() == [
        f"{start}{claims.claim[3]}: verdict is splendid, not undecided",
        f"{start}{claims.claim[5]}: has no line, although its runs exist",
    ]
