"""The files of a study that belong to its publication: tables, claims, objectives, descriptions."""

import json
from pathlib import Path
from typing import Any

from replication import files
from replication.config.custom_objectives import is_custom
from replication.config.datasets import OwnImages, OwnText
from replication.config.own_modules import own_modules
from replication.config.paper_tables import TABLES
from replication.data.prepared import expand_root, own_image_spec
from replication.plan.given_weights_file import given_weights_checksum, stated_normalisation
from replication.plan.initial_weights import initial_checksums, initial_key
from replication.plan.plan import Plan
from replication.plan.published_study import (
    DESCRIPTIONS,
    STUDY,
    describe_dataset_spec,
    described,
)


def write_study(plan: Plan, publication: Path) -> None:
    """Write the files of a plan's study into a publication; none if it has nothing of its own.

    Raises:
        InputError: a file cannot be read or written.
    """
    for name, source in study_files(plan).items():
        files.write_text(publication / STUDY / name, source.read_text(encoding="utf-8"))
    descriptions = _descriptions(plan)
    if any(descriptions.values()):
        text = json.dumps(descriptions, indent=2, sort_keys=True) + "\n"
        files.write_text(publication / STUDY / DESCRIPTIONS, text)


def study_files(plan: Plan) -> dict[str, Path]:
    """The files that a study has of its own, by their names in its folder.

    The modules of objectives have the place in which an import finds them, even those from
    elsewhere on Python's path.
    """
    study = plan.scale.study
    if study is None:
        return {}
    files_by_name = {
        f"tables/{name}.yaml": file
        for name, file in plan.files.items()
        if file.parent == study / "tables"
    }
    if plan.claims_file.parent == study and study != TABLES:
        files_by_name["claims.yaml"] = plan.claims_file
    for objective in dict.fromkeys(run.objective for run in plan.runs.values()):
        if is_custom(objective):
            for module, file in own_modules(objective.partition(":")[0], study).items():
                path = "/".join(module.split("."))
                name = f"{path}/__init__.py" if file.name == "__init__.py" else f"{path}.py"
                files_by_name[name] = file
    return files_by_name


def _descriptions(plan: Plan) -> dict[str, dict[str, Any]]:
    """What a publication says of the weights and data that it does not have."""
    weights, initial_weights, datasets = {}, {}, {}
    study = plan.scale.study
    for run in plan.runs.values():
        if run.weights:
            weights[run.weights] = {
                "sha256": given_weights_checksum(run, study),
                "normalisation": stated_normalisation(run, study),
            }
        elif start := initial_checksums(run.network, plan.options(run), study):
            initial_weights[initial_key(run.network, plan.options(run))] = start
        if isinstance(run.dataset, OwnImages | OwnText):
            datasets[run.dataset.name] = _sizes(plan, run.dataset)
    return {"weights": weights, "initial_weights": initial_weights, "datasets": datasets}


def _sizes(plan: Plan, dataset: OwnImages | OwnText) -> dict[str, Any]:
    """The sizes of a whole data set of one's own: as published already, or as prepared."""
    sizes: dict[str, Any] | None = described(plan.scale.study, "datasets", dataset.name)
    if sizes:
        return sizes
    if isinstance(dataset, OwnText):
        return describe_dataset_spec(plan.data_spec(dataset))
    root = expand_root(plan.scale.data_root)
    return describe_dataset_spec(own_image_spec(dataset.source, root))
