"""The tables of the paper as data: what each cell is, and what the paper printed in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    model_validator,
)

from replication.architectures.catalogue import TIMM, find_network
from replication.config.objective_choice import Objective
from replication.config.yaml_model import (
    FolderName,
    Line,
    Number,
    Positive,
    Seed,
    StrictModel,
    read_yaml,
    validate,
)
from replication.errors import InputError
from replication.objectives import OBJECTIVES

Name = Annotated[Line, StringConstraints(min_length=1)]
Arguments = dict[Name, Any]

TABLES = Path("tables")


class CellReference(StrictModel):
    """Another cell of the same table."""

    row: Name = Field(description="Row of the cell.")
    column: Name = Field(description="Column of the cell.")


class CellSpec(StrictModel):
    """The content of a cell: a trained network, one from elsewhere, or an ensemble of its row."""

    objective: Objective | None = Field(None, description="What the network is trained on.")
    teacher: Name | CellReference | None = Field(
        None, description="The cell it learns from: a column of the same row, or row and column."
    )
    network: Name | None = Field(None, description="Network of this cell, instead of the row's.")
    arguments: Arguments = Field(
        {}, description="Arguments of that network, if it is one of timm's."
    )
    seed_offset: Seed = Field(
        0,
        description="Added to the seed: another run of a treatment. It must be large enough to miss"
        " every other seed, as 1000 does, because no run may serve two seeds.",
    )
    share_ends: bool = Field(
        False, description="Copy first and last layer from the teacher and freeze them (Table 5)."
    )
    weights: Name | None = Field(
        None, description="A safetensors file of a network trained elsewhere, for other cells."
    )
    mean: Annotated[tuple[Number, ...], Field(min_length=1)] | None = Field(
        None,
        description="Of `weights`: what was subtracted from each channel of the images that it was"
        " trained on, whose pixels were in [0, 1].",
    )
    std: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = Field(
        None, description="Of `weights`: what each channel was divided by after that."
    )
    ensemble: Annotated[tuple[Name, ...], Field(min_length=2)] | None = Field(
        None, description="Columns of the same row whose predictions are averaged."
    )
    part: Literal["validation", "test"] = Field(
        "test", description="Part of the text that a language model is evaluated on."
    )
    variant: Name | None = Field(None, description="One of the table's `variants`.")
    printed: bool = Field(True, description="Whether the paper's table has this column.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        choices = self.objective, self.ensemble, self.weights
        if sum(choice is not None for choice in choices) != 1:
            raise ValueError("a cell needs exactly one of `objective`, `ensemble` and `weights`")
        if self.ensemble and (self.teacher or self.network or self.seed_offset or self.share_ends):
            raise ValueError("an ensemble has no teacher, network, seed offset or shared layers")
        if self.weights and (self.teacher or self.seed_offset or self.share_ends):
            raise ValueError("`weights` have no teacher, seed offset or shared layers")
        name = self.objective.name if self.objective else ""
        if name in OBJECTIVES and OBJECTIVES[name].teacher != (self.teacher is not None):
            needs = "needs a" if self.teacher is None else "has no"
            raise ValueError(f"the objective `{name}` {needs} teacher")
        if self.share_ends and self.teacher is None:
            raise ValueError("only a cell with a teacher can share its layers")
        if (self.mean or self.std) and not self.weights:
            raise ValueError(
                "`mean` and `std` are those of `weights`; a network that is trained"
                " here sees the study's normalisation"
            )
        if len(self.mean or ()) != len(self.std or ()):
            raise ValueError("`mean` and `std` both need one number for each channel")
        return self

    @property
    def normalisation(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """The mean and standard deviation of `weights` from elsewhere, where the cell has them."""
        return (self.mean, self.std) if self.mean and self.std else None


class RowSpec(StrictModel):
    """A row: its network, what the paper prints, and cells that differ from their column."""

    network: Name = Field(description="A network of the catalogue, or of timm as in timm:resnet18.")
    arguments: Arguments = Field(
        {}, description="Keyword arguments of timm.create_model, for a network of timm."
    )
    dataset: FolderName | None = Field(
        None, description="Data set of this row, instead of the table's."
    )
    params: Number | None = Field(None, description="Parameters as printed, in millions.")
    cells: dict[Name, CellSpec | None] = Field(
        {}, description="Cells that differ from their column's; null where there is none."
    )
    reported: dict[Name, Number | None] | None = Field(
        None,
        description="Printed numbers of all columns, with null for a dash, where there is no cell;"
        " or nothing at all where the paper has no such row.",
    )


class TableSpec(StrictModel):
    """A table of the paper."""

    title: Name
    dataset: FolderName = Field(
        description="A key of the scale's `datasets`, which name the paper's data sets."
    )
    columns: dict[Name, CellSpec] = Field(min_length=1)
    rows: dict[Name, RowSpec] = Field(min_length=1)
    variants: dict[FolderName, dict[str, Any]] = Field(
        {},
        description="Keys of the scale that are different for the cells of a variant, by the"
        " variant's name; `multiply` holds factors for the scale's own numbers.",
    )
    contrasts: dict[Name, Annotated[dict[Name, Number], Field(min_length=2)]] = Field(
        {},
        description="Weighted sums of columns, taken seed by seed, by their names; the weights of"
        " each sum add up to zero.",
    )
    hidden: tuple[Name, ...] = Field((), description="Columns that are measured but not shown.")
    transposed: bool = Field(False, description="Whether rows are shown as columns.")
    notes: tuple[Line, ...] = ()

    def cell(self, row: str, column: str) -> CellSpec:
        """The content of a cell: the row's own definition, or the column's."""
        return self.rows[row].cells.get(column) or self.columns[column]

    def network(self, row: str, column: str) -> str:
        """The network of a cell."""
        return self.cell(row, column).network or self.rows[row].network

    def arguments(self, row: str, column: str) -> dict[str, Any]:
        """The arguments of a cell's network: of the row's, or of the cell's own."""
        cell = self.cell(row, column)
        return cell.arguments if cell.network else self.rows[row].arguments

    def role(self, row: str) -> str:
        """The data set of a row, as the scale's `datasets` calls it."""
        return self.rows[row].dataset or self.dataset

    @property
    def shown(self) -> list[str]:
        """The columns and contrasts that the rendered table shows, in order."""
        return [name for name in (*self.columns, *self.contrasts) if name not in self.hidden]

    def contrasts_of(self, row: str) -> list[str]:
        """The contrasts of a row: those whose columns are all measured in it."""
        return [
            name
            for name, weights in self.contrasts.items()
            if not any(self.is_dash(row, column) for column in weights)
        ]

    def reported(self, row: str, column: str) -> float | None:
        """The number that the paper prints, in percent or perplexity; None where it prints none."""
        return (self.rows[row].reported or {}).get(column)

    def is_dash(self, row: str, column: str) -> bool:
        """Whether the paper prints a dash there, so there is nothing to measure."""
        spec = self.rows[row]
        if column in spec.cells and spec.cells[column] is None:
            return True
        printed = spec.reported is not None and self.cell(row, column).printed
        return printed and self.reported(row, column) is None

    def teacher(self, row: str, column: str) -> CellReference | None:
        """The cell that a cell's network learns from."""
        teacher = self.cell(row, column).teacher
        return CellReference(row=row, column=teacher) if isinstance(teacher, str) else teacher


