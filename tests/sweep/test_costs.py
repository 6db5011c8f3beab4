"""Costs of runs and tables: measured, scaled from measurements, or FLOPs."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.plans import tiny_plan
from support.run_folders import finish

from replication.errors import InputError
from replication.plan.run import Run
from replication.sweep.costs import (
    Costs,
    _treatment,
    least_seconds,
    longest_chain,
    summarise_costs,
)
from replication.sweep.flops import training_flops

LABEL = "two_digit_numbers/densenet_90_60.label.0"
BAN = f"{LABEL}/densenet_90_60.ban.0"
OTHER_SEED = "two_digit_numbers/densenet_90_60.label.1"
SAME_FAMILY = "two_digit_numbers/densenet_80_80.label.0"
WIDE = "digits/wide_resnet_28_2.label.0"
LSTM = "python_reference/lstm.label.0"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_finished_runs_hours_are_flops_at_the_speed_that_the_user_names() -> None:
    plan = tiny_plan(tables=["table2"])
    run = plan.run(LABEL)
    assert Costs(plan).of(run) == (None, "flops")
    flops = Costs(plan).flops(run)
    assert Costs(plan, tflops=2.0).of(run) == (flops / 2e12, "flops")
    unknown, known = summarise_costs(plan), summarise_costs(plan, tflops=2.0)
    assert unknown.total.flops_left == known.total.flops_left > flops
    assert (unknown.total.hours_left, unknown.chain_hours) == (None, None)
    assert unknown.chain == known.chain
    assert known.total.hours_left == pytest.approx(known.total.flops_left / 2e12 / 3600)


def test_a_finished_run_tells_the_time_of_its_network_and_scales_to_others() -> None:
    plan = tiny_plan(seeds=[0, 1, 2])
    for run, seconds in ((LABEL, 10.0), (OTHER_SEED, 20.0), (WIDE, 3.0)):
        finish(plan, plan.run(run), seconds=seconds)
    costs = Costs(plan, tflops=1.0)

    def ratio(run: str, other: str) -> float:
        return costs.flops(plan.run(run)) / costs.flops(plan.run(other))

    assert costs.of(plan.run(LABEL.replace("label.0", "label.2"))) == (15.0, "measured")
    for run in (BAN, SAME_FAMILY):
        assert costs.of(plan.run(run)) == (pytest.approx(15.0 * ratio(run, LABEL)), "scaled")
    narrow = "digits/wide_resnet_28_1.label.0"
    assert costs.of(plan.run(narrow)) == (pytest.approx(3.0 * ratio(narrow, WIDE)), "scaled")
    # No run of its family is finished: the median speed of all.
    speeds = sorted([10 / ratio(LABEL, LSTM), 20 / ratio(LABEL, LSTM), 3 / ratio(WIDE, LSTM)])
    assert costs.of(plan.run(LSTM)) == (pytest.approx(speeds[1]), "scaled")


def test_a_table_costs_what_the_tables_before_it_do_not_have() -> None:
    plan = tiny_plan(tables=["table2", "table4", "table5"])
    costs = summarise_costs(plan)
    assert [(line.table, line.runs, line.new) for line in costs.tables] == [
        ("table2", 31, 31), ("table4", 8, 7), ("table5", 16, 14),
    ]  # fmt: skip
    flops = sum(line.flops_left for line in costs.tables)
    assert flops == pytest.approx(costs.total.flops_left)


def test_what_is_done_is_spent_and_no_longer_to_do() -> None:
    plan = tiny_plan(tables=["table1"])
    teacher = "digits/wide_resnet_28_1.label.0"
    finish(plan, plan.run(teacher), seconds=7200.0)
    costs = summarise_costs(plan)
    assert costs.states == {"done": 1, "missing": len(plan.runs) - 1}
    assert (costs.total.hours_spent, costs.tables[0].done) == (2.0, 1)
    assert teacher not in costs.chain
    assert costs.total.flops_left == 0
    assert costs.total.basis == ("scaled",)


@pytest.fixture
def seconds() -> dict[Run, float]:
    """Seconds of three generations, and of a run with no other above or below."""
    plan = tiny_plan(tables=["table2"])
    last = next(run for run in plan.runs.values() if run.generation == 2)
    return dict(zip((*last.with_lineage, plan.run(SAME_FAMILY)), (2.0, 3.0, 4.0, 5.0), strict=True))


def test_the_longest_chain_has_the_largest_sum_without_what_is_done(
    seconds: dict[Run, float],
) -> None:
    teacher, student, last, alone = seconds
    assert longest_chain(seconds) == (teacher, student, last)
    assert longest_chain({**seconds, alone: 10.0}) == (alone,)
    assert longest_chain({student: 3.0, last: 4.0, alone: 5.0}) == (student, last)
    assert longest_chain({}) == ()


def test_no_schedule_is_shorter_than_the_chain_or_the_work(seconds: dict[Run, float]) -> None:
    assert [least_seconds(seconds, n) for n in (1, 2, 64)] == [14, 9, 9]
    assert least_seconds({}, 3) == 0
    with pytest.raises(InputError, match="at least 1"):
        summarise_costs(tiny_plan(tables=["table1"]), [1, 0])


def test_weights_from_elsewhere_are_evaluated_and_tell_nothing_of_trainings() -> None:
    plan = tiny_plan(seeds=[0, 1])
    given = replace(plan.run(WIDE), weights="weights.safetensors")
    assert 0 < training_flops(plan, given) < training_flops(plan, plan.run(WIDE)) / 3
    assert _treatment(given) != _treatment(plan.run(WIDE))


def test_networks_with_other_arguments_take_another_time() -> None:
    run = tiny_plan().run(WIDE)
    assert _treatment(replace(run, arguments='{"channels": [16, 32]}')) != _treatment(run)
