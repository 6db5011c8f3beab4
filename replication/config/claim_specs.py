"""The content of ``claims.yaml``: the cells that a claim compares, and what it says about them."""

import math
from collections.abc import Mapping
from itertools import product
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, StringConstraints, model_validator

from replication.config.paper_tables import Name
from replication.config.yaml_model import Line, Number, StrictModel, Unique

CellKey = tuple[str, str, str]
"""Table, row and column."""
Weights = Mapping[CellKey, float]
Names = Annotated[tuple[Name, ...], Field(min_length=1), Unique]
ClaimName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
Expectation = Literal["lower", "higher", "not lower", "not higher", "equivalent"]
Metric = Literal["nll", "brier", "ece", "agreement", "kl"]
Source = Literal["paper", "prose", "reading", "ours"]
Fraction = Annotated[Number, Field(gt=0, lt=1)]

SMALLEST_EFFECT = 0.01
"""Smallest effect of interest as a fraction of the right side's mean, if a claim sets none."""


class Region(NamedTuple):
    """Where a claim puts a difference: between two bounds, one of which may be infinite."""

    low: float
    high: float

    def depths(self, difference: float) -> list[float]:
        """How far inside each finite bound a difference lies; negative outside of it."""
        both_depths = (difference - self.low, self.high - difference)
        return [depth for depth in both_depths if math.isfinite(depth)]


# In units of the margin.
REGIONS: dict[Expectation, Region] = {
    "lower": Region(-math.inf, 0),
    "higher": Region(0, math.inf),
    "not lower": Region(-1, math.inf),
    "not higher": Region(-math.inf, 1),
    "equivalent": Region(-1, 1),
}


class CellsSpec(StrictModel):
    """The mean of some cells of a table."""

    table: Name = Field(description="Name of a table: table1.")
    rows: Names = Field(description="Rows of the table.")
    columns: Names = Field(description="Columns of the table; all of them in each of the rows.")

    def cells(self) -> list[CellKey]:
        """The cells that are averaged."""
        return [
            (self.table, *row_and_column) for row_and_column in product(self.rows, self.columns)
        ]

    def weights(self) -> dict[CellKey, float]:
        """The weight of each cell in the mean."""
        return dict.fromkeys(self.cells(), 1 / len(self.cells()))


class SideSpec(CellsSpec):
    """One side of a claim: a mean of cells, or how far it lies above another mean."""

    minus: CellsSpec | None = Field(None, description="What is subtracted: a gain, or a gap.")

    def contrast(self) -> dict[CellKey, float]:
        """The weight of each cell in the mean, and in what is subtracted from it."""
        return _subtract(self.weights(), self.minus.weights() if self.minus else {})


class ClaimSpec(StrictModel):
    """A sentence of the paper that cells of its tables can support or contradict."""

    section: Line = Field("", description="Section and table of the paper.")
    title: Name | None = Field(
        None, description="A few words for figures and tables; without it the statement."
    )
    statement: Name = Field(description="What is claimed, in our words, on one line.")
    left: SideSpec = Field(description="What the claim is about.")
    right: SideSpec = Field(description="What it is compared with.")
    expect: Expectation = Field(description="Where the left side lies relative to the right.")
    source: Source = Field(
        "ours",
        description="paper: its numbers say it; prose: it says so in words; reading: this suite's"
        " reading of it; ours: not in the paper.",
    )
    family: ClaimName | None = Field(
        None, description="The primary claim that it belongs to; without it the claim is primary."
    )
    metric: Metric | None = Field(
        None, description="Of quality.csv.gz; without it the tables' error or perplexity."
    )
    smallest_effect: Fraction | None = Field(
        None,
        description="The smallest effect of interest, as a fraction of the right side's mean;"
        " 0.01 without it. Not for a direction in which the paper prints an effect: there it is"
        " half of that effect.",
    )

    @property
    def heading(self) -> str:
        """The title, or the statement of a claim without one."""
        return self.title or self.statement

    @property
    def direction(self) -> Literal[-1, 0, 1]:
        """The sign of the difference that the claim expects; 0 for one that only bounds it."""
        if self.expect == "lower":
            return -1
        return 1 if self.expect == "higher" else 0

    def contrast(self) -> dict[CellKey, float]:
        """The weight of each cell in the difference of left and right."""
        return _subtract(self.left.contrast(), self.right.contrast())

    def region(self, margin: float) -> Region:
        """Where the claim puts the difference; `margin` has the unit of the difference."""
        bounds = REGIONS[self.expect]
        return Region(*(bound if math.isinf(bound) else bound * margin for bound in bounds))

    @model_validator(mode="after")
    def _compares_something(self) -> Self:
        if not self.contrast():
            raise ValueError("left and right are the same cells; compare different ones")
        return self


class ClaimsFile(StrictModel):
    """``tables/claims.yaml``."""

    replicates: CellsSpec | None = Field(
        None, description="Two columns of one treatment under two seeds, if numbers are printed."
    )
    claims: dict[ClaimName, ClaimSpec] = Field(min_length=1)

    @model_validator(mode="after")
    def _replicates_are_two(self) -> Self:
        if self.replicates and len(self.replicates.columns) != 2:
            raise ValueError("`replicates` needs two columns: the same treatment under two seeds")
        return self

    @model_validator(mode="after")
    def _families_are_of_primary_claims(self) -> Self:
        for name, claim in self.claims.items():
            if claim.family and not self.is_primary(claim.family):
                raise ValueError(f"`claims.{name}.family`: `{claim.family}` is not a primary claim")
        return self

    @model_validator(mode="after")
    def _titles_differ(self) -> Self:
        names: dict[str, str] = {}
        for name, claim in self.claims.items():
            other = names.setdefault(claim.heading, name)
            if other != name and claim.title:
                raise ValueError(f"`claims.{name}.title`: `{other}` has the same title; change one")
        return self

    def is_primary(self, name: str) -> bool:
        """Whether a claim exists and is primary."""
        return name in self.claims and self.claims[name].family is None

    def primary_of(self, name: str) -> str:
        """The primary claim that a claim belongs to; a primary claim belongs to itself."""
        return self.claims[name].family or name


def _subtract(left: Weights, right: Weights) -> dict[CellKey, float]:
    """The difference of two weighted sums; what cancels is left out."""
    weights = {cell: left.get(cell, 0.0) - right.get(cell, 0.0) for cell in (*left, *right)}
    return {cell: weight for cell, weight in weights.items() if abs(weight) > 1e-12}