def find_tables(name: str, study: Path | None, folder: Path = TABLES) -> Path:
    """The folder of a table: ``tables/`` of a study that has it, else the suite's ``folder``.

    Raises:
        InputError: neither has it, and the study's folder does not exist.
    """
    own_folder, file = study / "tables" if study else folder, f"{name}.yaml"
    if (own_folder / file).is_file():
        return own_folder
    if study and not study.is_dir() and not (folder / file).is_file():
        raise InputError(
            f"{study}: no such folder, which should have the study's table {name}; put it back, or"
            " run this from the folder that contains it"
        )
    return folder


def read_table(name: str, folder: Path = TABLES) -> TableSpec:
    """Read and check ``tables/<name>.yaml``.

    Raises:
        InputError: there is no such file, or something is wrong in it, in one line with the key.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        # The claims about the tables are in the same folder.
        names = {file.stem for file in folder.glob("*.yaml")} - {"claims"}
        known = ", ".join(sorted(names)) or "none"
        raise InputError(f"{path}: no such table; available: {known}")
    table = validate(TableSpec, read_yaml(path), str(path))
    if problem := next(_problems(table), None):
        raise InputError(f"{path}: {problem}")
    return table


def _problems(table: TableSpec) -> Iterator[str]:
    """What is wrong with a table; each check relies on those before it."""
    for name, weights in table.contrasts.items():
        for column in weights:
            if column not in table.columns:
                yield f"`contrasts.{name}.{column}`: no such column"
        if name in table.columns:
            yield f"`contrasts.{name}`: a column has this name; choose another"
        if abs(sum(weights.values())) > 1e-9:
            yield f"`contrasts.{name}`: the weights have to sum to zero"
    for column in table.hidden:
        if column not in table.columns:
            yield f"`hidden`: no column `{column}`"
    for row, spec in table.rows.items():
        for key, names in (("cells", spec.cells), ("reported", spec.reported or {})):
            for column in names:
                if column not in table.columns:
                    yield f"`rows.{row}.{key}.{column}`: no such column"
        for column in table.columns:
            if spec.reported is None or column in spec.reported:
                continue
            if table.columns[column].printed:
                yield f"`rows.{row}.reported`: column `{column}` is missing; write null for a dash"
        for column in table.columns:
            if not table.is_dash(row, column):
                for problem in _problems_of_cell(table, row, column):
                    yield f"cell `{row}` / `{column}`: {problem}"


def _problems_of_cell(table: TableSpec, row: str, column: str) -> Iterator[str]:
    cell, network = table.cell(row, column), table.network(row, column)
    if find_network(network) is None:
        yield (
            f"unknown network `{network}`; see replication/architectures/catalogue.py, or write"
            f" timm:{network} for one of timm's"
        )
    if table.arguments(row, column) and not network.startswith(f"{TIMM}:"):
        yield f"`arguments` are for timm's networks; size `{network}` in the scale's `networks`"
    if cell.arguments and not cell.network:
        yield "`arguments` without a `network`; put them in the row"
    if cell.variant is not None and cell.variant not in table.variants:
        yield f"unknown variant `{cell.variant}`; add it to `variants`"
    for member in cell.ensemble or ():
        if member not in table.columns or table.is_dash(row, member):
            yield f"ensemble member `{member}` does not exist in this row"
        if table.cell(row, member).ensemble:
            yield f"ensemble member `{member}` is itself an ensemble"
    seen, teacher = {(row, column)}, table.teacher(row, column)
    while teacher:
        at = (teacher.row, teacher.column)
        name = f"teacher `{teacher.row}` / `{teacher.column}`"
        if teacher.row not in table.rows or teacher.column not in table.columns:
            yield f"{name} does not exist"
        if table.is_dash(*at) or table.cell(*at).ensemble:
            yield f"{name} is not a trained network"
        if at in seen:
            yield f"{name} learns from itself; a lineage has to end at `label`"
        seen.add(at)
        teacher = table.teacher(*at)
