"""What the rules ask of a plan, without Snakemake."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.plans import ROOT, tiny_plan

from replication.config import datasets
from replication.config.datasets import OwnImages
from replication.plan.plan import Plan
from replication.report.notebook_catalogue import NOTEBOOKS
from replication.workflow.rules import ConfigFiles, Rules

STUDENT = "digits/wide_resnet_28_1.label.0/wide_resnet_28_1.ban.0"
STUDENT_JOB: Any = SimpleNamespace(run=STUDENT, table="table1", scale="tiny")


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rules:
    monkeypatch.chdir(tmp_path)
    return Rules(tiny_plan(), ConfigFiles((Path("a b.yaml"), Path("c.yaml"))))


def test_scale_files_are_passed_as_options_of_a_shell(rules: Rules) -> None:
    assert str(rules.configfiles) == "--configfile 'a b.yaml' --configfile c.yaml"
    assert str(Rules(tiny_plan()).configfiles) == ""


def test_a_student_depends_on_its_teachers_weights(rules: Rules) -> None:
    teacher = str(Path(STUDENT).parent)
    assert rules.teacher_model(STUDENT_JOB) == [f"results/tiny/runs/{teacher}/model.safetensors"]
    root: Any = SimpleNamespace(run=teacher)
    assert rules.teacher_model(root) == []


def test_a_finished_run_that_came_without_its_data_needs_none(rules: Rules) -> None:
    assert rules.data(STUDENT_JOB) == ["results/tiny/data/digits.json"]
    folder = rules.plan.folder(rules.run(STUDENT_JOB))
    folder.mkdir(parents=True)
    (folder / "run.json").touch()
    assert rules.data(STUDENT_JOB) == []
    Path("results/tiny/data").mkdir()
    Path("results/tiny/data/digits.json").touch()
    assert rules.data(STUDENT_JOB) == ["results/tiny/data/digits.json"]


def test_a_tables_hash_changes_with_its_cells(rules: Rules) -> None:
    same, seeds, ensemble = (
        Rules(tiny_plan(**keys)).table_hash(STUDENT_JOB)
        for keys in ({}, {"seeds": [0, 1]}, {"decisions": {"ensemble": "logits"}})
    )
    assert rules.table_hash(STUDENT_JOB) == same
    assert len({same, seeds, ensemble}) == 3


def test_notebooks_are_built_where_their_tables_are(rules: Rules) -> None:
    assert len(rules.pages()) == len(NOTEBOOKS)
    pages = Rules(tiny_plan(tables=["table2"])).pages()
    assert "results/tiny/notebooks/dark_knowledge.html" in pages
    assert "results/tiny/notebooks/figures.html" not in pages


def test_the_workflow_is_short() -> None:
    count = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in
             (ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk"))}  # fmt: skip
    assert count[ROOT / "Snakefile"] <= 60
    assert max(count.values()) < 100


def test_a_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pets = OwnImages(folder=str(tmp_path / "pets"), size=(8, 8), channels=1)
    scale = tiny_plan().scale
    scale = scale.model_copy(update={"datasets": {**scale.datasets, "cifar10": pets}})
    rules = Rules(Plan.make(scale, ROOT / "tables"))
    listed: list[Path] = []
    monkeypatch.setattr(datasets, "source_state", lambda place, *_: f"state {listed.append(place)}")
    job: Any = SimpleNamespace(dataset="pets")
    assert {rules.source_state(job) for _ in range(3)} == {"state None"}
    assert listed == [tmp_path / "pets"]
    other: Any = SimpleNamespace(dataset="two_digit_numbers")
    assert rules.source_state(other) == ""
