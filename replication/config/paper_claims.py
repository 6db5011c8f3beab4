"""The claims of the paper with the tables that they mention, and what the paper prints for them."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from replication.architectures.catalogue import kind_of
from replication.config.claim_specs import (
    SMALLEST_EFFECT,
    CellKey,
    CellsSpec,
    ClaimsFile,
    Weights,
)
from replication.config.paper_tables import TABLES, TableSpec, find_tables, read_table
from replication.config.yaml_model import read_yaml, validate
from replication.errors import InputError

ROUNDING = 1e-6
"""Printed numbers have two digits; what is left of their differences is rounding error."""


@dataclass(frozen=True)
class Claims:
    """The claims, and the tables that they mention."""

    file: ClaimsFile
    tables: Mapping[str, TableSpec]

    def reported(self, weights: Weights) -> float:
        """A weighted sum of the paper's printed numbers; NaN where it does not print one."""
        printed = {cell: self.tables[cell[0]].reported(*cell[1:]) for cell in weights}
        parts = [
            weight * value
            for cell, weight in weights.items()
            if (value := printed[cell]) is not None
        ]
        return sum(parts) if len(parts) == len(weights) else math.nan

    def datasets(self, cells: Iterable[CellKey]) -> list[str]:
        """The paper's data sets that cells are measured on, in the order of the cells."""
        return list(dict.fromkeys(self.tables[table].role(row) for table, row, _ in cells))

    def reported_difference(self, name: str) -> float:
        """The printed difference of left and right; NaN where the paper prints none.

        A metric of ``quality.csv.gz`` has no printed number.
        """
        claim = self.file.claims[name]
        return math.nan if claim.metric else self.reported(claim.contrast())

    def reported_level(self, name: str) -> float:
        """The printed mean of the right side; NaN where the paper prints none."""
        claim = self.file.claims[name]
        return math.nan if claim.metric else self.reported(claim.right.weights())

    def reported_effect(self, name: str) -> float:
        """The paper's effect in the direction of a claim, as a fraction of the right side's mean.

        NaN where the claim only bounds a difference, and where the paper prints no effect in its
        direction.
        """
        claim = self.file.claims[name]
        difference = self.reported_difference(name)
        effect = claim.direction * difference / self.reported_level(name)
        return effect if claim.direction and effect > ROUNDING else math.nan

    def margin(self, name: str) -> float:
        """The margin of a claim, as a fraction of the right side's mean.

        For a direction in which the paper prints an effect it is half of that effect, and at least
        1 %. For every other claim it is the claim's own `smallest_effect`, or 1 %.
        """
        effect = self.reported_effect(name)
        if not math.isnan(effect):
            return max(effect / 2, SMALLEST_EFFECT)
        return self.file.claims[name].smallest_effect or SMALLEST_EFFECT

    def is_outside_its_region(self, name: str) -> bool:
        """Whether the paper prints a number that does not say what the claim says."""
        claim = self.file.claims[name]
        difference = self.reported_difference(name)
        region = claim.region(self.margin(name) * self.reported_level(name))
        depths = region.depths(difference)
        return not math.isnan(difference) and min(depths) <= ROUNDING

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
    own_file = (study or folder) / "claims.yaml"
    return own_file if own_file.is_file() else folder / "claims.yaml"


def read_claims(folder: Path = TABLES, study: Path | None = None) -> Claims:
    """Read and check ``claims.yaml`` and its tables; those of a ``study`` come first.

    Raises:
        InputError: the file is missing or wrong, names a cell that does not exist, or claims what
            the paper's own numbers do not say; one line with file and key.
    """
    path = find_claims(study, folder)
    file = validate(ClaimsFile, read_yaml(path), str(path))
    tables: dict[str, TableSpec] = {}
    for key, spec in _sides(file):
        place = find_tables(spec.table, study, folder)
        if not (place / f"{spec.table}.yaml").is_file():
            raise InputError(
                f"{path}: `{key}`: no table `{spec.table}` in {place}; name an existing table"
            )
        if spec.table not in tables:
            tables[spec.table] = read_table(spec.table, place)
        for cell in spec.cells():
            _check_cell(tables[spec.table], cell, f"{path}: `{key}`")
    claims = Claims(file, tables)
    for name in file.claims:
        _check_claim(claims, name, f"{path}: `claims.{name}")
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


def _check_cell(table: TableSpec, cell: CellKey, place: str) -> None:
    name, row, column = cell
    for kind, named, existing in (("row", row, table.rows), ("column", column, table.columns)):
        if named not in existing:
            available = ", ".join(existing)
            raise InputError(f"{place}: {name} has no {kind} `{named}`; available: {available}")
    if table.is_dash(row, column):
        raise InputError(
            f"{place}: {name} has a dash at `{row}` / `{column}`, so nothing is measured there;"
            " name another cell"
        )


def _check_claim(claims: Claims, name: str, place: str) -> None:
    """Check what follows from the tables of a claim; `place` is file and key without its end."""
    claim = claims.file.claims[name]
    kinds = {kind_of(network) for network in claims.networks(claim.contrast())}
    if len(kinds) > 1:
        raise InputError(f"{place}`: compares errors with perplexities; compare only one of them")
    if claim.smallest_effect and not math.isnan(claims.reported_effect(name)):
        raise InputError(
            f"{place}.smallest_effect`: the paper prints an effect, so half of it is the smallest"
            " effect of interest; remove the key"
        )
    if claim.source != "prose" and claims.is_outside_its_region(name):
        difference = claims.reported_difference(name)
        raise InputError(
            f"{place}`: the paper prints a difference of {difference:+.2f}, which does not support"
            f" `{claim.expect}`; correct `expect`, or write `source: prose` if its text says so"
        )
