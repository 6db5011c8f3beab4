"""Claims are decided from cells.csv, corrected for their number, and written with evidence."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from support import synthetic_results
from support.plans import ROOT, planned_runs, tiny_plan

from replication.analysis.claim_verdicts import CLAIM_VERDICTS, REASONS, SIZES
from replication.analysis.claims import build_claims, decide_claims
from replication.analysis.single_runs import spread_of_replicates
from replication.analysis.statistical_power import seeds_needed
from replication.config.claim_specs import CellKey, Region
from replication.config.paper_claims import Claims, read_claims
from replication.errors import InputError
from replication.results.schema import CSV_FILES

CLAIMS = read_claims(ROOT / "tables")
TEXT = (ROOT / "tables" / "claims.yaml").read_text(encoding="utf-8")

Values = dict[CellKey, Sequence[float]]
BAN = ("table1", "densenet-90-60", "ban")
TEACHER = ("table1", "densenet-90-60", "teacher")


def side(cell: CellKey, **more: Any) -> dict[str, Any]:
    table, row, column = cell
    return {"table": table, "rows": [row], "columns": [column], **more}


def claim(expect: str = "lower", **keys: Any) -> dict[str, Any]:
    return {
        "section": "Table 1",
        "statement": "Students have a lower error.",
        "left": side(BAN),
        "right": side(TEACHER),
        "expect": expect,
        "source": "paper" if expect in ("lower", "not higher") else "prose",
        **keys,
    }


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Claims]:
    """Reads a claims.yaml of these claims, next to the paper's tables."""

    def read(**claims: dict[str, Any]) -> Claims:
        folder = tmp_path / "tables"
        shutil.copytree(ROOT / "tables", folder, dirs_exist_ok=True)
        file = {**yaml.safe_load(TEXT), "claims": claims}
        (folder / "claims.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
        return read_claims(folder)

    return read


def cells_and_runs(values: Values) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lines of cells.csv, one per cell and seed, and of runs.csv.

    Cells have runs of their own, and rows share no lineage.
    """
    lines, runs = [], {}
    for place, ((table, row, column), by_seed) in enumerate(values.items()):
        for seed, value in enumerate(by_seed):
            run = f"run {place} of {seed}"
            lines.append((table, row, column, seed, "test error (%)", value, run))
            runs[run] = {
                "dataset": "images",
                "network": row,
                "objective": "ban",
                "recipe_hash": column,
                "seed": seed,
                "lineage_seed": seed,
                "root_teacher": f"{row} {seed}",
            }
    cells = pd.DataFrame(lines, columns=CSV_FILES["cells"].names)
    return cells, pd.DataFrame.from_dict(runs, orient="index")


def line(claims: Claims, values: Values) -> dict[str, Any]:
    """Verdict, evidence and numbers of the only claim."""
    frame, numbers = decide_claims(claims, *cells_and_runs(values))
    assert len(frame) == 1
    merged = frame.merge(numbers.drop(columns="family"), on="claim")
    return dict(merged.iloc[0].to_dict())


CLEAR: Values = {BAN: [3.0, 3.1, 2.9, 3.05], TEACHER: [4.0, 4.2, 3.9, 4.0]}
NONE: Values = {BAN: [4.2, 4.1, 3.9, 3.9], TEACHER: [4.0, 4.2, 3.9, 4.1]}
SAME: Values = {BAN: [4.0, 4.201, 3.9, 4.101], TEACHER: [4.0, 4.2, 3.901, 4.1]}
LITTLE: Values = {BAN: [3.95, 4.16, 3.85, 3.96], TEACHER: [4.0, 4.2, 3.9, 4.0]}
WEAK: Values = {BAN: [3.9, 3.95, 3.8, 3.8], TEACHER: [4.0, 4.2, 3.9, 4.0]}
OPPOSITE: Values = {BAN: CLEAR[TEACHER], TEACHER: CLEAR[BAN]}


@pytest.mark.parametrize(
    ("expect", "values", "verdict", "size"),
    [
        ("lower", CLEAR, "replicated", "at least half"),
        ("lower", WEAK, "replicated", "open"),
        ("lower", LITTLE, "weaker", "below half"),
        ("lower", OPPOSITE, "contradicted", "open"),
        ("lower", NONE, "undecided", "open"),
        ("lower", SAME, "small", "below half"),
        # The paper prints a lower error, so that it has no effect in this direction.
        ("higher", SAME, "small", "no printed effect"),
        ("higher", NONE, "undecided", "no printed effect"),
        ("higher", CLEAR, "contradicted", "no printed effect"),
        ("higher", LITTLE, "contradicted", "no printed effect"),
        ("higher", OPPOSITE, "holds", "no printed effect"),
        ("not higher", CLEAR, "replicated", ""),
        ("not higher", SAME, "replicated", ""),
        ("not higher", OPPOSITE, "contradicted", ""),
        ("not lower", SAME, "replicated", ""),
        ("not lower", CLEAR, "contradicted", ""),
        ("not lower", NONE, "undecided", ""),
        ("equivalent", SAME, "replicated", ""),
        ("equivalent", CLEAR, "contradicted", ""),
        ("equivalent", OPPOSITE, "contradicted", ""),
        ("equivalent", NONE, "undecided", ""),
    ],
)
def test_verdict_and_size_follow_the_difference(
    read: Callable[..., Claims], expect: str, values: Values, verdict: str, size: str
) -> None:
    decided = line(read(one=claim(expect)), values)
    assert (decided["verdict"], decided["size"]) == (verdict, size)
    assert decided["reason"] == ("too few seeds" if verdict == "undecided" else "")
    assert decided["verdict"] in CLAIM_VERDICTS
    assert "n = 4 seeds. " in decided["evidence"]


@pytest.mark.parametrize(
    ("keys", "values", "verdict"),
    [
        ({"source": "ours"}, CLEAR, "holds"),
        ({"source": "ours"}, LITTLE, "holds, small"),
        ({"source": "ours"}, SAME, "small"),
        ({"source": "ours"}, OPPOSITE, "contradicted"),
        ({"expect": "not higher", "source": "ours"}, CLEAR, "holds"),
        ({"metric": "nll", "source": "prose"}, CLEAR, "holds"),
    ],
)
def test_what_the_paper_does_not_claim_holds_instead_of_being_replicated(
    read: Callable[..., Claims], keys: dict[str, Any], values: Values, verdict: str
) -> None:
    cells, runs = cells_and_runs(values)
    frame, _ = decide_claims(read(one=claim() | keys), cells, runs, cells.assign(metric="nll"))
    assert frame["verdict"][0] == verdict


def test_the_evidence_is_sentences_with_difference_interval_seeds_and_the_papers(
    read: Callable[..., Claims],
) -> None:
    expected = stats.ttest_rel(CLEAR[BAN], CLEAR[TEACHER])
    low, high = expected.confidence_interval(0.95)
    decided = line(read(one=claim()), CLEAR)
    assert decided["evidence"].startswith(
        f"The difference is −1.01 points [95 % interval −{-low:.2f} to −{-high:.2f}], n = 4 seeds."
        " The direction is seen (corrected p < 0.001). The paper prints −0.31; in proportion, the"
        " effect is 3.09 ["
    )
    assert decided["evidence"].endswith("of that: at least half of it (corrected p < 0.001).")
    assert decided["p_direction"] == pytest.approx(expected.pvalue)
    assert decided["p_direction_corrected"] == decided["p_direction"]


def test_a_weaker_effect_is_shown_beside_what_the_papers_single_runs_can_tell(
    read: Callable[..., Claims],
) -> None:
    student, teacher = (("table2", "densenet-80-120", name) for name in ("ban", "teacher"))
    small: Values = {student: [15.9, 16.3, 16.1], teacher: [16.0, 16.4, 16.21]}
    decided = line(read(one=claim(left=side(student), right=side(teacher))), small)
    assert decided["verdict"] == "weaker"
    assert (
        "and the effect is less than half of the paper's, which would be 0.42 points"
        in (decided["evidence"])
    )
    assert decided["evidence"].endswith(
        "less than half of it. The paper's single runs by themselves are too few to tell."
    )
    assert decided["single_run_verdict"] == "too small to tell"


def test_every_primary_claim_of_the_file_counts_whether_it_is_measured_or_not(
    read: Callable[..., Claims],
) -> None:
    alone = line(read(one=claim()), WEAK)
    assert alone["verdict"] == "replicated"
    unmeasured = claim(left=side(("table6", "lstm", "ban+l val"))) | {
        "right": side(("table6", "lstm", "teacher val"))
    }
    many = {f"other-{number}": unmeasured for number in range(19)}
    frame, numbers = decide_claims(read(one=claim(), **many), *cells_and_runs(WEAK))
    assert set(frame["verdict"]) == {"undecided"}
    assert numbers["p_direction_corrected"][0] == pytest.approx(20 * alone["p_direction"])
    assert list(frame["reason"]) == ["too few seeds"] + 19 * ["not measured"]
    p_alone, p_corrected = alone["p_direction"], numbers["p_direction_corrected"][0]
    words = f"(p = {p_alone:.2g} by itself, p = {p_corrected:.2g} corrected for all claims)"
    assert f"Undecided, because there are too few seeds {words}; about" in frame["evidence"][0]
    missing = "BAN+L Val of LSTM in Table 6, and 1 more cell"
    assert frame["evidence"][1] == f"Not measured at this scale: {missing}."


def test_each_student_is_paired_with_the_teacher_of_its_own_seed(
    read: Callable[..., Claims],
) -> None:
    # Teachers spread far wider than the gain: only the right pairing sees it.
    cells, runs = cells_and_runs({BAN: [9.4, 1.5, 5.52], TEACHER: [10.0, 2.0, 6.0]})
    verdicts, numbers = decide_claims(read(one=claim()), cells.sample(frac=1, random_state=1), runs)
    assert verdicts["verdict"][0] == "replicated"
    assert numbers["difference"][0] == pytest.approx(-1.58 / 3)


def test_a_seed_without_one_of_the_cells_is_left_out(read: Callable[..., Claims]) -> None:
    values: Values = {BAN: [*CLEAR[BAN], 0.0], TEACHER: [*CLEAR[TEACHER], np.nan]}
    decided = line(read(one=claim()), values)
    assert decided["n"] == 4
    assert decided["difference"] == pytest.approx(-1.0125)


def test_one_seed_is_too_few(read: Callable[..., Claims]) -> None:
    decided = line(read(one=claim()), {BAN: [3.0], TEACHER: [4.0]})
    assert (decided["verdict"], decided["reason"]) == ("undecided", "too few seeds")
    assert decided["evidence"] == (
        "The difference is −1.00 points, n = 1 seed. Undecided, because one seed gives no interval."
        " The paper prints −0.31; in proportion, the effect is 3.07 of that: whether it is at least"
        " half is open."
    )
    empty = ("p_direction", "p_direction_corrected", "std", "power", "seeds_needed")
    assert pd.isna([decided[name] for name in (*empty, "seeds_to_decide")]).all()


def test_equal_differences_are_undecided_because_of_ties(read: Callable[..., Claims]) -> None:
    # In floating point the differences are not quite equal, and a t-test would be all but certain.
    values: Values = {
        BAN: [100 * 11 / 599, 100 * 10 / 599],
        TEACHER: [100 * 13 / 599, 100 * 12 / 599],
    }
    assert np.ptp(np.subtract(values[BAN], values[TEACHER])) > 0
    decided = line(read(one=claim()), values)
    assert (decided["verdict"], decided["reason"]) == ("undecided", "ties")
    assert "because the difference is the same at all 2 seeds (ties)" in decided["evidence"]


def test_cells_without_a_common_seed_are_not_measured(read: Callable[..., Claims]) -> None:
    decided = line(read(one=claim()), {BAN: [3.0, np.nan], TEACHER: [np.nan, 4.0]})
    assert (decided["verdict"], decided["reason"]) == ("undecided", "not measured")
    assert decided["evidence"] == "Not measured at this scale: no seed has all the cells."


def test_too_few_seeds_come_with_how_many_it_takes(read: Callable[..., Claims]) -> None:
    decided = line(read(one=claim()), NONE)
    assert decided["seeds_to_decide"] == decided["seeds_needed_corrected"] > 4
    assert f"about {decided['seeds_to_decide']:,.0f} are needed." in decided["evidence"]
    # The paper's effect would have been seen; one of a third of it needs more.
    generator = np.random.default_rng(0)
    teachers = generator.normal(4.0, 0.2, 12)
    students = teachers - 0.1 + stats.zscore(generator.normal(size=12)) * 0.2
    decided = line(read(one=claim()), {BAN: students, TEACHER: teachers})
    assert decided["verdict"] == "undecided"
    assert decided["seeds_needed_corrected"] <= 12 < decided["seeds_to_decide"] < 60


def test_a_side_is_a_mean_of_cells_minus_another(read: Callable[..., Claims]) -> None:
    rows = ["densenet-90-60", "densenet-80-80"]
    gain = {"table": "table1", "rows": rows, "columns": ["ban"]}
    gain["minus"] = {"table": "table1", "rows": rows, "columns": ["teacher"]}
    more = claim(left=gain, right=side(("table3", "wide-resnet-28-1", "ban")))
    values: Values = {
        BAN: [1.0, 2.0],
        TEACHER: [2.0, 4.0],
        ("table1", "densenet-80-80", "ban"): [3.0, 3.0],
        ("table1", "densenet-80-80", "teacher"): [7.0, 7.0],
        ("table3", "wide-resnet-28-1", "ban"): [10.0, 20.0],
    }
    decided = line(read(one=more), values)
    # Gains are −2.5 and −3.
    assert decided["difference"] == pytest.approx(((-2.5 - 10) + (-3 - 20)) / 2)
    assert decided["level"] == 15


def test_power_assumes_the_papers_effect_in_proportion_to_our_level(
    read: Callable[..., Claims],
) -> None:
    values: Values = {BAN: [30.0, 31.0, 32.0], TEACHER: [38.1, 38.0, 38.2]}
    decided = line(read(one=claim()), values)
    assert decided["assumed_effect"] == pytest.approx((3.50 - 3.81) / 3.81 * 38.1)
    needed = seeds_needed(decided["assumed_effect"], decided["std"], Region(-np.inf, 0))
    assert decided["seeds_needed"] == needed
    # Without a printed effect in the claim's direction, the margin.
    upwards = line(read(one=claim("higher")), values)
    assert upwards["assumed_effect"] == pytest.approx(0.01 * 38.1)
    bound = line(read(one=claim("not lower")), values)
    assert bound["assumed_effect"] == 0


def test_the_effect_is_a_fraction_of_the_papers_with_an_interval(
    read: Callable[..., Claims],
) -> None:
    decided = line(read(one=claim()), CLEAR)
    ratio = (-0.31 / 3.81) * decided["level"]
    assert decided["fraction"] == pytest.approx(decided["difference"] / ratio)
    ends = decided["fraction_low"], decided["fraction_high"]
    assert ends == pytest.approx((decided["ci_high"] / ratio, decided["ci_low"] / ratio))


OTHER_BAN = ("table1", "densenet-80-80", "ban")
OTHER_TEACHER = ("table1", "densenet-80-80", "teacher")
OPEN = claim("not higher", left=side(OTHER_BAN), right=side(OTHER_TEACHER))
OPEN_VALUES: Values = {OTHER_BAN: [3.0, 4.0, 3.5, 3.7], OTHER_TEACHER: [3.4, 3.6, 3.5, 3.8]}


def test_a_claim_is_decided_only_if_its_primary_claim_is(read: Callable[..., Claims]) -> None:
    secondary = {"c": claim(family="a"), "d": claim(family="b")}
    claims = read(a=OPEN, b=claim(title="BAN"), **secondary)
    frame, numbers = decide_claims(claims, *cells_and_runs(CLEAR | OPEN_VALUES))
    assert list(frame["verdict"]) == ["undecided", "replicated", "undecided", "replicated"]
    assert list(frame["reason"]) == [
        "too few seeds", "", "the family's main claim is undecided", "",
    ]  # fmt: skip
    assert (
        "Undecided, because the direction of the family's main claim is undecided"
        " (Students have a lower error.)." in frame["evidence"][2]
    )
    assert numbers["p_direction_corrected"][2] == numbers["p_direction_corrected"][0]
    assert list(frame["family"]) == ["a", "b", "a", "b"]


def test_a_family_whose_primary_claim_is_not_measured_is_decided_without_it(
    read: Callable[..., Claims],
) -> None:
    claims = read(first=claim(metric="nll", source="ours"), second=claim(family="first"))
    frame, numbers = decide_claims(claims, *cells_and_runs(CLEAR))
    assert list(frame["verdict"]) == ["undecided", "replicated"]
    assert frame["evidence"][1].endswith(
        " Its family's main claim is not measured, so it is decided without it."
    )
    assert numbers["p_direction_corrected"][1] == numbers["p_direction"][1]


@pytest.mark.parametrize(
    ("values", "exceptions"),
    [
        # One seed, ties, and a network that the scale excepts.
        ({OTHER_BAN: [3.0], OTHER_TEACHER: [3.4]}, {}),
        ({OTHER_BAN: [3.0, 3.0], OTHER_TEACHER: [3.5, 3.5]}, {}),
        (OPEN_VALUES, {"densenet_80_80": "nothing narrower trains"}),
        ({}, {"densenet_80_80": "nothing narrower trains"}),
    ],
)
def test_a_family_whose_primary_claim_cannot_be_tested_stays_undecided(
    read: Callable[..., Claims], values: Values, exceptions: dict[str, str]
) -> None:
    claims = read(a=OPEN, b=claim(family="a"))
    frame, numbers = decide_claims(claims, *cells_and_runs(CLEAR | values), None, exceptions)
    assert list(frame["verdict"]) == ["undecided", "undecided"]
    assert frame["reason"][1] == "the family's main claim is undecided"
    assert list(numbers["p_direction_corrected"].isna()) == [True, False]
    assert numbers["p_direction_corrected"][1] == 1


def test_a_claim_on_a_metric_is_decided_by_the_lines_of_that_metric(
    read: Callable[..., Claims],
) -> None:
    claims = read(one=claim(metric="nll", source="ours"))
    quality = cells_and_runs(CLEAR)[0].assign(metric="nll")
    cells, runs = cells_and_runs(OPPOSITE)
    other = cells.assign(metric="brier")
    frame, numbers = decide_claims(claims, cells, runs, pd.concat([other, quality]))
    assert frame["verdict"][0] == "holds"
    assert "The difference is −1.013 nats" in frame["evidence"][0]
    assert numbers["smallest_effect"][0] == pytest.approx(0.01 * np.mean(CLEAR[TEACHER]))
    assert np.isnan(numbers["reported_difference"][0])


def test_a_claim_on_a_network_of_another_relative_size_is_not_tested(
    read: Callable[..., Claims],
) -> None:
    exceptions = {"densenet_90_60": "nothing narrower trains"}
    frame, numbers = decide_claims(read(one=claim()), *cells_and_runs(CLEAR), None, exceptions)
    assert (frame["verdict"][0], frame["reason"][0]) == ("undecided", "network excepted")
    assert "densenet_90_60: nothing narrower trains" in frame["evidence"][0]
    assert np.isnan(numbers["p_direction"][0])


def test_a_claim_says_what_it_was_tested_on(read: Callable[..., Claims]) -> None:
    claims = read(one=claim(title="BAN"))
    named = {"cifar10": "Fashion-MNIST, 14×14 pixels"}
    frame, _ = decide_claims(claims, *cells_and_runs(CLEAR), data_sets=named)
    assert list(frame["tested_on"]) == ["Fashion-MNIST, 14×14 pixels"]
    assert list(frame["title"]) == ["BAN"]


def test_what_the_papers_single_runs_can_support() -> None:
    _, numbers = decide_claims(CLAIMS, *cells_and_runs(CLEAR))
    alone = numbers.set_index("claim")["single_run_verdict"]
    bound = stats.t.ppf(0.975, 4) * spread_of_replicates(CLAIMS.replicate_pairs()) * 2**0.5
    assert bound == pytest.approx(0.949, abs=0.001)
    # −1.30 and −1.00 lie beyond the bound, −0.87 within it.
    assert alone["ban-densenet-112-33"] == alone["ban-densenet-90-60"] == "supports"
    assert alone["ban-densenet-80-120"] == "too small to tell"
    assert alone["cifar10-ban-all"] == alone["lstm-test"] == "not applicable"
    assert alone["cifar100-gains-more-than-cifar10"] == "not applicable"
    assert alone.value_counts().to_dict() == {
        "too small to tell": 36,
        "supports": 17,
        "not applicable": 30,
    }


def test_random_ids_change_nothing() -> None:
    plan = tiny_plan(tables=["table2", "controls"], seeds=[0, 1, 2])
    generator = np.random.default_rng(0)
    codes = generator.permutation(10**6)[: len(plan.runs)]
    names = {run: f"run-{code:x}" for run, code in zip(plan.runs, codes, strict=True)}
    runs, cells = planned_runs(plan), []
    errors = {run: generator.normal(20, 1) for run in plan.runs}
    for cell in plan.cells:
        for seed, members in cell.members.items():
            value = np.mean([errors[run.id] for run in members])
            behind = ";".join(run.id for run in members)
            cells.append((cell.table, cell.row, cell.column, seed, cell.metric, value, behind))
    frame = pd.DataFrame(cells, columns=CSV_FILES["cells"].names)
    expected = decide_claims(CLAIMS, frame, runs, frame.assign(metric="nll"))
    renamed = frame.assign(
        run=frame["run"].map(lambda behind: ";".join(names[run] for run in behind.split(";")))
    )
    columns = ["run", "teacher", "root_teacher"]
    replaced = runs.assign(**{column: runs[column].map(names) for column in columns})
    replaced = replaced.set_index("run", drop=False).sort_index()
    decided = decide_claims(CLAIMS, renamed, replaced, renamed.assign(metric="nll"))
    for before, after in zip(expected, decided, strict=True):
        pd.testing.assert_frame_equal(before, after)
    assert (expected[1]["n"] == 3).sum() > 40


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results of scale `tiny`, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results" / "tiny"


def test_all_files_are_written_with_a_line_for_every_claim(folder: Path) -> None:
    synthetic_results.write(folder, seeds=4)
    (folder / "quality.csv.gz").unlink()
    frame = build_claims(tiny_plan(), ROOT / "tables")
    assert list(pd.read_csv(folder / "claims.csv")["claim"]) == list(CLAIMS.file.claims)
    assert set(frame["verdict"]) <= {*CLAIM_VERDICTS}
    assert {"replicated", "undecided"} <= set(frame["verdict"])
    assert set(frame["size"]) <= {*SIZES, ""}
    assert set(frame["reason"]) <= {*REASONS, ""}
    assert ((frame["verdict"] == "undecided") == (frame["reason"] != "")).all()
    tested = frame.set_index("claim")["tested_on"]
    assert tested["ban-all"] == "two-digit numbers of scikit-learn’s digits, 4×8 pixels"
    assert tested["cifar100-gains-more-than-cifar10"] == (
        "two-digit numbers of scikit-learn’s digits, 4×8 pixels and scikit-learn’s digits, 4×4"
        " pixels"
    )
    assert tested["lstm-test"] == "the Python language reference, 10,000 words for training"
    numbers = pd.read_csv(folder / "claims_power.csv")
    assert list(numbers["claim"]) == list(frame["claim"])
    measured = numbers[numbers["n"] > 0]
    assert (measured["n"] == 4).all()
    assert (measured["p_direction_corrected"] >= measured["p_direction"]).all()
    assert len(pd.read_csv(folder / "claims_items.csv")) == 9


def test_a_damaged_or_missing_cells_csv_is_one_line(folder: Path) -> None:
    frame = synthetic_results.results(2)[0]
    folder.mkdir(parents=True)
    cases = {
        r"cells\.csv: damaged \(.* is listed twice": pd.concat([frame, frame[:1]]),
        r"cells\.csv: damaged \(`value` has an entry": frame.assign(value="good"),
    }
    with pytest.raises(
        InputError, match=r"cells\.csv: no such file; build it by running snakemake"
    ):
        build_claims(tiny_plan(), ROOT / "tables")
    for message, wrong in cases.items():
        wrong.to_csv(folder / "cells.csv", index=False)
        with pytest.raises(InputError, match=message) as caught:
            build_claims(tiny_plan(), ROOT / "tables")
        assert "\n" not in str(caught.value)
