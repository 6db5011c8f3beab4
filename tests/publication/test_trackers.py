"""Finished runs go to trackers: TensorBoard's files are read back, other calls are recorded."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from support.project import STUDENT, Project

from replication.errors import InputError
from replication.publication.trackers import export


def test_tensorboard_reads_every_metric_by_epoch(project: Project, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert export(project.results, "tensorboard", tmp_path) == len(
        list((project.results / "runs").rglob("run.json"))
    )
    run_events = accumulator.EventAccumulator(str(tmp_path / project.results.name / STUDENT))
    run_events.Reload()
    history = pd.read_csv(project.of(STUDENT, "history.csv"))
    for name in ("train_loss", "train_error", "divergence"):
        events = run_events.Scalars(name)
        assert [event.step for event in events] == history["epoch"].tolist()
        assert [event.value for event in events] == pytest.approx(history[name].tolist(), rel=1e-5)
    assert "result/test error (%)" in run_events.Tags()["scalars"]
    assert "recipe/text_summary" in run_events.Tags()["tensors"]


class Recorder(SimpleNamespace):
    """Takes the calls of a tracker's module, and remembers them by run."""

    def __init__(self) -> None:
        super().__init__(steps=[], config={}, names=[], summary={}, uri="")

    def init(self, name: str, config: dict[str, Any], **_: Any) -> "Recorder":
        self.names.append(name)
        self.config = config
        return self

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.steps.append((self.names[-1], step, metrics))

    def finish(self) -> None:
        pass

    def set_tracking_uri(self, uri: str) -> None:
        self.uri = uri

    def set_experiment(self, name: str) -> None:
        self.experiment = name

    def start_run(self, run_name: str) -> "Recorder":
        self.names.append(run_name)
        return self

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def log_params(self, parameters: dict[str, str]) -> None:
        self.config = parameters

    def log_metrics(self, metrics: dict[str, float], step: int = -1) -> None:
        if step >= 0:
            self.log(metrics, step)
        else:
            self.summary.update(metrics)


@pytest.mark.parametrize(
    ("tracker", "result"), [("wandb", "test error (%)"), ("mlflow", "test error percent")]
)
def test_a_tracker_gets_history_recipe_and_result(
    tracker: str, result: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, tracker, recorder)  # type: ignore[arg-type]
    export(project.results, tracker, tmp_path / "out")
    history = pd.read_csv(project.of(STUDENT, "history.csv"))
    steps = [(step, metrics) for name, step, metrics in recorder.steps if name == STUDENT]
    assert [step for step, _ in steps] == history["epoch"].tolist()
    assert steps[-1][1]["train_loss"] == pytest.approx(history["train_loss"].iloc[-1])
    # Without a value in an epoch there is no metric: NaN would be shown as a number.
    assert all(pd.notna(value) for _, metrics in steps for value in metrics.values())
    assert "training.epochs" in recorder.config
    assert result in recorder.summary


def test_what_cannot_be_exported_is_one_line(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no such tracker; available: tensorboard, wandb, mlflow"):
        export(project.results, "aim", tmp_path)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match=r"wandb: is not installed; pip install wandb"):
        export(project.results, "wandb", tmp_path)
    with pytest.raises(InputError, match="no finished run; name a folder"):
        export(tmp_path, "tensorboard", tmp_path)
