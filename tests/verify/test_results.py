"""`verify` names whatever does not follow from the other files of the results."""

import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.small_results import BAN, LABEL, build_small_results, change_record

from replication import files
from replication.cli import run_command
from replication.errors import InputError
from replication.plan.plan import SCALE_FILE, Plan
from replication.plan.recipe import hash_recipe
from replication.results.run_folder import CONFIG, FAILURE, HISTORY, MODEL, PREDICTIONS, RECORD
from replication.results.run_record import read_record
from replication.verify.verification import verify
from replication.wording import counted


def change_predictions(folder: Path) -> None:
    """Other predictions, with the right checksum in the record."""
    file = folder / PREDICTIONS
    tensors = load_file(file)
    save_file({**tensors, "logits": tensors["logits"].roll(1, 0)}, file)
    sums = read_record(folder)["checksums"]
    change_record(folder, checksums={**sums, PREDICTIONS: files.checksum(file)})


def change_csv(file: Path, column: str, value: object, line: int = 0) -> None:
    frame = pd.read_csv(file)
    frame[column] = frame[column].astype(object)
    frame.loc[line, column] = value
    frame.to_csv(file, index=False)


def change_recipe(folder: Path) -> None:
    """Another recipe, with the hash that belongs to it."""
    recipe = {**read_record(folder)["recipe"], "decisions": {"kept": "cold"}}
    change_record(folder, recipe=recipe, recipe_hash=hash_recipe(recipe))


def change_lines(results: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_csv(results / "cells.csv")).to_csv(results / "cells.csv", index=False)


def of_ban(frame: pd.DataFrame, seed: int) -> pd.Series:
    row = (frame["row"] == "wide-resnet-28-2") & (frame["column"] == "ban")
    return row & (frame["seed"] == seed)


def twice_the_first_seed(frame: pd.DataFrame) -> pd.DataFrame:
    """The better of two seeds in place of both."""
    first, second = of_ban(frame, 0), of_ban(frame, 1)
    frame.loc[second, ["value", "run"]] = frame.loc[first, ["value", "run"]].to_numpy()
    return frame


def another_students_seed(frame: pd.DataFrame) -> pd.DataFrame:
    """The teacher's number for one seed of its student."""
    teacher = (frame["row"] == "wide-resnet-28-2") & (frame["column"] == "teacher")
    source, target = teacher & (frame["seed"] == 1), of_ban(frame, 1)
    frame.loc[target, ["value", "run"]] = frame.loc[source, ["value", "run"]].to_numpy()
    return frame


def swap_teachers(results: Path) -> None:
    other = results / "runs" / LABEL.replace("label.0", "label.1")
    for name in (MODEL, PREDICTIONS, HISTORY):
        shutil.copy(other / name, results / "runs" / LABEL / name)
    change_record(results / "runs" / LABEL, checksums=read_record(other)["checksums"])


