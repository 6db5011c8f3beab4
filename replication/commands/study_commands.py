"""The commands that help to write a study, a scale or a table."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from replication.config.paper_tables import TableSpec
from replication.config.scale import Scale
from replication.data.specs import Source
from replication.errors import InputError

SCHEMA_MODELS: dict[str, type[BaseModel]] = {"scale": Scale, "table": TableSpec}


def new(
    folder: Annotated[Path, typer.Argument(help="The folder of the study.")],
    images: Annotated[
        Path | None,
        typer.Option(help="A folder of images, in train/<class>/ and test/<class>/."),
    ] = None,
    npz: Annotated[
        Path | None, typer.Option(help="A file with x_train, y_train, x_test and y_test.")
    ] = None,
    torchvision: Annotated[
        str | None, typer.Option(help="A class of torchvision.datasets, which is downloaded.")
    ] = None,
) -> None:
    """Begin a study of your own: write a folder with data, networks, objectives and claims to edit.

    With --images, --npz or --torchvision the command prepares the data, proposes a network and a
    recipe that fit them, and estimates the time of the study. It prints the files that it has
    written, and the next command.
    """
    from replication.config.new_study import create_study

    if images and images.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{images}: lies in {folder}, which is to be written; move the images out of it, or"
            " give the study another name"
        )
    run_it = f"make study STUDY={shlex.quote(folder.as_posix())}"
    source = _one_source(images, npz, torchvision)
    if source is None:
        print(*create_study(folder), sep="\n")
        print(f"Next: edit {folder}/study.yaml, or put images into {folder}/images; then run")
        print(f"  {run_it}")
        return
    from replication.config.study_proposal import propose_study
    from replication.data.own_image_source import look_at_images
    from replication.plan.plan import Plan
    from replication.sweep.study_estimate import describe_new_study

    root = Path(str(Scale.model_fields["data_root"].default))
    written = create_study(folder, lambda: propose_study(source, look_at_images(source, root)))
    print(*written, sep="\n")
    print(describe_new_study(Plan.read([folder / "study.yaml"])))
    print(f"Next: {run_it}")


def _one_source(images: Path | None, npz: Path | None, torchvision: str | None) -> Source | None:
    """The place of the images that one of the options names; None if no option is given.

    Raises:
        InputError: two options are given, or the folder has no image to look at.
    """
    options = {"--images": images, "--npz": npz, "--torchvision": torchvision}
    given = [option for option, place in options.items() if place]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)}: use only one, which says where the images are")
    if images:
        from replication.data.own_image_source import folder_source

        return folder_source(images)
    if npz:
        return Source("npz", str(npz))
    return Source("torchvision", torchvision) if torchvision else None


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
        raise InputError(f"{name}: no such schema; available: {known}")
    print(json.dumps(SCHEMA_MODELS[name].model_json_schema(), indent=2))
