"""A run that was trained on other data than are prepared now is stale, and one line says so."""

import json
from pathlib import Path

import pytest
from support.checks import check_line, refused
from support.plans import tiny_plan
from support.run_folders import finish

from replication.analysis.measure import Measurements
from replication.files import write_text
from replication.plan.plan import Plan
from replication.results.run_status import state_of

LABEL = "two_digit_numbers/densenet_90_60.label.0"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan with one finished run, on data with the fingerprint `old`."""
    monkeypatch.chdir(tmp_path)
    plan = tiny_plan()
    finish(plan, plan.run(LABEL), dataset={"sha256": "old"}, seconds=2.0)
    return plan


def prepare(plan: Plan, content: str) -> None:
    write_text(plan.prepared_data_file("two_digit_numbers"), content)


def test_a_run_on_the_prepared_data_is_done(plan: Plan) -> None:
    prepare(plan, json.dumps({"sha256": "old"}))
    assert state_of(plan, plan.run(LABEL)).name == "done"


def test_a_run_on_other_data_is_missing_and_says_why(plan: Plan) -> None:
    prepare(plan, json.dumps({"sha256": "new"}))
    state = state_of(plan, plan.run(LABEL))
    assert (state.name, state.measured) == ("missing", None)
    check_line(
        state.reason,
        f"{plan.folder(plan.run(LABEL))}: trained on data other than those that",
        "results/tiny/data/two_digit_numbers.json describes; restore the data, or delete its",
    )


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"name": "digits"}', "[" * 100_000])
def test_results_without_a_description_of_their_data_are_taken_as_they_are(
    plan: Plan, content: str | None
) -> None:
    if content is not None:
        prepare(plan, content)
    assert state_of(plan, plan.run(LABEL)).name == "done"


def test_a_run_on_other_data_is_not_measured(plan: Plan) -> None:
    prepare(plan, json.dumps({"sha256": "new"}))
    run = plan.run(LABEL)
    sums = {"model.safetensors": "1", "predictions.safetensors": "2"}
    finish(
        plan,
        run,
        recipe=plan.recipe(run),
        teacher=None,
        dataset={"sha256": "old"},
        precision="float32",
        parameters=1,
        result={"test error (%)": 1.0},
        checksums=sums,
    )
    with refused(str(plan.folder(run)), "trained on data other than"):
        Measurements(plan).record(run)
    prepare(plan, json.dumps({"sha256": "old"}))
    assert Measurements(plan).record(run)["run"] == LABEL
