"""Whether scales are fair tests: every scale file's capacities, and what runs measure."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from support.plans import ROOT, tiny_plan
from support.stub_training import write_finished_runs

from replication.analysis.capacities import Capacities
from replication.analysis.criteria import measure_criteria
from replication.analysis.fair_test import FAIR_TEST, judge_error, judge_fit, judge_schedule
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.report.criteria_page import (
    criteria_in_markdown,
    criteria_table,
    render_criteria,
    write_criteria,
)
from replication.sweep.overview import WIDTH

LABEL = "two_digit_numbers/densenet_90_60.label"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def paper(exceptions: dict[str, str] | None = None, **width_ratios: str) -> Capacities:
    """The networks of Table 1 at full size, but for these widths."""
    keys: dict[str, Any] = {"tables": ["table1"], "networks": {"width_ratios": width_ratios}}
    keys["exceptions"] = exceptions or {}
    return Capacities(Plan.read([ROOT / "config/paper.yaml"], ROOT / "tables", keys=keys))


@pytest.mark.parametrize("file", sorted(ROOT.glob("config/*.yaml")), ids=lambda file: file.stem)
def test_a_scale_has_the_papers_capacities_or_says_why_not(file: Path) -> None:
    assert Capacities(Plan.read([file], ROOT / "tables")).problems() == []


def test_ratios_are_those_of_parameters_with_ten_classes() -> None:
    plan = Plan.read([ROOT / "config/paper.yaml"], ROOT / "tables")
    ratios = Capacities(plan).ratios
    assert (ratios["quotient"] == 1).all()
    assert ratios["ratio"]["wide_resnet_28_10"] == pytest.approx(36.479194 / 16.172840, rel=1e-3)
    # Table 4 prints 22.4 M for densenet_90_60, which would give 3.60.
    assert ratios["ratio"]["densenet_90_60_compression_150"] == pytest.approx(80.5 / 16.1, rel=0.07)


def test_a_ratio_of_more_than_twice_the_papers_is_a_problem_unless_the_scale_says_why() -> None:
    (problem,) = paper(wide_resnet_28_1="3/2").problems()
    ratio = 9 / 4 * 0.369 / 16.17
    assert problem.startswith(f"wide_resnet_28_1: {ratio:.2g} times the parameters of densenet_90")
    assert problem.endswith(", but 0.023 times in the paper")
    assert paper({"wide_resnet_28_1": "to learn"}, wide_resnet_28_1="3/2").problems() == []
    assert paper(wide_resnet_28_1="21/16").problems() == []


def test_an_exception_that_is_not_needed_is_a_problem() -> None:
    assert paper().problems() == []
    (problem,) = paper({"densenet_80_80": "none"}).problems()
    assert problem == "densenet_80_80: listed as an exception, but within the bounds"


def test_networks_of_clearly_different_size_keep_the_papers_order() -> None:
    # In the paper 90-60 has 16.2 M parameters and 80-80 22.4 M; with a growth of 64 it has 14.4 M.
    problems = paper(densenet_80_80="64/80").problems()
    assert problems == [
        "densenet_90_60: not smaller than densenet_80_80, unlike in the paper",
        "densenet_80_80: not larger than densenet_90_60, unlike in the paper",
    ]
    assert paper({"densenet_80_80": "a test"}, densenet_80_80="64/80").problems() == []


def change(plan: Plan, run: str, result: float, **columns: list[float]) -> None:
    """Give a finished run another test error and history."""
    folder = plan.folder(plan.run(run))
    record = json.loads((folder / "run.json").read_text())
    record["result"] = {"test error (%)": result}
    (folder / "run.json").write_text(json.dumps(record))
    pd.DataFrame(columns).to_csv(folder / "history.csv", index=False)


@pytest.fixture
def measured() -> tuple[Plan, pd.DataFrame]:
    """Table 2 with two seeds; only 90-60 has a history with errors and divergences."""
    plan = tiny_plan(tables=["table2"], seeds=[0, 1])
    write_finished_runs(plan, plan.results / "runs")
    for seed, (train, test, before, last) in enumerate(
        [(0.4, 20, 0.2, 0.19), (1.0, 30, 0.3, 0.29)]
    ):
        change(plan, f"{LABEL}.{seed}", test, train_error=[50.0, 9.0, train])
        # A tenth of 20 epochs are 2.
        curve = [5.0] * 16 + [before - 0.1, before + 0.1, last + 0.1, last - 0.1]
        ban = f"{LABEL}.{seed}/densenet_90_60.ban.{seed}"
        change(plan, ban, 0, train_error=[70.0] * 20, divergence=curve)
    return plan, measure_criteria(plan).set_index("network")


def test_the_criteria_are_means_over_seeds(measured: tuple[Plan, pd.DataFrame]) -> None:
    line = measured[1].loc["densenet_90_60"]
    assert line["seeds"] == 2
    assert line[["train_error", "test_error"]].tolist() == [0.7, 25]
    assert line["divergence"] == pytest.approx(0.24)
    assert line["divergence_change"] == pytest.approx(0.24 / 0.25 - 1)
    assert line[["fit", "error", "schedule"]].tolist() == ["met"] * 3
    assert (line["test_images"], line["parameters"]) == (100, 4)


def test_histories_without_a_column_leave_its_criterion_open(
    measured: tuple[Plan, pd.DataFrame],
) -> None:
    line = measured[1].loc["densenet_80_80"]
    assert line[["train_error", "divergence", "fit", "schedule"]].isna().all()
    assert line["test_error"] > 0


def test_the_bound_on_the_test_error_is_that_of_guessing_among_balanced_classes() -> None:
    # The error of guessing is 90 % with ten classes and 99 % with a hundred: 80 % of it are 72
    # and 79.2 %.
    assert [judge_error(72.0, 10), judge_error(72.1, 10)] == ["met", "not met"]
    assert [judge_error(79.2, 100), judge_error(79.3, 100)] == ["met", "not met"]
    assert [judge_error(8.0, 10), judge_error(7.9, 10)] == ["met", "not met"]
    assert judge_error(float("nan"), 10) is None


def test_every_threshold_stands_in_its_sentence_once_and_nowhere_else_in_the_docs() -> None:
    for criterion in FAIR_TEST:
        for place, threshold in enumerate(criterion.thresholds):
            other = [*criterion.thresholds]
            other[place] = 12345
            assert f"{threshold:g}" in criterion.sentence
            assert "12345" in criterion.template.format(*other)
    section = (ROOT / "docs/explanation/fair-test.md").read_text(encoding="utf-8")
    assert criteria_in_markdown() in section


def test_the_judges_use_the_thresholds() -> None:
    assert [judge_fit(0.99), judge_fit(1.0)] == ["met", "not met"]
    assert [judge_schedule(change) for change in (0.09, -0.09, 0.1, -0.1)] == [
        "met", "met", "not met", "not met",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("train", "test", "last", "judged"),
    [
        (0.9, 8.0, 0.2, ("met", "met", "met")),
        (1.0, 72.0, 0.181, ("not met", "met", "met")),
        (0.0, 7.9, 0.179, ("met", "not met", "not met")),
        (0.0, 72.1, 0.221, ("met", "not met", "not met")),
    ],
)
def test_the_bounds_of_the_criteria(
    train: float, test: float, last: float, judged: tuple[str, ...]
) -> None:
    plan = tiny_plan(tables=["table1"])
    write_finished_runs(plan, plan.results / "runs")
    run = "digits/wide_resnet_28_1.label.0"
    change(plan, run, test, train_error=[train])
    change(plan, f"{run}/wide_resnet_28_1.ban.0", 0, divergence=[0.2, 0.2, last, last])
    line = measure_criteria(plan).set_index("network").loc["wide_resnet_28_1"]
    assert tuple(line[["fit", "error", "schedule"]]) == judged


def test_a_truncated_history_is_named() -> None:
    plan = tiny_plan(tables=["table1"])
    write_finished_runs(plan, plan.results / "runs")
    file = plan.results / "runs/digits/densenet_80_80.label.0/history.csv"
    file.write_text("epoch,train_er")
    with pytest.raises(InputError, match=f"{file}: damaged .*truncated.*; delete it and "):
        measure_criteria(plan)


def test_without_runs_sizes_are_counted_and_the_rest_is_open() -> None:
    frame = measure_criteria(tiny_plan(tables=["table1", "table6"]))
    assert len(frame) == 8  # language models have no criteria
    assert (frame["parameters"] > 0).all()
    assert frame[["train_error", "test_error", "divergence", "fit", "error"]].isna().all(axis=None)


def test_a_scale_without_image_networks_has_no_criteria() -> None:
    plan = tiny_plan(tables=["table6"])
    frame = measure_criteria(plan)
    write_criteria(plan, frame)
    assert pd.read_csv(plan.results / "criteria.csv").empty
    assert "not measured yet" in shown(frame)


def shown(frame: pd.DataFrame) -> str:
    console = Console(width=WIDTH, no_color=True)
    with console.capture() as capture:
        console.print(render_criteria(frame))
    return " ".join(capture.get().split())


def test_the_criteria_are_printed_and_written(measured: tuple[Plan, pd.DataFrame]) -> None:
    plan, frame = measured[0], measured[1].reset_index()
    text = shown(frame)
    assert "two_digit_numbers: 100 test images" in text
    assert "0.7 ✓ 25.0 ✓ 0.240 -4.0% ✓" in text
    assert "a test error of at least 8 %" in text
    assert "not met: densenet_112_33: " in text
    write_criteria(plan, frame)
    again = pd.read_csv(plan.results / "criteria.csv")
    pd.testing.assert_frame_equal(again, frame, check_dtype=False, check_like=True)
    page = (plan.results / "criteria.html").read_text()
    assert "25.0 ✓" in page
    assert criteria_table(again).as_raw_html().count("<tr") == page.count("<tr")