Damage = Callable[[Path], object]
DAMAGE: dict[str, tuple[Damage, str]] = {
    "weights exchanged": (
        lambda r: (r / "runs" / BAN / MODEL).write_bytes(b"x"),
        "model.safetensors is not the file",
    ),
    "history edited": (
        lambda r: (r / "runs" / BAN / HISTORY).write_text("epoch\n"),
        "history.csv is not the file",
    ),
    "predictions missing": (
        lambda r: (r / "runs" / BAN / PREDICTIONS).unlink(),
        "predictions.safetensors: cannot be read",
    ),
    "record missing": (
        lambda r: (r / "runs" / BAN / RECORD).unlink(),
        "run.json: no such file",
    ),
    "record of another run": (
        lambda r: change_record(r / "runs" / BAN, run=LABEL),
        f"its run.json belongs to {LABEL}",
    ),
    "recipe edited": (
        lambda r: change_record(
            r / "runs" / BAN,
            recipe={**read_record(r / "runs" / BAN)["recipe"], "objective": "dkpp"},
        ),
        "the recipe in its run.json does not match recipe_hash",
    ),
    "another teacher": (swap_teachers, "it learned from a teacher other than the one"),
    "teacher missing": (
        lambda r: [p.unlink() for p in (r / "runs" / LABEL).iterdir() if p.is_file()],
        "its teacher is missing",
    ),
    "other data": (
        lambda r: change_record(
            r / "runs" / BAN,
            dataset={**read_record(r / "runs" / BAN)["dataset"], "sha256": "0"},
        ),
        "its data are not those of",
    ),
    "result improved": (
        lambda r: change_record(r / "runs" / BAN, result={"test error (%)": 1.0}),
        "its result is recorded as [1.0]",
    ),
    "predictions improved": (
        lambda r: change_predictions(r / "runs" / BAN),
        "cells.csv: table3, wide-resnet-28-2, ban, 0: value is",
    ),
    "logits of other weights": (
        lambda r: save_file(
            {"logits": torch.zeros(1)}, r / "runs" / LABEL / "teacher_logits.1-view.safetensors"
        ),
        "teacher_logits.1-view.safetensors belongs to other weights",
    ),
    "a number of cells.csv edited": (
        lambda r: change_csv(r / "cells.csv", "value", 3.25),
        "cells.csv: table3, wide-resnet-28-1, teacher, 0: value is 3.25, not",
    ),
    "a number of quality.csv.gz edited": (
        lambda r: change_csv(r / "quality.csv.gz", "value", 0.25),
        "quality.csv.gz: table3, wide-resnet-28-1, teacher, 0, nll: value is 0.25, not",
    ),
    "a line of quality.csv.gz left out": (
        lambda r: pd.read_csv(r / "quality.csv.gz")[1:].to_csv(r / "quality.csv.gz", index=False),
        "quality.csv.gz: table3, wide-resnet-28-1, teacher, 0, nll: has no line",
    ),
    "a reliability bin edited": (
        lambda r: change_csv(r / "reliability.csv.gz", "accuracy", 0.123),
        "accuracy is 0.123, not",
    ),
    "an interval of quality edited": (
        lambda r: change_csv(r / "tables/quality.csv", "ci_low", -1.0),
        "tables/quality.csv: table3, wide-resnet-28-1, teacher, nll: ci_low is -1.0, not",
    ),
    "quality shown otherwise": (
        lambda r: (r / "tables/quality.md").write_text("splendid"),
        "quality.md: does not show what follows from its csv files",
    ),
    "a run of cells.csv invented": (
        lambda r: change_csv(r / "cells.csv", "run", "two_digit_numbers/none.label.0"),
        "run is two_digit_numbers/none.label.0, not two_digit_numbers/",
    ),
    "a run of quality.csv.gz invented": (
        lambda r: change_csv(r / "quality.csv.gz", "run", "two_digit_numbers/none.label.0"),
        "runs.csv: no line for two_digit_numbers/none.label.0, which cells.csv or quality.csv.gz ",
    ),
    "a mean edited": (
        lambda r: change_csv(r / "tables/table3.csv", "mean", 1.5),
        "mean is 1.5, not",
    ),
    "a metric edited": (
        lambda r: change_csv(r / "tables/table6.csv", "metric", "luck perplexity", 1),
        "metric is luck perplexity, not validation perplexity",
    ),
    "a verdict edited": (
        lambda r: change_csv(r / "tables/table6.csv", "verdict", "splendid", 1),
        "verdict is splendid, not",
    ),
    "an interval edited": (
        lambda r: change_csv(r / "tables/table6.csv", "delta_ci_high", -1.0, 1),
        "delta_ci_high is -1.0",
    ),
    "a table cut": (
        lambda r: (r / "tables/table3.csv").write_text("table,row\n"),
        "table3.csv: wrong columns",
    ),
    "checksum of a file left out": (
        lambda r: change_record(
            r / "runs" / BAN,
            checksums={
                k: v for k, v in read_record(r / "runs" / BAN)["checksums"].items() if k != HISTORY
            },
        ),
        "its run.json has no checksum of history.csv",
    ),
    "a cell of two recipes": (
        lambda r: change_recipe(r / "runs" / BAN),
        "its recipe has cold for `decisions.kept`, but the scale has None",
    ),
    "a cell of two precisions": (
        lambda r: change_record(r / "runs" / BAN, precision="bfloat16"),
        "cells.csv: table3, wide-resnet-28-2, ban, 0: cannot average runs with different precision",
    ),
    "a seed left out": (
        lambda r: change_lines(r, lambda f: f[(f["seed"] == 0) | (f["column"] != "ban")]),
        "table3, wide-resnet-28-2, ban, 1: has no line, although its runs exist",
    ),
    "one run for two seeds": (
        lambda r: change_lines(r, twice_the_first_seed),
        "table3, wide-resnet-28-2, ban, 1: run is",
    ),
    "another treatment in one seed": (
        lambda r: change_lines(r, another_students_seed),
        "table3, wide-resnet-28-2, ban, 1: run is",
    ),
    "a part of cells.csv edited": (
        lambda r: change_csv(r / "cells/table3.csv", "value", 3.25),
        "cells/table3.csv: differs from the lines",
    ),
    "a line of a table left out": (
        lambda r: pd.read_csv(r / "tables/table3.csv")[1:].to_csv(
            r / "tables/table3.csv", index=False
        ),
        "table3.csv: table3, wide-resnet-28-1, teacher: has no line",
    ),
    "a number of a table as text": (
        lambda r: change_csv(r / "tables/table3.csv", "mean", "good"),
        "table3.csv: table3, wide-resnet-28-1, teacher: mean is good, not",
    ),
    "a metric that nothing was tested for": (
        lambda r: change_csv(r / "cells.csv", "metric", "luck perplexity"),
        "metric is luck perplexity, not test error (%)",
    ),
    "a failed run": (
        lambda r: [
            (r / "runs" / BAN / RECORD).unlink(),
            (r / "runs" / BAN / FAILURE).write_text('{"reason": "out of memory"}'),
        ],
        "the run has failed: out of memory",
    ),
}


