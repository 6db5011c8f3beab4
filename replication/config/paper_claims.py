"""The claims of the paper as data: which cells each compares, and what it says about them."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, StringConstraints, model_validator

from replication.architectures.catalogue import kind_of
from replication.config.paper_tables import TABLES, Name, TableSpec, find_tables, read_table
from replication.config.yaml_model import Line, Number, StrictModel, Unique, read_yaml, validate
from replication.errors import InputError

CellKey = tuple[str, str, str]
"""Table, row and column."""
Weights = Mapping[CellKey, float]
Names = Annotated[tuple[Name, ...], Field(min_length=1), Unique]
ClaimName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
Expectation = Literal["lower", "higher", "not lower", "not higher", "equivalent"]
Metric = Literal["nll", "brier", "ece", "agreement", "kl"]
Source = Literal["paper", "prose", "reading", "ours"]
Fraction = Annotated[Number, Field(gt=0, lt=1)]


class Region(NamedTuple):
    """Where a claim puts a difference: between two bounds, one of which may be infinite."""

    low: float
    high: float

    def depths(self, difference: float) -> list[float]:
        """How far inside each finite bound a difference lies; negative outside of it."""
        found = (difference - self.low, self.high - difference)
        return [depth for depth in found if math.isfinite(depth)]


# In units of the smallest effect of interest.
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
        return [(self.table, *at) for at in product(self.rows, self.columns)]

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
    statement: Name = Field(description="What is claimed, in our words, on one line.")
    left: SideSpec = Field(description="What the claim is about.")
    right: SideSpec = Field(description="What it is compared with.")
    expect: Expectation = Field(description="Where the left lies.")
    source: Source = Field(
        "ours",
        description="paper: its numbers say it; prose: it says so in words; reading: this suite's"
        " reading of it; ours: not in the paper.",
    )
    family: ClaimName | None = Field(
        None, description="The primary claim that it belongs to; without it the claim is primary."
    )
    metric: Metric | None = Field(
        None, description="Of quality.csv; without it the tables' error or perplexity."
    )
    smallest_effect: Fraction | None = Field(
        None, description="Instead of the file's rule; a fraction of the right side's mean."
    )

    @property
    def improvement(self) -> bool:
        """Whether it says that there is an effect, which can be negligible."""
        return self.expect in ("lower", "higher")

    def contrast(self) -> dict[CellKey, float]:
        """The weight of each cell in the difference of left and right."""
        return _subtract(self.left.contrast(), self.right.contrast())

    def region(self, margin: float) -> Region:
        """Where the claim puts the difference; `margin` is the smallest effect in its units."""
        bounds = REGIONS[self.expect]
        return Region(*(bound if math.isinf(bound) else bound * margin for bound in bounds))

    @model_validator(mode="after")
    def _compares_something(self) -> Self:
        if not self.contrast():
            raise ValueError("left and right are the same cells; compare different ones")
        return self


class SmallestEffect(StrictModel):
    """The smallest effect of interest of a claim: the larger of the two."""

    of_reported: Fraction = Field(description="A fraction of the effect that the paper prints.")
    of_level: Fraction = Field(description="A fraction of the right side's mean.")


class ClaimsFile(StrictModel):
    """``tables/claims.yaml``."""

    smallest_effect: SmallestEffect = SmallestEffect(of_reported=0.5, of_level=0.01)
    replicates: CellsSpec | None = Field(
        None, description="Two columns of one treatment under two seeds, if numbers are printed."
    )
    claims: dict[ClaimName, ClaimSpec] = Field(min_length=1)

    @model_validator(mode="after")
    def _replicates_are_two(self) -> Self:
        if self.replicates and len(self.replicates.columns) != 2:
            raise ValueError("`replicates` has two columns: the same treatment under two seeds")
        return self

    @model_validator(mode="after")
    def _families_are_of_primary_claims(self) -> Self:
        for name, claim in self.claims.items():
            if claim.family and not self.is_primary(claim.family):
                raise ValueError(f"`claims.{name}.family`: `{claim.family}` is no primary claim")
        return self

    def is_primary(self, name: str) -> bool:
        """Whether a claim exists and is primary."""
        return name in self.claims and self.claims[name].family is None


@dataclass(frozen=True)
class Claims:
    """The claims, and the tables that they mention."""

    file: ClaimsFile
    tables: Mapping[str, TableSpec]

    def reported(self, weights: Weights) -> float:
        """A weighted sum of the paper's printed numbers; NaN where it does not print one."""
        printed = {cell: self.tables[cell[0]].reported(*cell[1:]) for cell in weights}
        found = [w * value for cell, w in weights.items() if (value := printed[cell]) is not None]
        return sum(found) if len(found) == len(weights) else math.nan

    def datasets(self, cells: Iterable[CellKey]) -> set[str]:
        """The paper's data sets that cells are measured on."""
        return {self.tables[table].role(row) for table, row, _ in cells}

    def smallest_effect(self, name: str) -> float:
        """The smallest effect of interest of a claim, as a fraction of the right side's mean."""
        claim, rule = self.file.claims[name], self.file.smallest_effect
        if claim.smallest_effect:
            return claim.smallest_effect
        effect = self.reported_effect(name)
        return (
            rule.of_level if math.isnan(effect) else max(rule.of_level, rule.of_reported * effect)
        )

    def reported_effect(self, name: str) -> float:
        """The size of the printed difference, as a fraction of the right side's printed mean.

        NaN where the paper prints none, as for every `metric`.
        """
        claim = self.file.claims[name]
        if claim.metric:
            return math.nan
        return abs(self.reported(claim.contrast()) / self.reported(claim.right.weights()))

    def networks(self, cells: Iterable[CellKey]) -> set[str]:
        """The networks in cells, as the catalogue names them."""
        return {self.tables[table].network(row, column) for table, row, column in cells}

    @property
    def replicates_dataset(self) -> str | None:
        """The data set on which the paper prints one treatment twice."""
        twice = self.file.replicates
        return self.tables[twice.table].dataset if twice else None

    def replicate_pairs(self) -> list[tuple[float, float]]:
        """The two printed numbers of each treatment that the paper reports twice."""
        cells = self.file.replicates.cells() if self.file.replicates else []
        printed = [self.reported({cell: 1.0}) for cell in cells]
        return list(zip(printed[::2], printed[1::2], strict=True))


