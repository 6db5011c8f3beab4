"""Which primary claims an unfinished scale lacks, and what would decide them."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from replication.report.missing_claims import missing_claims
from replication.report.published_results import Publications

ROOT = Path(__file__).parents[2]


@pytest.fixture
def publications(tmp_path: Path) -> Publications:
    """The published claims, beside the scale file of `cifar`, which makes it a planned scale."""
    for scale in ("cifar", "fashion"):
        folder = tmp_path / "published" / scale
        folder.mkdir(parents=True)
        for name in ("claims.csv", "claims_power.csv"):
            shutil.copy(ROOT / "published" / scale / name, folder)
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config/cifar.yaml", tmp_path / "config")
    return Publications(tmp_path / "published")


def set_numbers(publications: Publications, scale: str, claim: str, **numbers: float) -> None:
    file = publications.folder / scale / "claims_power.csv"
    lines = pd.read_csv(file).set_index("claim", drop=False)
    for column, number in numbers.items():
        lines.loc[claim, column] = number
    lines.to_csv(file, index=False)


def row_of(table: str, words: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if words in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_claim_without_an_interval_takes_the_power_of_the_other_scale(
    publications: Publications,
) -> None:
    set_numbers(publications, "cifar", "fragile-to-compression", n=1, difference=-0.04)
    set_numbers(publications, "fashion", "fragile-to-compression", n=5, seeds_needed_corrected=7)
    row = row_of(missing_claims(publications), "compression costs a student")
    assert row[1:] == ["`cifar`", "1", "5", "7, with the spread of `fashion`"]


def test_a_claim_with_an_interval_is_not_missing(publications: Publications) -> None:
    set_numbers(publications, "cifar", "dkpp-all", n=2)
    assert "DKPP" not in missing_claims(publications)


def test_a_scale_that_is_not_planned_here_lacks_nothing(publications: Publications) -> None:
    (publications.folder.parent / "config/cifar.yaml").unlink()
    assert missing_claims(publications).startswith("Every primary claim has an interval")