def test_undamaged_results_have_no_problems(
    small_plan: Plan, capfd: pytest.CaptureFixture[str]
) -> None:
    findings = verify(small_plan.results)
    assert findings.problems == []
    assert not any("was checked" in remark for remark in findings.remarks)
    assert (findings.runs, findings.tables) == (len(small_plan.runs), len(small_plan.tables))
    assert findings.cells == len(pd.read_csv(small_plan.results / "cells.csv"))
    assert run_command(["verify", str(small_plan.results)]) == 0
    assert f"{len(small_plan.runs)} runs" in capfd.readouterr().out


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(small_plan: Plan, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    damage, message = DAMAGE[name]
    damage(small_plan.results)
    assert run_command(["verify", str(small_plan.results)]) == 1
    *problems, last = capfd.readouterr().err.splitlines()
    assert all(problem.startswith("wrong: ") for problem in problems), problems
    assert any(message in problem for problem in problems), problems
    number = counted(len(problems), "inconsistency", "inconsistencies")
    assert last == f"error: {small_plan.results}: {number}, listed above"


def flip(file: Path, fraction: float) -> None:
    content = bytearray(file.read_bytes())
    content[int(fraction * (len(content) - 1))] ^= 1
    file.write_bytes(content)


FILES_OF_RUNS = [
    *(f"runs/{BAN}/{name}" for name in (MODEL, HISTORY, CONFIG)),
    f"runs/{LABEL}/{PREDICTIONS}",
    f"runs/{LABEL}/teacher_logits.1-view.safetensors",
]
CSV_FILES = [
    *("cells.csv", "cells/table3.csv", "quality.csv.gz", "claims.csv", "claims_power.csv"),
    "tables/table6.csv",
]
FRACTIONS = pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])


@FRACTIONS
def test_a_flipped_bit_is_found_in_every_file_of_a_run(small_plan: Plan, fraction: float) -> None:
    for name in FILES_OF_RUNS:
        flip(small_plan.results / name, fraction)
    problems = verify(small_plan.results).problems
    for name in FILES_OF_RUNS:
        run, file = name.rsplit("/", 1)
        line = f"{small_plan.results / run}: {file}"
        assert any(problem.startswith(line) for problem in problems), (name, problems)