def find_claims(study: Path | None, folder: Path = TABLES) -> Path:
    """The claims of a study that has them, else those of the suite's ``folder``."""
    own = (study or folder) / "claims.yaml"
    return own if own.is_file() else folder / "claims.yaml"


def read_claims(folder: Path = TABLES, study: Path | None = None) -> Claims:
    """Read and check ``claims.yaml`` and its tables; an error is one line with file and key.

    Those of a ``study`` come first.
    """
    path = find_claims(study, folder)
    file = validate(ClaimsFile, read_yaml(path), str(path))
    tables: dict[str, TableSpec] = {}
    for key, spec in _sides(file):
        where = f"{path}: `{key}`"
        place = find_tables(spec.table, study, folder)
        if not (place / f"{spec.table}.yaml").is_file():
            raise InputError(f"{where}: no table `{spec.table}` in {place}; name one there is")
        if spec.table not in tables:
            tables[spec.table] = read_table(spec.table, place)
        for cell in spec.cells():
            _check_cell(tables[spec.table], cell, where)
    claims = Claims(file, tables)
    for name, claim in file.claims.items():
        kinds = {kind_of(network) for network in claims.networks(claim.contrast())}
        if len(kinds) > 1:
            raise InputError(f"{path}: `claims.{name}`: compares errors with perplexities")
    if file.replicates and math.isnan(claims.reported(file.replicates.weights())):
        raise InputError(
            f"{path}: `replicates`: the paper prints no number there; name other cells"
        )
    return claims


def _sides(file: ClaimsFile) -> Iterator[tuple[str, CellsSpec]]:
    """Every mention of cells, with the key that it stands under."""
    if file.replicates:
        yield "replicates", file.replicates
    for name, claim in file.claims.items():
        for key, side in (("left", claim.left), ("right", claim.right)):
            yield f"claims.{name}.{key}", side
            if side.minus:
                yield f"claims.{name}.{key}.minus", side.minus


def _check_cell(table: TableSpec, cell: CellKey, where: str) -> None:
    name, row, column = cell
    for kind, given, known in (("row", row, table.rows), ("column", column, table.columns)):
        if given not in known:
            there_are = ", ".join(known)
            raise InputError(f"{where}: {name} has no {kind} `{given}`; there are: {there_are}")
    if table.is_dash(row, column):
        raise InputError(f"{where}: {name} has a dash at `{row}` / `{column}`: nothing is measured")


def _subtract(left: Weights, right: Weights) -> dict[CellKey, float]:
    """The difference of two weighted sums; what cancels is left out."""
    weights = {cell: left.get(cell, 0.0) - right.get(cell, 0.0) for cell in (*left, *right)}
    return {cell: weight for cell, weight in weights.items() if abs(weight) > 1e-12}
