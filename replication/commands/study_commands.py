"""The commands that help to write a study, a scale or a table."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from replication.config.paper_tables import TableSpec
from replication.config.scale import Scale
from replication.errors import InputError

SCHEMA_MODELS: dict[str, type[BaseModel]] = {"scale": Scale, "table": TableSpec}


def new(folder: Annotated[Path, typer.Argument(help="The folder of the study.")]) -> None:
    """Begin a study of your own: write a folder with data, networks, objectives and claims to edit.

    The command prints the files that it has written.
    """
    from replication.config.new_study import create_study

    for file in create_study(folder):
        print(file)


def schema(
    name: Annotated[
        str,
        typer.Argument(help="scale or table for a JSON schema, results for the csv files."),
    ],
) -> None:
    """Print the JSON schema of a scale or table file for editors, or the columns of all csv files.

    The description of the csv files is Markdown; it is the second half of
    docs/reference/result-files.md.
    """
    if name == "results":
        from replication.report.schema_page import describe_csv_files

        print(describe_csv_files(), end="")
        return
    if name not in SCHEMA_MODELS:
        known = ", ".join([*SCHEMA_MODELS, "results"])
        raise InputError(f"{name}: no such schema; there are: {known}")
    print(json.dumps(SCHEMA_MODELS[name].model_json_schema(), indent=2))