@FRACTIONS
@pytest.mark.parametrize("name", CSV_FILES)
def test_a_flipped_bit_is_found_in_every_csv_file(
    small_plan: Plan, name: str, fraction: float
) -> None:
    file = small_plan.results / name
    before = file.read_bytes()
    flip(file, fraction)
    try:
        problems = verify(small_plan.results).problems
    except InputError as problem:
        problems = [str(problem)]
    if problems or file.suffix != ".csv":
        assert any(file.stem in problem for problem in problems), problems
    else:
        # Only the last digits of a number, which depend on the version of SciPy.
        old, new = pd.read_csv(BytesIO(before)), pd.read_csv(file)
        pd.testing.assert_frame_equal(new, old, rtol=2e-9, atol=2e-9)


UNCHECKED = {"compile", "attempts", "earlier", "images_per_second", "peak_memory_mib"}
"""What follows from no other file: machine and time, as far as ``runs.csv`` does not have them."""


def other(value: Any) -> Any:
    """Another value of the same type, changed in each of its parts."""
    if isinstance(value, dict):
        return {key: other(part) for key, part in value.items()}
    if isinstance(value, list):
        return [*map(other, value[1:]), None]
    return value + 1 if isinstance(value, int | float) else f"{value}x"


def test_every_key_of_a_record_that_follows_from_other_files_is_checked(small_plan: Plan) -> None:
    """One key in each student of images at a time, until every key had its turn."""
    teachers = {run.teacher for run in small_plan.runs.values()}
    students = [
        small_plan.folder(run)
        for run in small_plan.runs.values()
        if run.teacher and run not in teachers and run.dataset.name == "two_digit_numbers"
    ]
    records = {folder: read_record(folder) for folder in students}
    keys = sorted(records[students[0]])
    unnoticed = set()
    for start in range(0, len(keys), len(students)):
        changed_keys = dict(zip(students, keys[start:], strict=False))
        for folder, record in records.items():
            key = changed_keys.get(folder)
            change_record(folder, **{**record, **({key: other(record[key])} if key else {})})
        problems = verify(small_plan.results).problems
        for folder, key in changed_keys.items():
            run = folder.relative_to(small_plan.results / "runs").as_posix()
            if not any(run in problem for problem in problems):
                unnoticed.add(key)
    assert unnoticed == UNCHECKED


def test_a_value_of_another_type_is_a_problem_of_its_line_alone(small_plan: Plan) -> None:
    change_csv(small_plan.results / "runs.csv", "dirty", "perhaps")
    problems = verify(small_plan.results).problems
    assert len([problem for problem in problems if ": dirty is " in problem]) == 1


def test_runs_of_different_precision_or_device_are_reported(small_plan: Plan) -> None:
    change_record(small_plan.results / "runs" / LABEL, precision="bfloat16", device="a GPU")
    remarks = verify(small_plan.results).remarks
    assert (
        f"runs differ in precision: {len(small_plan.runs) - 1} with float32, 1 with bfloat16"
        in remarks
    )
    assert any(remark.startswith("runs differ in device: ") for remark in remarks)


def test_results_without_some_runs_are_consistent(small_plan: Plan) -> None:
    shutil.rmtree(small_plan.results / "runs" / BAN)
    build_small_results(small_plan)
    findings = verify(small_plan.results)
    assert findings.problems == []
    assert (
        f"{small_plan.results}/tables/table3.csv: 1 empty cells, for the reasons below the table"
        in (findings.remarks)
    )


def test_results_can_be_checked_in_another_place(small_plan: Plan) -> None:
    shutil.move(small_plan.results, "copied")
    assert verify(Path("copied")).problems == []


def test_results_without_their_scale_need_one(small_plan: Plan) -> None:
    (small_plan.results / SCALE_FILE).unlink()
    with pytest.raises(InputError, match=r"scale.json: no such file; name the scale with --config"):
        verify(small_plan.results)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no results \(neither a folder runs nor runs\.csv\)"):
        verify(tmp_path)
