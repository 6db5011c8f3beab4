"""The lines that end `make tables`."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.plans import tiny_plan

from replication.config.new_study import create_study
from replication.config.paper_names import table_name
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.report.first_pages import describe_in_markdown, describe_in_rst
from replication.report.outcome import describe_outcome

CRITERIA = """network,capacity,fit,error,schedule
one,met,met,met,
two,exception,not met,met,met
three,met,,,met
"""
VERDICTS = ["replicated", "contradicted"] + ["undecided"] * 27 + ["network excepted"]
"""Of claims; a network that is excepted is the reason of an undecided one."""
POWER = ["c0,0.5,4", "c1,0.25,9", "c2,0.9,", "c3,,7"]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    plan = tiny_plan(seeds=[0, 1])
    plan.results.mkdir(parents=True)
    return plan


def write(plan: Plan, verdicts: list[str]) -> None:
    power = ["claim,power_corrected,seeds_needed_corrected", *POWER]
    claims = ["claim,verdict,reason"]
    for number, verdict in enumerate(verdicts):
        excepted = verdict == "network excepted"
        claims.append(f"c{number},{'undecided,' + verdict if excepted else verdict + ','}")
    for name, lines in {"claims": claims, "claims_power": power}.items():
        (plan.results / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (plan.results / "criteria.csv").write_text(CRITERIA)


def test_it_says_what_is_met_decided_and_expected_and_where_everything_is(plan: Plan) -> None:
    write(plan, VERDICTS)
    text = describe_outcome(plan)
    assert len(text.splitlines()) <= 15
    assert max(map(len, text.splitlines())) <= 100
    for line in (
        "2 of 3: sizes of networks in the paper's proportions, 1 stated exception",
        "1 of 2: training error below 1 %",
        "2 of 2: test error of at least 8 %, and at most 80 % of that of guessing",
        "2 of 2: students that change by less than 10 % at the end of their training",
        "27 undecided, 1 replicated, 1 contradicted, 1 network excepted",
        "2 seeds decide almost nothing",
        "these would decide 1.6\n  claims on average; half of the claims need 7 seeds or more",
        "results/tiny/tables/*.html",
        "docs/results.md",
    ):
        assert line in text


def test_the_report_opens_with_criteria_and_the_primary_claims_alone(plan: Plan) -> None:
    write(plan, [])
    claims = [
        "claim,family,statement,tested_on,verdict,reason,seeds_to_decide",
        "a,a,BAN helps.,pairs of digits,replicated,,",
        "b,a,No.,pairs of digits,contradicted,,",
        "c,c,Depth.,pairs of digits,undecided,too few seeds,23.6",
        "d,d,Width.,pairs of digits,undecided,too few seeds,inf",
    ]
    power = ["claim,difference,ci_low,ci_high,reported_difference", "a,-1.25,-2,-0.5,-1"]
    for name, lines in {"claims": claims, "claims_power": power}.items():
        (plan.results / f"{name}.csv").write_text("\n".join(lines) + "\n")
    text = describe_in_rst(plan)
    assert text.startswith("Born-Again Neural Networks at scale tiny\n====")
    assert "* 1 of 2: training error below 1 %\n" in text
    row = ["BAN helps.", "pairs of digits", "replicated", "−1.25 [−2.00, −0.50]", "−1.00"]
    assert "   * - " + "\n     - ".join(row) in text
    assert "No." not in text
    assert "     - undecided: too few seeds (about 24 needed)\n" in text
    assert "     - undecided: too few seeds (more than 10,000 needed)\n" in text


def test_the_page_of_a_publication_has_every_measured_claim_in_its_family(plan: Plan) -> None:
    write(plan, [])
    claims = [
        "claim,family,statement,tested_on,verdict,size,reason,source",
        "b,a,Ens*2 helps.,digits,undecided,no printed effect,ties,ours",
        "a,a,BAN helps.,digits,replicated,at least half,,paper",
        "c,c,Depth is harmless.,digits,undecided,open,not measured,paper",
        "d,a,A small one gains.,digits,undecided,open,not measured,paper",
    ]
    power = [
        "claim,metric,n,difference,ci_low,ci_high,reported_difference,p_direction_corrected,"
        "fraction,fraction_low,fraction_high",
        "a,,10,-1.25,-2,-0.5,-1,0.00123,1.25,0.5,2",
        "b,nll,10,0.5,,,,,,,",
        "c,,0,,,,-1,,,,",
        "d,,0,,,,-2,,,,",
    ]
    for name, lines in {"claims": claims, "claims_power": power}.items():
        (plan.results / f"{name}.csv").write_text("\n".join(lines) + "\n")
    text = describe_in_markdown(plan)
    assert text.startswith("# Born-Again Neural Networks at scale tiny\n")
    assert " networks were trained with 2 seeds, on scikit-learn’s digits, " in text
    assert "- 1 of 2: training error below 1 %\n" in text
    assert "2 not measured, 1 undecided, 1 replicated." in text
    assert "1 of 2 are measured." in text
    assert "Depth is harmless." not in text
    assert "A small one gains." not in text
    outcome = describe_outcome(plan)
    assert "Claims: 2 not measured, 1 undecided, 1 replicated" in outcome
    assert "2 seeds decide 1 of 2 claims. " in outcome
    row = (
        "| BAN helps. | digits | paper | −1.00 | −1.25 [−2.00, −0.50] | 0.0012 | 10 | replicated"
        " | 1.25 [0.50, 2.00]: at least half |"
    )
    assert text.count(row) == 2
    other = (
        r"| Ens\*2 helps. | digits | ours | – | +0.50 (NLL, no interval) | – | 10"
        " | undecided: ties | – |"
    )
    assert text.endswith(
        f"### Family: BAN helps.\n\n{text[text.index('| claim') :].splitlines()[0]}\n"
        f"| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n{row}\n{other}\n"
    )


def test_the_page_of_a_study_shows_its_claims_once_and_nothing_of_the_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    create_study(Path("mine"))
    study = Plan.read([Path("mine/study.yaml")])
    study.results.mkdir(parents=True)
    write(study, [])
    lines = {
        "claims": "claim,family,statement,tested_on,verdict,size,reason,source\n"
        "a,a,BAN helps.,photographs,holds,,,ours\n",
        "claims_power": "claim,metric,n,difference,ci_low,ci_high,p_direction_corrected\n"
        "a,,10,-1.25,-2,-0.5,0.00123\n",
    }
    for name, text in lines.items():
        (study.results / f"{name}.csv").write_text(text)
    page = describe_in_markdown(study)
    assert page.startswith("# The study mine\n")
    assert page.count("BAN helps.") == 1
    assert "| claim | tested on | source | here, 95 % interval | p | seeds | verdict |" in page
    assert "of the paper's" not in page.lower()


def test_the_page_says_which_tables_have_fewer_seeds(plan: Plan) -> None:
    write(plan, VERDICTS)
    keys = {"seeds": [0, 1, 2], "table_seeds": {plan.scale.tables[0]: [0, 1]}}
    fewer = tiny_plan(**keys)
    write(fewer, VERDICTS)
    name = table_name(plan.scale.tables[0])
    assert f"with 3 seeds (2 for {name}), on" in describe_in_markdown(fewer)


def test_the_report_of_an_unfinished_sweep_has_no_claims(plan: Plan) -> None:
    assert describe_in_rst(plan).endswith("     - Paper\n")


def test_seeds_that_decide_claims_are_told_so(plan: Plan) -> None:
    write(plan, ["replicated"] * 2 + ["small"] + ["undecided"] * 7)
    assert "2 seeds decide 3 of 10 claims. " in describe_outcome(plan)


def test_a_criterion_that_nothing_measures_is_named(plan: Plan) -> None:
    (plan.results / "criteria.csv").write_text("capacity,fit\nmet,\n")
    text = describe_outcome(plan)
    assert "1 of 1: sizes of networks" in text
    assert "not measured: training error below 1 % (needs a network that is trained on" in text
    assert "not measured: students that change" in text
    assert text.count("(needs ") == 3


def test_what_is_not_built_is_named_with_its_command(plan: Plan) -> None:
    text = describe_outcome(plan)
    assert "Not measured yet; run: replication criteria --write" in text
    assert "not tested yet; run: replication claims" in text


def test_a_damaged_file_is_named(plan: Plan) -> None:
    (plan.results / "claims.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"claims.csv: damaged .* delete it and run snakemake"):
        describe_outcome(plan)


def test_it_imports_neither_torch_nor_pandas() -> None:
    code = (
        "import sys; from replication.report.outcome import describe_outcome;"
        "import replication.cli; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
