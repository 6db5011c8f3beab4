"""Results that vouch for themselves: what does not fit is named, and makes no number."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.plans import ROOT, tiny_plan
from torch import nn

from replication import files
from replication.analysis.claims import build_claims
from replication.cli import run_command
from replication.errors import InputError
from replication.plan.plan import Plan, hash_recipe
from replication.report.tables import build_table, collect_cells
from replication.runs import record as runs
from replication.training import image_trainer as images
from replication.training.loop import TrainingError
from replication.training.run import train
from replication.training.setup import build, load_data
from replication.verify.results import verify

LABEL = "two_digit_numbers/wide_resnet_28_2.label.0"
BAN = f"{LABEL}/wide_resnet_28_2.ban.0"
KEYS: dict[str, Any] = {"tables": ["table3", "table6"], "seeds": [0, 1]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of two small tables, images and words."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        plan = tiny_plan(**KEYS)
        for run in plan.runs.values():
            train(plan, run)
        for name in plan.tables:
            assert build_table(plan, name)[1] == []
        collect_cells(plan)
        build_claims(plan, ROOT / "tables")
    return folder


@pytest.fixture
def plan(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Its plan, in a copy to be damaged."""
    shutil.copytree(whole / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tiny_plan(**KEYS)


def change_record(folder: Path, **keys: Any) -> None:
    file = folder / runs.RECORD
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**record, **keys}), encoding="utf-8")


def change_predictions(folder: Path) -> None:
    """Other predictions, and a record that vouches for them."""
    file = folder / runs.PREDICTIONS
    tensors = load_file(file)
    save_file({**tensors, "logits": tensors["logits"].roll(1, 0)}, file)
    sums = runs.read_record(folder)["checksums"]
    change_record(folder, checksums={**sums, runs.PREDICTIONS: files.checksum(file)})


def change_csv(file: Path, column: str, value: object, line: int = 0) -> None:
    frame = pd.read_csv(file)
    frame[column] = frame[column].astype(object)
    frame.loc[line, column] = value
    frame.to_csv(file, index=False)


def change_recipe(folder: Path) -> None:
    """Another recipe, with the hash that belongs to it."""
    recipe = {**runs.read_record(folder)["recipe"], "decisions": {"kept": "cold"}}
    change_record(folder, recipe=recipe, recipe_hash=hash_recipe(recipe))


def change_lines(results: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_csv(results / "cells.csv")).to_csv(results / "cells.csv", index=False)


def of_ban(frame: pd.DataFrame, seed: int) -> pd.Series:
    row = (frame["row"] == "wide-resnet-28-2") & (frame["column"] == "ban")
    return row & (frame["seed"] == seed)


def twice_the_first_seed(frame: pd.DataFrame) -> pd.DataFrame:
    """The better of two seeds in the place of both."""
    first, second = of_ban(frame, 0), of_ban(frame, 1)
    frame.loc[second, ["value", "run"]] = frame.loc[first, ["value", "run"]].to_numpy()
    return frame


def another_students_seed(frame: pd.DataFrame) -> pd.DataFrame:
    """The teacher's number in one seed of its student."""
    teacher = (frame["row"] == "wide-resnet-28-2") & (frame["column"] == "teacher")
    source, target = teacher & (frame["seed"] == 1), of_ban(frame, 1)
    frame.loc[target, ["value", "run"]] = frame.loc[source, ["value", "run"]].to_numpy()
    return frame


def swap_teachers(results: Path) -> None:
    other = results / "runs" / LABEL.replace("label.0", "label.1")
    for name in (runs.MODEL, runs.PREDICTIONS, runs.HISTORY):
        shutil.copy(other / name, results / "runs" / LABEL / name)
    change_record(results / "runs" / LABEL, checksums=runs.read_record(other)["checksums"])


