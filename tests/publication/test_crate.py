"""The description of a publication as a Workflow Run RO-Crate, and that of a release for Zenodo."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate
from support.checks import refused
from support.plans import ROOT
from support.project import contents

from replication import files
from replication.publication.citation import author_name, read_citation

CITATION = read_citation(ROOT / "CITATION.cff")


@pytest.fixture(scope="module")
def crate(published: Path) -> ROCrate:
    return ROCrate(published)


def test_every_file_is_listed_with_size_and_checksum(crate: ROCrate, published: Path) -> None:
    names = {name for name, content in contents(published).items() if content is not None}
    entities = {entity.id: entity for entity in crate.data_entities}
    assert entities.keys() == names - {"ro-crate-metadata.json"}
    for name, entity in entities.items():
        assert entity["sha256"] == files.checksum(published / name)
        assert entity["contentSize"] == str((published / name).stat().st_size)


def test_it_is_a_workflow_run_crate(crate: ROCrate) -> None:
    profiles = [profile.id for profile in crate.root_dataset["conformsTo"]]
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in profiles
    assert "https://w3id.org/ro/wfrun/process/0.5" in profiles
    (action,) = crate.get_by_type("CreateAction")
    assert action["instrument"] is crate.mainEntity
    assert "ComputationalWorkflow" in crate.mainEntity.type
    assert crate.mainEntity["programmingLanguage"]["name"] == "Snakemake"
    assert action["object"].id == "scale.json"
    assert {file.id for file in action["result"]} >= {"cells.csv", "runs.csv", "tables/table3.csv"}


def test_authors_licence_and_date_are_those_of_the_citation(crate: ROCrate) -> None:
    assert crate.license.id == f"https://spdx.org/licenses/{CITATION['license']}"
    assert crate.root_dataset["datePublished"] == CITATION["date-released"]
    assert crate.root_dataset["author"]["name"] == author_name(CITATION["authors"][0])


def test_roc_validator_finds_nothing_required_that_is_missing(published: Path) -> None:
    # It needs an older rich than the one that is pinned, so it has an environment of its own:
    # pipx install roc-validator
    if not shutil.which("rocrate-validator"):
        pytest.skip("no rocrate-validator")
    command = ["rocrate-validator", "--no-interactive", "validate", "--no-paging", "--verbose"]
    command += ["--profile-identifier", "workflow-run-crate-0.5"]
    try:
        done = subprocess.run(
            [*command, str(published)], capture_output=True, text=True, check=False, timeout=120
        )
    except subprocess.TimeoutExpired:
        pytest.skip("rocrate-validator waits for the network")
    unreachable = ("URLError", "HTTPError", "ConnectionError", "ProxyError", "Max retries")
    if any(error in done.stdout + done.stderr for error in unreachable):
        pytest.skip("rocrate-validator needs the network, for the context of RO-Crate 1.1")
    assert done.returncode == 0, done.stdout


def test_a_citation_without_a_licence_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "CITATION.cff"
    file.write_text("title: it\nversion: 1\ndate-released: 2026-11-23\n", encoding="utf-8")
    with refused(f"{file}: key `license` is missing", "add it"):
        read_citation(file)


def test_the_release_for_zenodo_is_that_of_the_citation() -> None:
    zenodo = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    assert zenodo["title"] == CITATION["title"]
    assert zenodo["version"] == CITATION["version"]
    assert zenodo["license"] == CITATION["license"]
    assert zenodo["creators"] == [{"name": author_name(author)} for author in CITATION["authors"]]
    (paper,) = CITATION["references"]
    (related,) = zenodo["related_identifiers"]
    assert related["identifier"] == paper["identifiers"][0]["value"]
    assert paper["title"] in zenodo["description"]
    assert zenodo["upload_type"] == CITATION["type"]
