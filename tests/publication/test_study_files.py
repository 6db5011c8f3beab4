"""The publication of a study has what is needed to check it where the study is not."""

import shutil
from pathlib import Path

import pytest
from safetensors.torch import save_file
from support.checks import refused
from support.plans import ROOT
from support.published_results import SOURCES, finish
from support.studies import STUDY, TABLE, train_study, write_study

from replication.errors import InputError
from replication.networks import timm
from replication.plan.plan import Plan
from replication.publication.derive import derive
from replication.publication.publish import publish
from replication.publication.write_pooled import write_pool
from replication.verify.verification import verify

FILES = {
    *("tables/own.yaml", "claims.yaml", "losses.py", "distances/square.py", "descriptions.json"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a study was trained, with a teacher from elsewhere, and published."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copytree(ROOT / "tables", folder / "tables")
        given = {"weights": "pets/given.safetensors", "network": "timm:test_resnet"}
        columns = {**TABLE["columns"], "given": given}
        columns["of given"] = {"objective": "ban", "teacher": "given", "seed_offset": 1000}
        file = write_study({**TABLE, "columns": columns})
        network = timm.create_model("test_resnet", num_classes=3, in_chans=1)
        save_file(network.state_dict(), STUDY / "given.safetensors")
        plan = train_study(file)
        finish(plan)
        publish(plan.results)
    return folder


@pytest.fixture
def elsewhere(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The publication in another folder, in which there is no study and no data."""
    shutil.copytree(made / "published/pets", tmp_path / "published/pets")
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    for name in SOURCES:
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return Path("published/pets")


def test_a_publication_has_tables_claims_and_losses_and_verifies_elsewhere(elsewhere: Path) -> None:
    study = elsewhere / "study"
    file_names = {str(file.relative_to(study)) for file in study.rglob("*") if file.is_file()}
    assert file_names == FILES
    findings = verify(elsewhere)
    assert findings.problems == []
    assert {"tables/own.csv", "claims.csv", "cells.csv"} <= {
        name for name, check in findings.checks.items() if check == "recomputed"
    }


def test_results_whose_study_was_moved_away_are_not_blamed_on_the_suites_tables(made: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        STUDY.rename("moved")
        try:
            with refused(f"{STUDY}: no such folder, which should have the study's table own"):
                verify(Path("results/pets"))
        finally:
            Path("moved").rename(STUDY)


@pytest.mark.parametrize("name", ["losses.py", "distances/square.py", "claims.yaml"])
def test_a_changed_file_of_a_study_is_found(name: str, elsewhere: Path) -> None:
    file = elsewhere / "study" / name
    file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    problems = verify(elsewhere).problems
    assert any(f"{file}: is not the file that" in problem for problem in problems)
    # The source of a loss belongs to the recipe of its runs.
    assert any("recipe_hash" in problem for problem in problems) == name.endswith(".py")


def test_derived_files_are_derived_elsewhere(elsewhere: Path) -> None:
    assert derive(elsewhere, notebooks=False) == []
    assert verify(elsewhere).problems == []


def test_pooled_studies_verify_elsewhere(elsewhere: Path) -> None:
    shutil.copytree(elsewhere, elsewhere.with_name("again"))
    to, findings, _ = write_pool(
        [elsewhere, elsewhere.with_name("again")], "pooled", notebooks=False
    )
    assert findings.problems == []
    for name in ("pets", "again"):
        shutil.rmtree(elsewhere.with_name(name))
    assert verify(to).problems == []
    assert (to / "study/losses.py").is_file()


def test_a_study_does_not_replace_the_publication_of_another(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    results = Path("results/pets")
    publish(results)
    scale = Path("published/pets/scale.json")
    text = scale.read_text(encoding="utf-8")
    scale.write_text(text.replace('"folder": "pets"', '"folder": "config"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"another scale of this name, from the folder config"):
        publish(results)
    assert '"folder": "config"' in scale.read_text(encoding="utf-8")
    to, _ = publish(results, Path("published/other"))
    assert to.is_dir()


def test_the_suites_own_scales_have_no_study() -> None:
    from replication.publication.study_files import study_files

    plan = Plan.read([ROOT / "config/digits.yaml"], ROOT / "tables")
    assert study_files(plan) == {}
