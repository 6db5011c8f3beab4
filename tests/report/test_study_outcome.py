"""A study ends with its tables, the evidence on each claim, and what would decide the others."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.plans import tiny_plan
from support.stub_training import write_finished_runs

from replication.config.new_study import create_study
from replication.plan.plan import Plan
from replication.report.study_outcome import describe_study, is_study

TABLE = """row,column,metric,mean,ci_low,ci_high,n
densenet,teacher,test error (%),8.589,7.222,9.958,3
densenet,ban,test error (%),,,,0
densenet,BAN − teacher,difference of test error (%),-0.429,-1.596,0.737,3
"""
CLAIMS = """claim,family,statement,verdict,reason,seeds_to_decide,evidence
a,a,A student has a lower error.,undecided,too few seeds,41.6,The difference is −1.05 points.
b,b,An ensemble has a lower error.,holds,,,The difference is −2.00 points.
c,c,Depth helps.,undecided,too few seeds,inf,The difference is 0.00 points.
"""
POWER = """claim,difference,paired_difference
a,-1.05,-0.43
b,-2.0,-2.0
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    create_study(Path("mine"))
    plan = Plan.read([Path("mine/study.yaml")])
    (plan.results / "tables").mkdir(parents=True)
    (plan.results / "tables/study.csv").write_text(TABLE)
    (plan.results / "claims.csv").write_text(CLAIMS)
    (plan.results / "claims_power.csv").write_text(POWER)
    return plan


def test_it_shows_the_table_and_what_became_of_each_claim(study: Plan) -> None:
    text = " ".join(describe_study(study).split())
    for words in (
        "densenet, test error (%) teacher 8.59 [7.22, 9.96], n = 3 ban not measured",
        "BAN − teacher −0.43 [−1.60, +0.74], n = 3",
        "Claims: 2 undecided, 1 holds",
        "UNDECIDED: A student has a lower error. The difference is −1.05 points.",
        "HOLDS: An ensemble has a lower error. The difference is −2.00 points.",
        "results/mine/claims.csv",
        "snakemake --configfile mine/study.yaml --report results/mine/report.html",
    ):
        assert words in text
    assert max(map(len, describe_study(study).splitlines())) <= 100


def test_it_tells_the_difference_to_the_own_teacher_from_that_of_the_claim(study: Plan) -> None:
    text = " ".join(describe_study(study).split())
    assert text.count("from each student's own teacher alone, it is −0.43.") == 1
    assert text.count("own teacher alone") == 1


def test_it_repeats_the_warnings_about_weights_from_elsewhere(study: Plan) -> None:
    table = Path("mine/tables/study.yaml")
    given = "teacher: {weights: mine/w.safetensors, network: 'timm:test_resnet'}"
    table.write_text(table.read_text().replace("teacher: {objective: label}", given))
    save_file({"weight": np.zeros(1, np.float32)}, "mine/w.safetensors")
    plan = Plan.read([Path("mine/study.yaml")])
    (run,) = (run for run in plan.runs.values() if run.weights)
    assert "WARNING" not in describe_study(plan)
    write_finished_runs(plan, plan.results / "runs")
    file = plan.folder(run) / "run.json"
    warnings = ["its error is 51 % on the training images"]
    file.write_text(json.dumps({**json.loads(file.read_text()), "warnings": warnings}))
    assert "WARNING: its error is 51 % on the training images" in describe_study(plan)


def test_it_says_how_many_seeds_would_decide_what_is_open(study: Plan) -> None:
    text = " ".join(describe_study(study).split())
    assert "decide what is open: a about 42, c more than 10,000." in text
    assert "`seeds` in mine/study.yaml" in text


def test_without_results_it_says_that_nothing_is_measured(study: Plan) -> None:
    for file in study.results.rglob("*.csv"):
        file.unlink()
    assert "Claims: not tested" in describe_study(study)


def test_a_scale_of_the_suite_is_no_study(study: Plan) -> None:
    assert is_study(study)
    assert not is_study(tiny_plan())