Harm = Callable[[Path], object]
HARM: dict[str, tuple[Harm, str]] = {
    "weights exchanged": (
        lambda r: (r / "runs" / BAN / runs.MODEL).write_bytes(b"x"),
        "model.safetensors is not the file",
    ),
    "history edited": (
        lambda r: (r / "runs" / BAN / runs.HISTORY).write_text("epoch\n"),
        "history.csv is not the file",
    ),
    "predictions missing": (
        lambda r: (r / "runs" / BAN / runs.PREDICTIONS).unlink(),
        "predictions.safetensors: cannot be read",
    ),
    "record missing": (
        lambda r: (r / "runs" / BAN / runs.RECORD).unlink(),
        "run.json: no such file",
    ),
    "record of another run": (
        lambda r: change_record(r / "runs" / BAN, run=LABEL),
        f"its run.json is of {LABEL}",
    ),
    "recipe edited": (
        lambda r: change_record(
            r / "runs" / BAN,
            recipe={**runs.read_record(r / "runs" / BAN)["recipe"], "objective": "dkpp"},
        ),
        "the recipe in its run.json is not the one whose hash",
    ),
    "another teacher": (swap_teachers, "it learned from another teacher"),
    "teacher missing": (
        lambda r: [p.unlink() for p in (r / "runs" / LABEL).iterdir() if p.is_file()],
        "its teacher is not there",
    ),
    "other data": (
        lambda r: change_record(
            r / "runs" / BAN,
            dataset={**runs.read_record(r / "runs" / BAN)["dataset"], "sha256": "0"},
        ),
        "its data are not those of",
    ),
    "result improved": (
        lambda r: change_record(r / "runs" / BAN, result={"test error (%)": 1.0}),
        "its result is recorded as [1.0]",
    ),
    "predictions improved": (
        lambda r: change_predictions(r / "runs" / BAN),
        "cells.csv: table3, wide-resnet-28-2, ban, seed 0: says",
    ),
    "answers of other weights": (
        lambda r: save_file(
            {"logits": torch.zeros(1)}, r / "runs" / LABEL / "teacher_logits.1-view.safetensors"
        ),
        "teacher_logits.1-view.safetensors are the answers of other weights",
    ),
    "a number of cells.csv edited": (
        lambda r: change_csv(r / "cells.csv", "value", 3.25),
        "seed 0: says 3.25, its runs give",
    ),
    "a run of cells.csv invented": (
        lambda r: change_csv(r / "cells.csv", "run", "two_digit_numbers/none.label.0"),
        "none.label.0 is not there",
    ),
    "a mean edited": (
        lambda r: change_csv(r / "tables/table3.csv", "mean", 1.5),
        "mean is 1.5, and what it follows from gives",
    ),
    "a verdict edited": (
        lambda r: change_csv(r / "tables/table6.csv", "verdict", "splendid", 1),
        "verdict is splendid",
    ),
    "an interval edited": (
        lambda r: change_csv(r / "tables/table6.csv", "delta_ci_high", -1.0, 1),
        "delta_ci_high is -1.0",
    ),
    "a table cut": (
        lambda r: (r / "tables/table3.csv").write_text("table,row\n"),
        "table3.csv: other columns than a table has",
    ),
    "checksum of a file left out": (
        lambda r: change_record(
            r / "runs" / BAN,
            checksums={
                k: v
                for k, v in runs.read_record(r / "runs" / BAN)["checksums"].items()
                if k != runs.HISTORY
            },
        ),
        "its run.json has no checksum of history.csv",
    ),
    "a cell of two recipes": (
        lambda r: change_recipe(r / "runs" / BAN),
        "table3, wide-resnet-28-2, ban: mixes runs of different recipes",
    ),
    "a cell of two precisions": (
        lambda r: change_record(r / "runs" / BAN, precision="bfloat16"),
        "table3, wide-resnet-28-2, ban: mixes runs of different precision (bfloat16, float32)",
    ),
    "a seed left out": (
        lambda r: change_lines(r, lambda f: f[(f["seed"] == 0) | (f["column"] != "ban")]),
        "table3, wide-resnet-28-2, ban: has no seed 1, which other cells have",
    ),
    "one run for two seeds": (
        lambda r: change_lines(r, twice_the_first_seed),
        "table3, wide-resnet-28-2, ban: shows one run for several seeds",
    ),
    "another treatment in one seed": (
        lambda r: change_lines(r, another_students_seed),
        "table3, wide-resnet-28-2, ban: shows other treatments in one seed",
    ),
    "a part of cells.csv edited": (
        lambda r: change_csv(r / "cells/table3.csv", "value", 3.25),
        "cells/table3.csv: has other lines than cells.csv",
    ),
    "a line of a table left out": (
        lambda r: pd.read_csv(r / "tables/table3.csv")[1:].to_csv(
            r / "tables/table3.csv", index=False
        ),
        "table3.csv: has no line of ",
    ),
    "a number of a table as text": (
        lambda r: change_csv(r / "tables/table3.csv", "mean", "good"),
        "table3.csv: mean has something that is no number",
    ),
    "a metric that nothing was tested for": (
        lambda r: change_csv(r / "cells.csv", "metric", "luck perplexity"),
        "luck perplexity is nothing that two_digit_numbers/",
    ),
    "a number of the Markdown edited": (
        lambda r: (f := r / "tables/table3.md").write_text(f.read_text().replace("9", "1")),
        "table3.md: does not show what table3.csv and its Markdown say",
    ),
    "a failed run": (
        lambda r: [
            (r / "runs" / BAN / runs.RECORD).unlink(),
            (r / "runs" / BAN / runs.FAILURE).write_text('{"reason": "it burnt"}'),
        ],
        "the run has failed: it burnt",
    ),
}


