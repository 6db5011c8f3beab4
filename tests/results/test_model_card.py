"""A model card says what the record says, and its code loads the network."""

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from support.project import LSTM, STUDENT, TEACHER, Project

from replication.results.model_card import model_card


def card_of(project: Project, run: str) -> tuple[str, dict[str, object]]:
    text = project.of(run, "README.md").read_text(encoding="utf-8")
    return text, json.loads(project.of(run, "run.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("run", [TEACHER, STUDENT, LSTM])
def test_the_hub_reads_the_result_of_every_run(project: Project, run: str) -> None:
    text, record = card_of(project, run)
    assert text == model_card(record)
    data = ModelCard(text).data
    metrics = {result.metric_name: result.metric_value for result in data.eval_results}
    assert metrics == pytest.approx(record["result"], abs=1e-4)
    assert data.model_name == run.rpartition("/")[2]


def test_a_student_names_its_teacher_and_a_teacher_none(project: Project) -> None:
    text, record = card_of(project, STUDENT)
    assert f"trained on the predictions of `{TEACHER}` (objective `ban`)" in text
    assert f"0. `{TEACHER}`, weights `{record['lineage'][0]['model_sha256'][:12]}`" in text
    assert "1. this network" in text
    assert "trained without a teacher" in card_of(project, TEACHER)[0]


def code_of(text: str) -> str:
    return text.partition("```python\n")[2].partition("```")[0]


def test_the_code_for_images_loads_the_trained_network(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, record = card_of(project, STUDENT)
    monkeypatch.chdir(project.of(STUDENT, "."))
    namespace: dict[str, object] = {"images": torch.zeros(2, 1, 8, 8)}
    exec(code_of(text), namespace)
    assert namespace["logits"].shape == (2, record["dataset"]["classes"])


def test_the_code_for_language_loads_the_trained_network(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, record = card_of(project, LSTM)
    monkeypatch.chdir(Path(project.of(LSTM, ".")))
    vocabulary = [str(n) for n in range(record["dataset"]["words"])]
    namespace: dict[str, object] = {"vocabulary": vocabulary}
    exec(code_of(text), namespace)
    network = namespace["network"]
    assert sum(weight.numel() for weight in network.parameters()) == record["parameters"]


def test_weights_from_elsewhere_have_the_normalisation_of_their_own(project: Project) -> None:
    _, record = card_of(project, TEACHER)
    own = {"mean": [0.485], "std": [0.229], "source": "stated in its cell"}
    text = model_card({**record, "normalisation": own})
    assert "## Normalisation\n\n| | |\n|---|---|\n| mean | [0.485] |\n| std | [0.229] |" in text
    assert text.count("| mean |") == 1
    assert "## Normalisation" not in model_card(record)
