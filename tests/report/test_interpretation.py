"""What notebooks say of the results is made from their numbers."""

import pandas as pd
from support import synthetic_results
from support.plans import ROOT

from replication.analysis.claims import decide_claims
from replication.config.paper_claims import read_claims
from replication.report.interpretation import describe_claims, describe_curves, describe_table
from replication.results.csv_files import read_csv_file


def test_two_scales_with_other_verdicts_read_differently() -> None:
    frame = synthetic_results.results()[1]["table2"].copy()
    students = frame["verdict"].notna()
    better = frame.assign(verdict=frame["verdict"].mask(students, "better"))
    worse = frame.assign(verdict=frame["verdict"].mask(students, "worse"))
    count = int(students.sum())
    assert f"Of {count} students, {count} are better than their teacher, 0 are" in describe_table(
        better
    )
    assert f"0 are better than their teacher, {count} are worse" in describe_table(worse)
    lowest = frame.sort_values("delta_vs_teacher").iloc[0]["delta_vs_teacher"]
    assert f"{lowest:+.2f}".replace("-", "−") in describe_table(frame)


def test_a_table_without_students_says_so() -> None:
    frame = synthetic_results.results()[1]["table1"]
    teachers = frame[frame["column"] == "teacher"]
    assert describe_table(teachers).startswith("No cell of this table has a teacher")


def test_claims_are_listed_with_their_evidence_and_unmeasured_ones_are_left_out() -> None:
    cells = synthetic_results.results(3)[0].query("table == 'table6'")
    claims, _ = decide_claims(read_claims(ROOT / "tables"), cells, synthetic_results.runs(3))
    text = describe_claims(claims, ["language-models", "ban-all", "no-claim"])
    line = claims.set_index("claim").loc["language-models"]
    assert text.startswith(f"- {line['title']}: **{line['verdict']}**. ")
    assert len(text.splitlines()) == 1
    assert "None of the claims" in describe_claims(claims, ["ban-all"])


def test_curves_are_described_at_their_last_epoch() -> None:
    curves = read_csv_file(ROOT / "published/fashion", "learning_curves")
    last = curves[curves["epoch"] == curves["epoch"].max()]
    share = last[last["column"] == "cwtm"]["ground_truth_share"].mean()
    text = describe_curves(curves)
    assert f"- CWTM: the true class ends with {100 * share:.0f} % of ‖q − p‖²" in text
    assert len(text.splitlines()) == last["column"].nunique() - 1
    assert "nan" not in text, "a teacher learns from nobody"
    assert isinstance(last, pd.DataFrame)
