"""What runs are said to cost, and how what was measured changes it."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.plans import ROOT, tiny_plan
from support.run_folders import fail, finish, hold

from replication.architectures import layers as architecture
from replication.config.scale import ImageRecipe, Resources
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.runs.status import state_of
from replication.sweep.costs import CORE, START, Costs
from replication.sweep.footprint import of_images
from replication.training.run import train
from replication.workflow.rules import LEAST_MB, LEAST_MINUTES, Jobs

LABEL = "two_digit_numbers/densenet_90_60.label.0"
BAN = f"{LABEL}/densenet_90_60.ban.0"
OTHER_SEED = "two_digit_numbers/densenet_90_60.label.1"
SIBLING = "two_digit_numbers/densenet_80_80.label.0"
WIDE = "digits/wide_resnet_28_2.label.0"
WIDER = "digits/wide_resnet_28_10.label.0"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def paper(**keys: Any) -> Plan:
    plan = Plan.read([ROOT / "config/paper.yaml"], ROOT / "tables")
    return replace(plan, scale=plan.scale.model_copy(update=keys))


def seconds(plan: Plan, run: str = LABEL) -> float:
    """Seconds beside what every run takes to start."""
    return Costs(plan).of(plan.run(run)).seconds - START


def test_more_epochs_images_or_width_cost_more() -> None:
    plain = tiny_plan()
    assert seconds(tiny_plan(images={"epochs": 4})) > 1.5 * seconds(plain)
    more = {"cifar100": {"name": "two_digit_numbers", "train": 800, "test": 100}}
    assert seconds(tiny_plan(datasets=more)) > 3 * seconds(plain)
    assert seconds(plain, WIDER) > seconds(plain, WIDE)
    wider, narrow = (Costs(plan).of(plan.run(WIDE)) for plan in (
        tiny_plan(networks={"width_ratios": {"wide_resnet_28_2": 2}}), plain))  # fmt: skip
    assert wider.host_mib > narrow.host_mib
    assert wider.disk > narrow.disk


def test_more_threads_shorten_the_arithmetic_and_not_the_calls() -> None:
    one, four = (Costs(tiny_plan(training_resources={"threads": n})) for n in (1, 4))
    before, after = (costs.of(costs.plan.run(LABEL)) for costs in (one, four))
    assert before.seconds / 4 < after.seconds < before.seconds
    assert after.hours > before.hours


def test_a_student_of_a_live_teacher_costs_its_teachers_forward_pass_more() -> None:
    cached, live = tiny_plan(), tiny_plan(logit_cache_limit_gib=0)
    assert seconds(live, BAN) > 1.2 * seconds(cached, BAN)
    # And the teacher then answers nothing.
    assert seconds(live, LABEL) < seconds(cached, LABEL)
    assert Costs(live).of(live.run(LABEL)).disk < Costs(cached).of(cached.run(LABEL)).disk


def test_answers_are_paid_for_once_however_many_students_there_are() -> None:
    one = Costs(tiny_plan(tables=["table1"]))
    run = next(run for run in one.plan.runs.values() if run.network == "densenet_90_60")
    work = one.workload(run)
    assert work.answered == 200
    assert work.answers == 200 * 10 * 2
    many = Costs(tiny_plan(tables=["table2"]))
    assert many.workload(many.plan.run(LABEL)).answered == 200


def test_penn_treebank_is_taught_live_and_cifar_by_answers() -> None:
    costs = Costs(paper())
    kinds = {
        (run.dataset.name, costs.workload(run).kind)
        for run in costs.plan.runs.values()
        if run.teacher
    }
    assert kinds == {("cifar10", "answers"), ("cifar100", "answers"), ("penn_treebank", "live")}


def test_evaluations_are_counted_as_the_recipe_has_them() -> None:
    every, last = (tiny_plan(images={"epochs": 6, "evaluate_every": n}) for n in (4, 6))
    assert isinstance(every.training(every.run(LABEL)), ImageRecipe)
    # After epochs 4 and 6, and the predictions.
    assert Costs(every).workload(every.run(LABEL)).evaluated == 3 * 100
    assert Costs(last).workload(last.run(LABEL)).evaluated == 2 * 100


def test_a_gpu_is_assumed_where_none_was_measured_and_shared_by_slots() -> None:
    costs = Costs(paper())
    assert costs.unit == "GPU"
    whole = costs.of(costs.plan.run("cifar10/wide_resnet_28_10.label.0"))
    shared = costs.of(costs.plan.run("cifar10/wide_resnet_28_1.label.0"))
    assert (whole.devices, shared.devices) == (1, 2 / 8)
    assert whole.basis == "assumed"
    assert whole.gpu_mib > 1000
    on_cpu = Costs(paper(device="cpu"))
    assert on_cpu.unit == "core"
    assert on_cpu.of(on_cpu.plan.run("cifar10/wide_resnet_28_10.label.0")).gpu_mib == 0


def test_several_processes_take_a_gpu_and_the_data_each() -> None:
    one, two = paper(), paper(training_resources=Resources(processes=2), network_resources={})
    run = "cifar100/densenet_80_120.label.0"
    alone, shared = (Costs(plan).of(plan.run(run)) for plan in (one, two))
    assert (alone.devices, shared.devices) == (1, 2)
    assert alone.seconds / 2 < shared.seconds < alone.seconds
    # Each has half of a batch.
    assert alone.gpu_mib / 2 < shared.gpu_mib < alone.gpu_mib
    assert Jobs(two).mem_mb(job(run), 1) == pytest.approx(2 * Jobs(one).mem_mb(job(run), 1), abs=1)
    cores = paper(device="cpu", training_resources=Resources(processes=2), network_resources={})
    assert Costs(cores).of(cores.run(run)).devices == 2


def test_auto_is_what_the_finished_runs_had() -> None:
    plan = paper()
    finish(plan, plan.run("cifar10/wide_resnet_28_1.label.0"), seconds=1e5, peak_memory_mib=3000)
    assert Costs(plan).unit == "core"
    finish(plan, plan.run("cifar10/wide_resnet_28_1.label.0"), seconds=1e3, peak_memory_mib=3000,
           peak_gpu_memory_mib=2000)  # fmt: skip
    assert Costs(plan).unit == "GPU"


def test_a_finished_run_corrects_its_own_network_first() -> None:
    plan = tiny_plan(seeds=[0, 1])
    before = Costs(plan)
    for factor, run in ((3.0, LABEL), (5.0, WIDE)):
        estimate = before.of(plan.run(run))
        finish(plan, plan.run(run), seconds=factor * estimate.seconds,
               peak_memory_mib=2 * estimate.host_mib)  # fmt: skip
    after = Costs(plan)

    def change(run: str) -> tuple[float, str]:
        corrected, estimate = after.of(plan.run(run)), before.of(plan.run(run))
        return pytest.approx(corrected.seconds / estimate.seconds), corrected.basis

    assert change(LABEL) == (3.0, "measured")
    assert change(OTHER_SEED) == (3.0, "measured")
    # Its student learns from something else, its sibling is of its family, the LSTM of neither.
    assert change(BAN) == (3.0, "scaled")
    assert change(SIBLING) == (3.0, "scaled")
    assert change(WIDER) == (5.0, "scaled")
    assert change("python_reference/lstm.label.0") == (4.0, "scaled")
    assert after.of(plan.run(SIBLING)).host_mib == pytest.approx(
        2 * before.of(plan.run(SIBLING)).host_mib
    )


def test_a_run_on_other_threads_corrects_as_a_run_on_those() -> None:
    plan = tiny_plan()
    estimate = Costs(tiny_plan(training_resources={"threads": 4})).estimate(plan.run(LABEL))
    finish(plan, plan.run(LABEL), threads=4, seconds=2 * estimate.seconds)
    corrected = Costs(plan).of(plan.run(LABEL)).seconds
    assert corrected == pytest.approx(2 * Costs(plan).estimate(plan.run(LABEL)).seconds)
    assert Costs(plan).hours_spent(plan.run(LABEL)) == pytest.approx(
        2 * estimate.seconds * 4 / 3600
    )


def test_a_family_that_is_not_described_costs_as_much_as_a_large_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(architecture.FAMILIES, "pre_resnet")
    of_images.cache_clear()
    plan = tiny_plan()
    run = next(run for run in plan.runs.values() if run.network == "pre_resnet_1001")
    stand_in = plan.run("two_digit_numbers/wide_resnet_28_10.label.0")
    costs = Costs(plan)
    assert costs.workload(run).own == costs.workload(stand_in).own
    monkeypatch.undo()
    of_images.cache_clear()


DAMAGE = {
    "half of it": b'{"recipe_hash": "',
    "no object": b"[1, 2]",
    "no text": b"\xff\xfe\x00",
    "nothing": b"",
    "nested": b"[" * 100_000,
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_record_stops_nothing_and_is_a_failure(content: bytes) -> None:
    plan = tiny_plan()
    run = plan.run(LABEL)
    plan.folder(run).mkdir(parents=True)
    (plan.folder(run) / "run.json").write_bytes(content)
    state = state_of(plan, run)
    assert (state.name, state.measured) == ("failed", None)
    assert "run.json: damaged; delete it" in state.reason
    assert Costs(plan).of(run).basis == "assumed"


@pytest.mark.parametrize("value", [None, "fast", -1, 0, True, [1], {}, float("nan"), float("inf")])
def test_a_number_that_is_none_is_not_reckoned_with(value: object) -> None:
    plan = tiny_plan()
    finish(plan, plan.run(LABEL), seconds=value, threads=value, peak_memory_mib=value)
    assert state_of(plan, plan.run(LABEL)).name == "done"
    assert Costs(plan).of(plan.run(LABEL)) == Costs(plan, {}).of(plan.run(LABEL))


def test_a_run_is_done_running_failed_or_missing() -> None:
    plan = tiny_plan()
    run = plan.run(LABEL)
    assert state_of(plan, run).name == "missing"
    fail(plan, run, "the loss is not finite")
    assert (state_of(plan, run).name, state_of(plan, run).reason) == (
        "failed", "the loss is not finite")  # fmt: skip
    hold(plan, run)
    assert state_of(plan, run).name == "running"
    hold(plan, run, seconds_ago=60)
    assert state_of(plan, run).name == "failed"
    finish(plan, run, seconds=2.0)
    assert state_of(plan, run).name == "done"


def test_a_run_of_another_recipe_is_missing() -> None:
    plan, changed = tiny_plan(), tiny_plan(images={"epochs": 3})
    finish(plan, plan.run(LABEL), seconds=2.0)
    assert state_of(plan, plan.run(LABEL)).name == "done"
    assert state_of(changed, changed.run(LABEL)).name == "missing"


def job(run: str) -> Any:
    return SimpleNamespace(run=run)


def test_a_job_is_given_more_than_its_estimate_and_twice_as_much_at_each_attempt() -> None:
    jobs = Jobs(paper())
    largest = job("cifar100/densenet_80_120.label.0")
    cost = jobs.costs.of(jobs.run(largest))
    assert jobs.runtime(largest, 1) > cost.seconds / 60
    assert jobs.mem_mb(largest, 1) > cost.host_mib
    for ask in (jobs.runtime, jobs.mem_mb):
        assert [ask(largest, attempt) for attempt in (1, 2, 3)] == [
            factor * ask(largest, 1) for factor in (1, 2, 4)
        ]


def test_a_small_job_is_given_the_least() -> None:
    jobs = Jobs(tiny_plan())
    assert jobs.runtime(job(LABEL), 1) == LEAST_MINUTES
    assert LEAST_MB <= jobs.mem_mb(job(LABEL), 1) < 2 * LEAST_MB


def test_what_was_measured_changes_what_a_job_is_given() -> None:
    plan = tiny_plan()
    finish(plan, plan.run(LABEL), seconds=36_000, peak_memory_mib=20_000)
    jobs = Jobs(plan)
    assert jobs.runtime(job(LABEL), 1) > 600
    assert jobs.mem_mb(job(LABEL), 1) > 20_000


def test_a_real_run_is_near_its_estimate_of_memory_and_disk() -> None:
    plan = tiny_plan()
    run = plan.run(LABEL)
    record = train(plan, run)
    cost = Costs(plan, {}).of(run)
    # Of this process, which has other things in its memory too.
    assert record["peak_memory_mib"] > CORE.host / 2
    assert "peak_gpu_memory_mib" not in record
    folder = plan.folder(run)
    large = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    assert cost.disk == pytest.approx(large, rel=0.15)
    # What it records is what the next estimate is corrected by.
    assert json.loads((folder / "run.json").read_text())["recipe_hash"] == plan.recipe_hash(run)
    assert Costs(plan).of(run).seconds == pytest.approx(record["seconds"])
    assert Costs(plan).of(run).basis == "measured"


def test_every_run_of_every_scale_has_a_cost() -> None:
    for scale in ("digits", "fashion", "paper"):
        plan = Plan.read([ROOT / f"config/{scale}.yaml"], ROOT / "tables")
        costs = Costs(plan)
        for run in plan.runs.values():
            assert isinstance(run, Run)
            cost = costs.of(run)
            assert min(cost.seconds, cost.devices, cost.host_mib, cost.disk) > 0
