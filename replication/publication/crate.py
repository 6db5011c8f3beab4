"""Describes published results as a Workflow Run RO-Crate: what made them, and every file.

Profile Workflow Run Crate 0.5, https://w3id.org/ro/wfrun/workflow/0.5.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from replication import files
from replication.plan.plan import SCALE_FILE, Plan
from replication.publication.citation import author_name, read_citation
from replication.verify.check_publication import CRATE
from replication.wording import counted

WORKFLOW = "workflow/Snakefile"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
FORMATS = {
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".md": "text/markdown",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
}


def describe_crate(folder: Path, plan: Plan, runs: pd.DataFrame) -> str:
    """The text of ``ro-crate-metadata.json`` for a folder that has all other files.

    It has no time of its own: the date is that of the release in ``CITATION.cff``, so that the same
    results give the same bytes. Raises InputError like `read_citation`.
    """
    citation, scale = read_citation(), plan.scale.scale
    crate = ROCrate(version="1.1")
    # The context of RO-Crate 1.1 is older than this term.
    crate.metadata.extra_terms["sha256"] = "http://schema.org/sha256"
    summary = (
        f"{counted(len(plan.tables), 'table')}, {counted(len(plan.seeds), 'seed')},"
        f" {counted(len(runs), 'training run')} on {_joined(runs['device'])};"
        f" code commit {_joined(runs['commit'])}"
    )
    crate.name = f"{citation['title']}: results at scale {scale}"
    crate.description = f"Replication of Born-Again Neural Networks (arXiv:1805.04770): {summary}."
    crate.datePublished = citation["date-released"]
    licence, authors = _add_licence_and_authors(crate, citation)
    crate.root_dataset["conformsTo"] = [
        _entity(crate, profile, "CreativeWork", name=name, version=version)
        for profile, (name, version) in PROFILES.items()
    ]
    entities = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        if name != CRATE and name != WORKFLOW:
            entities[name] = crate.add_file(dest_path=name, properties=_file(file, name))
    workflow = crate.add_workflow(
        dest_path=WORKFLOW,
        main=True,
        lang="snakemake",
        properties={
            **_file(folder / WORKFLOW, "Workflow of the replication"),
            "conformsTo": {"@id": BIOSCHEMAS},
            "version": _joined(runs["commit"]),
            "license": licence,
            "creator": _single(authors),
        },
    )
    rules = [entity for name, entity in entities.items() if name.startswith("workflow/")]
    workflow["hasPart"] = rules
    results = [
        entity for entity in entities.values() if entity not in rules and entity.id != SCALE_FILE
    ]
    action = _entity(
        crate,
        "#build",
        "CreateAction",
        name=f"Training and evaluation at scale {scale}",
        description=f"{summary}.",
        instrument=workflow,
        object=entities[SCALE_FILE],
        result=results,
        agent=authors[0],
        actionStatus="http://schema.org/CompletedActionStatus",
    )
    crate.root_dataset["mentions"] = action
    return json.dumps(crate.metadata.generate(), indent=1, sort_keys=True) + "\n"


def _add_licence_and_authors(
    crate: ROCrate, citation: dict[str, Any]
) -> tuple[ContextEntity, list[ContextEntity]]:
    """Add who made the results, and under which licence they are."""
    licence = _entity(
        crate,
        f"https://spdx.org/licenses/{citation['license']}",
        "CreativeWork",
        name=citation["license"],
    )
    crate.license = licence
    authors = [
        _entity(
            crate,
            f"#author-{number}",
            "Person" if author.get("family-names") else "Organization",
            name=author_name(author),
        )
        for number, author in enumerate(citation["authors"])
    ]
    crate.root_dataset["author"] = _single(authors)
    crate.publisher = authors[0]
    return licence, authors


def _entity(crate: ROCrate, identifier: str, kind: str, **properties: object) -> ContextEntity:
    """Add something that is not a file; its properties may be other entities."""
    entity = crate.add(ContextEntity(crate, identifier, properties={"@type": kind}))
    for name, value in properties.items():
        entity[name] = value
    return entity


def _single(entities: list[ContextEntity]) -> ContextEntity | list[ContextEntity]:
    """JSON-LD has one value without a list."""
    return entities[0] if len(entities) == 1 else entities


def _file(file: Path, name: str) -> dict[str, str]:
    return {
        "name": name,
        "contentSize": str(file.stat().st_size),
        "sha256": files.checksum(file),
        "encodingFormat": FORMATS.get(file.suffix, "text/plain"),
    }


def _joined(values: pd.Series) -> str:
    """The different values, the most frequent first."""
    return ", ".join(map(str, values.fillna("unknown").value_counts().index))
