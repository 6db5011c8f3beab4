"""Run folders of unknown origin: no file in them is unpickled."""

import pickle
from pathlib import Path

import pytest
import torch
from support.archives import Payload
from support.project import STUDENT, TEACHER, TRAIN_STUDENT, TRAIN_TEACHER, Project

from replication.errors import InputError
from replication.results.run_folder import MODEL, PREDICTIONS
from replication.results.run_record import read_predictions


def write_malicious(file: Path, kind: str, marker: Path) -> None:
    payload = {"identity": Payload(marker), "seconds": 1.0, "attempts": 1, "trainer": {}}
    if kind == "pickle":
        file.write_bytes(pickle.dumps(payload))
    else:
        torch.save(payload, file, _use_new_zipfile_serialization=kind == "zip")


KINDS = ["pickle", "zip", "old format"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_payload_runs_when_loaded_carelessly(kind: str, tmp_path: Path) -> None:
    file, marker = tmp_path / "checkpoint.pt", tmp_path / "marker"
    write_malicious(file, kind, marker)
    if kind == "pickle":
        pickle.loads(file.read_bytes())
    else:
        torch.load(file, weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_malicious_checkpoint_is_ignored(kind: str, project: Project) -> None:
    write_malicious(project.of(TEACHER, "checkpoint.pt"), kind, project / "marker")
    status, stderr = project.call(TRAIN_TEACHER)
    assert status == 0
    assert "checkpoint.pt: damaged (" in stderr
    assert not (project / "marker").exists()


@pytest.mark.parametrize("name", [MODEL, "teacher_logits.9-views.safetensors"])
def test_a_malicious_teacher_is_refused(name: str, project: Project) -> None:
    write_malicious(project.of(TEACHER, name), "zip", project / "marker")
    if name == MODEL:  # with a record that names its checksum
        project.update_checksum(TEACHER, name)
        project.of(TEACHER, "teacher_logits.9-views.safetensors").unlink()
    project.refuses(TRAIN_STUDENT, f"{name}: damaged")
    assert not (project / "marker").exists()


def test_malicious_predictions_are_refused(project: Project) -> None:
    file = project.of(STUDENT, PREDICTIONS)
    write_malicious(file, "zip", project / "marker")
    with pytest.raises(InputError, match=f"{PREDICTIONS}: damaged"):
        read_predictions(file.parent)
    assert not (project / "marker").exists()
