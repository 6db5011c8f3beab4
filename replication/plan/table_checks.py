"""Checks whether a table can be built at a scale, before anything is trained for it."""

from pathlib import Path

from replication.architectures.catalogue import Kind, kind_of
from replication.config.datasets import AnyDataset, OwnText, TextDataset
from replication.config.paper_tables import TableSpec
from replication.config.scale import Scale
from replication.errors import InputError

STEPS = {
    *("all", "data", "train", "scale", "table", "tables", "collect", "quality", "claims"),
    *("claim", "criteria", "frames", "notebooks"),
}
"""Names of rules of the workflow. A table has a rule of its own name beside them, and files."""


def check_table(scale: Scale, table: TableSpec, file: Path) -> None:
    """Check that every row has a data set, that its networks fit, and its teachers are on it.

    ``file`` is the table's, for the message.

    Raises:
        InputError: a step of the workflow has the table's name; the scale lacks the data set of a
            row, or recipes for its kind of network; a network is of another kind than the data; or
            a teacher is on other data than its student.
    """
    if file.stem in STEPS or file.stem.startswith("notebook_"):
        raise InputError(
            f"{file}: `{file.stem}` is the name of a step of the workflow; rename the table"
        )
    for row in table.rows:
        dataset = _dataset_of(scale, table, row, file)
        kind: Kind = "language" if isinstance(dataset, TextDataset | OwnText) else "image"
        for column in table.columns:
            if not table.is_dash(row, column):
                _check_network(table, row, column, kind, file)
                _check_recipe(scale, table, row, column, file)
                _check_teacher(scale, table, row, column, file)


def _dataset_of(scale: Scale, table: TableSpec, row: str, file: Path) -> AnyDataset:
    role = table.role(row)
    if role not in scale.datasets:
        raise InputError(
            f"{file}: row `{row}`: no data set `{role}` at scale {scale.scale}, which has"
            f" {', '.join(scale.datasets)}; add it to `datasets`"
        )
    return scale.datasets[role]


def _check_network(table: TableSpec, row: str, column: str, kind: Kind, file: Path) -> None:
    network = table.network(row, column)
    if kind_of(network) != kind:
        raise InputError(
            f"{file}: cell `{row}` / `{column}`: the data set needs {kind} networks, but"
            f" `{network}` is not one; name another"
        )


def _check_recipe(scale: Scale, table: TableSpec, row: str, column: str, file: Path) -> None:
    network = table.network(row, column)
    if kind_of(network) == "image":
        key, recipe = "images", scale.images
    else:
        key, recipe = f"language.{network}", getattr(scale.language, network, None)
    if recipe is None:
        raise InputError(
            f"{file}: cell `{row}` / `{column}`: scale {scale.scale} has no recipe for"
            f" `{network}`; add the key `{key}` to the scale"
        )


def _check_teacher(scale: Scale, table: TableSpec, row: str, column: str, file: Path) -> None:
    teacher = table.teacher(row, column)
    if teacher is None:
        return
    of_student = _dataset_of(scale, table, row, file)
    of_teacher = _dataset_of(scale, table, teacher.row, file)
    if of_student != of_teacher:
        raise InputError(
            f"{file}: cell `{row}` / `{column}`: its teacher `{teacher.row}` / `{teacher.column}`"
            f" is trained on `{table.role(teacher.row)}` ({of_teacher.name}), but the student on"
            f" `{table.role(row)}` ({of_student.name}); name a teacher on the student's data"
        )
