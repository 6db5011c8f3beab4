"""The csv files of publications, and their numbers as the documents show them."""

from collections.abc import Hashable
from functools import cache
from pathlib import Path
from typing import cast

import pandas as pd

from replication.analysis.claim_verdicts import NOT_MEASURED
from replication.errors import InputError
from replication.plan.plan import SCALE_FILE, Plan
from replication.results.csv_files import read_csv_file
from replication.wording import formatted, signed, with_interval

TESTED_ON = {
    "cifar": "CIFAR-100 at 16×16 pixels",
    "fashion": "pairs of Fashion-MNIST items",
    "digits": "pairs of digits",
}
"""The scales whose results the documents show, and what stands in for CIFAR-100 there."""


class Publications:
    """The publications in a folder such as ``published``, by scale.

    All methods raise `InputError` if a file is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def scales(self) -> list[str]:
        """The scales of `TESTED_ON` that are published."""
        return [scale for scale in TESTED_ON if (self.folder / scale / "claims.csv").is_file()]

    def scales_of(self, claim: str) -> list[str]:
        """The scales at which a claim is measured."""
        return [scale for scale in self.scales if self.claims(scale)["difference"].notna()[claim]]

    def plan(self, scale: str) -> Plan:
        """The plan of a publication, from its ``scale.json``."""
        return _read_plan(self.folder, scale)

    def claims(self, scale: str) -> pd.DataFrame:
        """``claims.csv`` with the numbers of ``claims_power.csv``, indexed by claim."""
        claims = self.file(scale, "claims")
        numbers = self.file(scale, "claims_power").drop(columns="family")
        joined = claims.merge(numbers, on="claim", validate="one_to_one")
        return joined.set_index("claim", drop=False)

    def table(self, scale: str, name: str) -> pd.DataFrame:
        """The lines of ``tables/<name>.csv``."""
        return read_csv_file(self.folder / scale, "table", table=name)

    def scales_with(self, table: str) -> list[str]:
        """The published scales that have a table; one that is published early may lack some."""
        return [
            scale
            for scale in self.scales
            if (self.folder / scale / "tables" / f"{table}.csv").is_file()
        ]

    def file(self, scale: str, name: str) -> pd.DataFrame:
        """The lines of another csv file, by its name in `replication.results.schema`."""
        return _read_file(self.folder / scale, name).copy()


@cache
def _read_plan(folder: Path, scale: str) -> Plan:
    return Plan.read([folder / scale / SCALE_FILE], root=folder)


@cache
def _read_file(folder: Path, name: str) -> pd.DataFrame:
    """A csv file of a publication, which the documents read for many numbers."""
    return read_csv_file(folder, name)


def line_of(frame: pd.DataFrame, key: Hashable) -> "pd.Series[float]":
    """Return the one line of a frame with this entry of its index.

    Raises:
        InputError: there is no such line.
    """
    if key not in frame.index:
        raise InputError(f"the published results have no line {key}, which the documents name")
    return cast("pd.Series[float]", frame.loc[key])  # type: ignore[call-overload]


def commits_of(runs: pd.DataFrame) -> str:
    """Return the commits that runs are of, abbreviated, as code in Markdown."""
    return ", ".join(f"`{commit[:7]}`" for commit in runs["commit"].dropna().unique())


def primary_claims_of(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of the primary claims, which name their family."""
    return claims[claims["claim"] == claims["family"]]


def difference_of(line: "pd.Series[float]") -> str:
    """Return the difference of a claim with its 95 % interval."""
    return with_interval(line["difference"], line["ci_low"], line["ci_high"])


def seeds_of(line: "pd.Series[float]") -> str:
    """Return the number of seeds of a claim or a cell; a dash if there is none."""
    return f"{line['n']:.0f}" if line["n"] > 0 else "–"


def reported_of(line: "pd.Series[float]") -> str:
    """Return the difference that the paper prints."""
    reported = line["reported_difference"]
    return "–" if pd.isna(reported) else signed(reported)


def verdict_of(line: "pd.Series[float]") -> str:
    """Return the verdict in bold, why it is undecided, and the size of the effect.

    Without an interval there is no size. It is also left out beside *contradicted*, because it
    compares with half of the paper's effect in either direction.
    """
    if str(line["reason"]) == NOT_MEASURED:
        return NOT_MEASURED
    verdict = f"**{line['verdict']}**"
    if isinstance(line["reason"], str):
        verdict += f" ({line['reason']})"
    if pd.isna(line["fraction_low"]):
        return verdict
    numbers = [line["fraction"], line["fraction_low"], line["fraction_high"]]
    fraction, low, high = (formatted(number, "z.2f") for number in numbers)
    effect = f"{verdict}; {fraction} [{low}, {high}] of the paper's effect"
    return effect if str(line["verdict"]) == "contradicted" else f"{effect}, {line['size']}"
