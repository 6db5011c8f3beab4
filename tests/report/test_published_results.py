"""Numbers of published results as the documents show them."""

from pathlib import Path

import pandas as pd

from replication.report.primary_claims import _sizes_sentence, _verdicts_sentence
from replication.report.published_results import Publications, seeds_of, verdict_of

ONE_SEED = {"verdict": "undecided", "reason": "too few seeds", "size": "open", "fraction": 0.354}


def test_an_effect_without_an_interval_has_none() -> None:
    line = pd.Series({**ONE_SEED, "fraction_low": float("nan"), "fraction_high": float("nan")})
    assert verdict_of(line) == "**undecided** (too few seeds); 0.35 of the paper's effect, open"
    line = pd.Series({**ONE_SEED, "fraction_low": -0.1, "fraction_high": 0.8})
    assert verdict_of(line).endswith("; 0.35 [−0.10, 0.80] of the paper's effect, open")


def test_a_claim_that_was_not_measured_has_neither_seeds_nor_a_verdict() -> None:
    line = pd.Series({**ONE_SEED, "reason": "not measured", "n": 0})
    assert (seeds_of(line), verdict_of(line)) == ("–", "not measured")


def test_a_single_claim_that_was_tested_is_one_claim() -> None:
    claims = pd.DataFrame(
        [
            {**ONE_SEED, "claim": "a", "family": "a", "difference": -5.0},
            {**ONE_SEED, "claim": "b", "family": "b", "difference": float("nan")},
        ]
    )
    sentence = _verdicts_sentence(claims, "cifar")
    assert sentence.startswith("One of the paper's primary claims was tested on CIFAR-100")
    assert sentence.endswith("so far; it is *undecided*.")
    assert _sizes_sentence(claims).endswith("its effect is 0.35 times the paper's.")
    assert _sizes_sentence(claims.assign(fraction=float("nan"))) == ""


def test_scales_that_lack_a_table_are_left_out(tmp_path: Path) -> None:
    for scale, table in (("cifar", "table3"), ("fashion", "controls")):
        (tmp_path / scale / "tables").mkdir(parents=True)
        (tmp_path / scale / "claims.csv").touch()
        (tmp_path / scale / f"tables/{table}.csv").touch()
    publications = Publications(tmp_path)
    assert publications.scales == ["cifar", "fashion"]
    assert publications.scales_with("controls") == ["fashion"]
