"""Numbers of published results as the documents show them."""

from pathlib import Path

import pandas as pd

from replication.config.paper_tables import read_table
from replication.report.changed_verdicts import seeds_to_decide
from replication.report.primary_claims import (
    _other_decided_sentences,
    _single_claim,
    _sizes_sentence,
)
from replication.report.published_results import Publications, seeds_of, verdict_of
from replication.report.results_page import READINGS, TAKEN_AND_OTHER

ONE_SEED = {"verdict": "undecided", "reason": "too few seeds", "size": "open", "fraction": 0.354}


def test_an_effect_without_an_interval_has_none() -> None:
    line = pd.Series({**ONE_SEED, "fraction_low": float("nan"), "fraction_high": float("nan")})
    assert verdict_of(line) == "**undecided** (too few seeds)"
    line = pd.Series({**ONE_SEED, "fraction_low": -0.1, "fraction_high": 0.8})
    assert verdict_of(line).endswith("; 0.35 [−0.10, 0.80] of the paper's effect, open")
    line["fraction"] = -0.004
    assert verdict_of(line).endswith("; 0.00 [−0.10, 0.80] of the paper's effect, open")


def test_a_contradicted_claim_has_no_size() -> None:
    """A size compares with half of the paper's effect in either direction."""
    line = pd.Series({**ONE_SEED, "verdict": "contradicted", "fraction": -2.0, "reason": None})
    line["fraction_low"], line["fraction_high"] = -3.0, -1.0
    assert verdict_of(line) == "**contradicted**; −2.00 [−3.00, −1.00] of the paper's effect"


def test_a_claim_that_was_not_measured_has_neither_seeds_nor_a_verdict() -> None:
    line = pd.Series({**ONE_SEED, "reason": "not measured", "n": 0})
    assert (seeds_of(line), verdict_of(line)) == ("–", "not measured")


def test_a_scale_with_one_tested_claim_says_which_and_by_how_much() -> None:
    line = pd.Series(
        {
            **ONE_SEED,
            "claim": "densenet-students-beat-wide-resnet-teachers",
            "difference": -5.0,
            "ci_low": -6.0,
            "ci_high": -4.0,
            "reported_difference": -4.4,
        }
    )
    sentences = _single_claim(line, "cifar")
    assert sentences.startswith("On CIFAR-100 at 16×16 pixels (scale `cifar`), one of the paper's")
    assert "DenseNet-90-60 students have a lower error than their Wide-ResNet teachers" in sentences
    assert "It is *undecided*: the difference is −5.00 [−6.00, −4.00] points" in sentences
    assert "where the paper prints −4.40" in sentences
    assert sentences.endswith("In proportion to the error, this is 0.35 times the paper's effect.")
    assert "In proportion" not in _single_claim(line.replace(0.354, float("nan")), "cifar")


def test_claims_whose_size_is_unknown_have_no_sentence_on_sizes() -> None:
    unknown = {**ONE_SEED, "fraction": float("nan"), "fraction_low": float("nan")}
    assert _sizes_sentence(pd.DataFrame([unknown])) == ""


def test_effects_of_one_seed_are_not_among_the_known_ones() -> None:
    several = {**ONE_SEED, "fraction_low": 0.1, "size": "below half"}
    one = {**ONE_SEED, "fraction": -0.004, "fraction_low": float("nan")}
    sentence = _sizes_sentence(pd.DataFrame([several, {**several, "fraction": 0.2}, one]))
    assert sentence.startswith(
        "In proportion to the error, the effects that have an interval are 0.20 to 0.35"
    )
    assert "the effects are 0.20 to 0.35" in _sizes_sentence(
        pd.DataFrame([several, {**several, "fraction": 0.2}])
    )


def test_scales_that_lack_a_table_are_left_out(tmp_path: Path) -> None:
    for scale, table in (("cifar", "table3"), ("fashion", "controls")):
        (tmp_path / scale / "tables").mkdir(parents=True)
        (tmp_path / scale / "claims.csv").touch()
        (tmp_path / scale / f"tables/{table}.csv").touch()
    publications = Publications(tmp_path)
    assert publications.scales == ["cifar", "fashion"]
    assert publications.scales_with("controls") == ["fashion"]


def test_power_says_how_many_seeds_it_takes_or_why_it_cannot() -> None:
    line = pd.Series(
        {"n": 5, "power_corrected": 0.5, "seeds_needed_corrected": 12.0, "seeds_to_decide": 8.0}
    )
    assert seeds_to_decide(line).startswith("If the effect were as large as the paper's, 12 seeds")
    assert seeds_to_decide(line).endswith("it would take about 8.")
    line["seeds_to_decide"] = float("inf")
    assert seeds_to_decide(line).endswith("it would take more than 10,000.")
    line["seeds_needed_corrected"], line["power_corrected"] = float("nan"), 0.06
    assert "more than 10,000 seeds with the spread" in seeds_to_decide(line)
    line["power_corrected"] = 0.9999
    assert "with a chance of more than 99 %" in seeds_to_decide(line)
    line["n"], line["power_corrected"] = 1, float("nan")
    assert seeds_to_decide(line).startswith("One seed shows neither a spread")


def test_a_scale_that_lacks_primary_claims_says_what_else_it_decides() -> None:
    other = {
        **ONE_SEED,
        "claim": "ban-densenet-112-33",
        "family": "ban-all",
        "title": "BAN, DenseNet-112-33",
        "verdict": "replicated",
        "metric": None,
        "difference": -3.0,
        "ci_low": -4.0,
        "ci_high": -2.0,
        "reported_difference": -1.3,
    }
    undecided = {**other, "claim": "dkpp-densenet-112-33", "verdict": "undecided"}
    claims = pd.DataFrame([other, undecided])
    assert _other_decided_sentences(claims, 3) == [
        "One claim that is not primary is *replicated*: *BAN, DenseNet-112-33*,"
        " −3.00 [−4.00, −2.00] points (the paper −1.30)."
    ]
    assert _other_decided_sentences(claims, 10) == []


def test_the_readings_of_the_first_page_are_rows_of_the_table_that_has_both() -> None:
    table = read_table("sensitivity")
    assert set(READINGS) <= set(table.rows)
    assert {f"gain {reading}" for reading in TAKEN_AND_OTHER} <= set(table.contrasts)
