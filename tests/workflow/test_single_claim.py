"""One claim is decided from its own runs, by the file that it is a target of."""

from pathlib import Path

import pandas as pd
import pytest
from support.plans import ROOT, TINY, tiny_plan
from support.workplace import Workplace

from replication.analysis.claims import claims_of
from replication.analysis.single_claim import decide_claim
from replication.errors import InputError
from replication.plan.claim_part import part_of_claim
from replication.plan.plan import Plan
from replication.results.run_folder import RECORD

TARGET = "results/tiny/claims/{}.txt"
TABLES = ROOT / "tables"


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    place = Workplace(tmp_path)
    place.configure({**TINY, "seeds": [0, 1]})
    return place


@pytest.mark.parametrize("claim", ["sequence-improves", "residual-students-beat-baselines"])
def test_the_target_of_a_claim_trains_its_runs_and_no_others(place: Workplace, claim: str) -> None:
    expected = part_of_claim(tiny_plan(seeds=[0, 1]), claim, TABLES).runs
    jobs = place.jobs(TARGET.format(claim))
    assert jobs == {"data": 1, "train": len(expected), "claim": 1, "total": len(expected) + 2}


@pytest.mark.long
def test_the_target_of_a_claim_ends_with_its_verdict(place: Workplace) -> None:
    place.build(TARGET.format("language-models"))
    trained = list((place.folder / "results/tiny/runs").rglob(RECORD))
    assert len(trained) == len(part_of_claim(tiny_plan(seeds=[0, 1]), "language-models").runs)
    lines = (place.folder / TARGET.format("language-models")).read_text("utf-8").splitlines()
    assert lines[0] == "BAN+L lowers the test perplexity on average over the two language models."
    assert lines[1].startswith("Tested on: the Python language reference")
    assert lines[2].startswith("Verdict: ")
    assert "n = 2 seeds" in lines[3]


def test_a_claim_that_does_not_exist_is_one_line(place: Workplace) -> None:
    done = place.call("--dry-run", TARGET.format("no-claim"))
    assert done.returncode != 0
    assert "no-claim: no such claim in tables/claims.yaml" in done.stdout + done.stderr


def test_a_single_claim_has_the_difference_of_the_whole_scale(small_plan: Plan) -> None:
    _, numbers = claims_of(small_plan, Path("tables"))
    whole = numbers.set_index("claim").loc["language-models"]
    line = decide_claim(part_of_claim(small_plan, "language-models"), "language-models")
    difference = f"{whole['difference']:+.2f}".replace("-", "−")
    assert f"The difference is {difference}" in line["evidence"]
    assert pd.notna(whole["difference"])


def test_a_missing_run_of_a_claim_is_one_line(small_plan: Plan) -> None:
    part = part_of_claim(small_plan, "language-models")
    (small_plan.folder(next(iter(part.runs.values()))) / RECORD).unlink()
    with pytest.raises(InputError, match=r"language-models: the cell .* cannot be measured"):
        decide_claim(part, "language-models")