def test_whole_results_have_nothing_to_say_against_them(
    plan: Plan, capfd: pytest.CaptureFixture[str]
) -> None:
    found = verify(plan.results, ROOT / "tables")
    assert found.problems == []
    assert not any("not checked" in remark for remark in found.remarks)
    assert (found.runs, found.tables) == (32, 2)
    assert found.cells == len(pd.read_csv(plan.results / "cells.csv"))
    assert run_command(["verify", str(plan.results)]) == 0
    assert "32 runs" in capfd.readouterr().out


@pytest.mark.parametrize("name", HARM)
def test_whatever_does_not_fit_is_named(
    plan: Plan, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    harm, message = HARM[name]
    harm(plan.results)
    problems = verify(plan.results).problems
    assert any(message in problem for problem in problems), problems
    assert not any("\n" in problem for problem in problems)
    assert run_command(["verify", str(plan.results)]) == 1
    said = capfd.readouterr().err.splitlines()
    assert said[-1].startswith(f"error: {plan.results}: {len(problems)} inconsistencies")


def flip(file: Path, where: float) -> None:
    content = bytearray(file.read_bytes())
    content[int(where * (len(content) - 1))] ^= 1
    file.write_bytes(content)


FLIPPED = [
    *(f"runs/{BAN}/{name}" for name in (runs.MODEL, runs.PREDICTIONS, runs.HISTORY, runs.CONFIG)),
    f"runs/{LABEL}/teacher_logits.1-view.safetensors",
    *("cells.csv", "cells/table3.csv", "claims.csv", "claims_power.csv"),
    *(f"tables/table6.{ending}" for ending in ("csv", "md", "html", "tex")),
]


# Not in a number's last digits, which differ from one version of SciPy to another.
@pytest.mark.parametrize("where", [0.0, 0.1, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("name", FLIPPED)
def test_a_flipped_bit_is_found_in_whatever_file(plan: Plan, name: str, where: float) -> None:
    flip(plan.results / name, where)
    try:
        problems = verify(plan.results, ROOT / "tables").problems
    except InputError as problem:
        problems = [str(problem)]
    # What is shown of a table is held against what its csv says.
    assert any(Path(name).stem in problem for problem in problems), problems


# What a record says of the machine and of the time is nobody else's to tell.
UNTOLD = {"code", "versions", "device", "processes", "threads", "compile", "attempts", "earlier",
          "seconds", "images_per_second", "peak_memory_mib"}  # fmt: skip


def other(value: Any) -> Any:
    """Another value of the same type, changed in each of its parts."""
    if isinstance(value, dict):
        return {key: other(part) for key, part in value.items()}
    if isinstance(value, list):
        return [*map(other, value[1:]), None]
    return value + 1 if isinstance(value, int | float) else f"{value}x"


def test_every_key_of_a_record_that_something_else_tells_is_checked(plan: Plan) -> None:
    folder = plan.results / "runs" / BAN
    record = runs.read_record(folder)
    unnoticed = set()
    for key, value in record.items():
        change_record(folder, **{**record, key: other(value)})
        if not verify(plan.results, ROOT / "tables").problems:
            unnoticed.add(key)
    assert unnoticed == UNTOLD


def test_mixtures_are_remarked_upon(plan: Plan) -> None:
    change_record(plan.results / "runs" / LABEL, precision="bfloat16", device="a GPU")
    remarks = verify(plan.results).remarks
    assert "runs differ in precision: 31 with float32, 1 with bfloat16" in remarks
    assert any(remark.startswith("runs differ in device: ") for remark in remarks)


def test_what_is_no_folder_of_results_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results: there is no folder runs"):
        verify(tmp_path)


HOLES: dict[str, tuple[Harm, str]] = {
    "a seed is missing": (lambda r: shutil.rmtree(r / "runs" / BAN), "the run is not trained"),
    "a run has failed": HARM["a failed run"],
    "predictions of another checksum": (
        lambda r: save_file(
            {k: v.clone() for k, v in load_file(r / "runs" / BAN / runs.PREDICTIONS).items()}
            | {"labels": torch.zeros(100, dtype=torch.int64)},
            r / "runs" / BAN / runs.PREDICTIONS,
        ),
        "not the file that run.json names",
    ),
    "another teacher": (
        lambda r: change_record(r / "runs" / BAN, teacher={"run": LABEL, "model_sha256": "0"}),
        "learned from another teacher than the one it lies in",
    ),
    "another recipe": (
        lambda r: change_record(r / "runs" / BAN, recipe_hash="0"),
        "trained by another recipe",
    ),
    "other data": (HARM["other data"][0], "runs of different data"),
    "another precision": (
        lambda r: change_record(r / "runs" / BAN, precision="bfloat16"),
        "runs of different precision",
    ),
    "another version": (
        lambda r: (r / "runs" / BAN / runs.RECORD).write_text('{"run": "a"}'),
        "as another version wrote it",
    ),
}


@pytest.mark.parametrize("name", HOLES)
def test_a_cell_that_is_not_whole_stays_empty_and_its_table_says_why(
    plan: Plan, name: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    harm, message = HOLES[name]
    before = pd.read_csv(plan.results / "tables/table3.csv")
    harm(plan.results)
    frame, reasons = build_table(plan, "table3")
    empty = frame[frame["n"] == 0]
    assert ("wide-resnet-28-2", "ban") in set(zip(empty["row"], empty["column"], strict=True))
    assert empty[["mean", "std", "ci_low", "delta_vs_teacher", "verdict"]].isna().all(axis=None)
    assert any(message in reason for reason in reasons), reasons
    # Nothing else has changed, and nothing was averaged over the seeds that are left.
    rest = frame["n"] > 0
    assert (frame["n"][rest] == 2).all()
    shown = ["row", "column", "mean", "verdict"]
    pd.testing.assert_frame_equal(
        frame.loc[rest, shown], before.loc[rest, shown], check_dtype=False
    )
    collect_cells(plan)
    cells = pd.read_csv(plan.results / "cells.csv")
    assert len(cells.query("row == 'wide-resnet-28-2' and column == 'ban'")) == 0
    for suffix in ("md", "html", "tex"):
        text = (plan.results / f"tables/table3.{suffix}").read_text(encoding="utf-8")
        assert "Empty cell: wide-resnet-28-2, ban" in text


def test_the_command_fails_on_an_empty_cell_unless_told_otherwise(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = tiny_plan(**KEYS)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(whole / "results", tmp_path / "results")
    monkeypatch.setattr(Plan, "read", classmethod(lambda cls, files, root: plan))
    assert run_command(["table", "3", "6"]) == 0
    shutil.rmtree(plan.folder(plan.run(BAN)))
    assert run_command(["table", "3"]) == 1
    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith("empty cell: wide-resnet-28-2, ban: results/tiny/runs/")
    assert said[-1].startswith("error: 1 cells stay empty for the reasons above")
    assert run_command(["table", "--holes", "3"]) == 0


def test_a_teacher_at_chance_is_refused(plan: Plan) -> None:
    plan = tiny_plan(**KEYS, teacher_at_chance="stop")
    change_record(plan.folder(plan.run(LABEL)), result={"test error (%)": 98.9})
    with pytest.raises(TrainingError, match=r"label.0: no better than chance \(98.9,"):
        train(plan, plan.run(BAN))
    change_record(plan.folder(plan.run(LABEL)), result={"test error (%)": 50.0})
    train(plan, plan.run(BAN))
    change_record(plan.folder(plan.run(LABEL)), result={"test error (%)": math.nan})
    with pytest.raises(TrainingError, match=r"no better than chance \(nan,"):
        train(plan, plan.run(BAN))
    words = plan.run("python_reference/lstm.label.0/lstm.ban+l.0")
    assert words.teacher is not None
    change_record(plan.folder(words.teacher), result={"test perplexity": 500.5})
    with pytest.raises(TrainingError, match="no better than chance"):
        train(plan, words)


def test_a_student_with_its_teachers_weights_is_refused(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_file(plan.folder(plan.run(LABEL)) / runs.MODEL)

    def copied(*given: Any) -> nn.Module:
        network = build(*given)
        network.load_state_dict(weights)
        return network

    monkeypatch.setattr("replication.training.run.build", copied)
    with pytest.raises(TrainingError, match="the student has its teacher's weights"):
        train(plan, plan.run(BAN))


def test_a_teacher_whose_statistics_drift_is_noticed(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(**KEYS, logit_cache_limit_gib=0.0)
    run = plan.run(BAN)
    data = load_data(plan, run, torch.device("cpu"))
    for member in (*run.lineage, run):
        train(plan, member)
    teach = images.ImageTrainer._teacher_logits

    def drifting(self: images.ImageTrainer, *given: Any) -> Any:
        assert isinstance(self.setting.teacher, nn.Module)
        self.setting.teacher.train()
        return teach(self, *given)

    monkeypatch.setattr(images.ImageTrainer, "_teacher_logits", drifting)
    with pytest.raises(TrainingError, match=r"running_.* has changed while its student"):
        train(plan, run)
    assert isinstance(data, images.ImageData)
    # At the first epoch's end, and nothing is left from which to go on with a teacher read anew.
    failed = torch.load(plan.folder(run) / "failed.pt", weights_only=True)
    assert len(failed["training"]["history"]) == 1
    assert not list(plan.folder(run).glob("state*"))
