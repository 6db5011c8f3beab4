"""Trainings killed at any moment resume and end with the same bytes."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.plans import tiny_plan
from support.trainings import KEYS, LABEL, LSTM, RESULTS, WIDE, contents, fork, status

from replication.plan.plan import Plan
from replication.results import run_folder as folder_names
from replication.results.run_folder import CARD, CONFIDENCE_WEIGHTS, CONFIG, RECORD
from replication.runtime import session
from replication.training.train_run import train


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return tiny_plan(**KEYS)


LIVE = {"logit_cache_limit_gib": 0.0}
KILLED: dict[str, tuple[str, dict[str, Any]]] = {
    "label": (WIDE, {}),
    "ban": (f"{LABEL}/densenet_90_60.ban.0", {}),
    "ban of a live teacher": (f"{LABEL}/densenet_90_60.ban.0", LIVE),
    "ban+l": (f"{LABEL}/densenet_90_60.ban+l.0", {}),
    "cwtm": (f"{LABEL}/densenet_90_60.cwtm.0", {}),
    "dkpp": (f"{LABEL}/densenet_90_60.dkpp.0", {}),
    "dkpp, once a batch": (
        f"{LABEL}/densenet_90_60.dkpp.0",
        {"decisions": {"dkpp_permutation": "batch"}},
    ),
    "dkpp, once a sample": (
        f"{LABEL}/densenet_90_60.dkpp.0",
        {"decisions": {"dkpp_permutation": "sample"}},
    ),
    "shared ends": (f"{LABEL}/wide_resnet_as_dense_1_100.ban.0", {}),
    "words": ("python_reference/cnn_lstm.label.0", {}),
    "words, ban+l": (f"{LSTM}/lstm.ban+l.0", {}),
    "words, ban+l of a live teacher": (f"{LSTM}/lstm.ban+l.0", LIVE),
}
KILLS = 1


@pytest.mark.parametrize("name", KILLED)
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(plan: Plan, name: str) -> None:
    run_id, keys = KILLED[name]
    plan = tiny_plan(**KEYS, **keys)
    run, moment = plan.run(run_id), random.Random(name)
    for member in run.lineage:
        train(plan, member)
    started = time.monotonic()
    train(plan, run)
    seconds = time.monotonic() - started
    undisturbed = contents(plan, run_id)
    folder = plan.folder(run)
    shutil.rmtree(folder)
    kills, resumable = 0, False
    # The last kill leaves a checkpoint: one after the run is finished leaves none to resume from.
    while kills < KILLS or not resumable:
        pid = fork(lambda: train(plan, run))
        time.sleep(moment.uniform(0.2, 0.9) * seconds)
        os.kill(pid, signal.SIGKILL)
        if status(pid) == 0:
            # It finished before the kill.
            shutil.rmtree(folder)
            continue
        kills += 1
        resumable = any(
            (folder / name).exists()
            for name in (folder_names.CHECKPOINT, folder_names.PREVIOUS_CHECKPOINT)
        )
    record = train(plan, run)
    assert contents(plan, run_id) == undisturbed
    assert record["attempts"] > 1
    assert not list(folder.glob("checkpoint*"))
    assert not (folder / session.LOCK).exists()


# A teacher, which also writes logits; students of images and of words.
WRITING = {
    "label": LABEL,
    "ban": f"{LABEL}/densenet_90_60.ban.0",
    "words, ban+l": f"{LSTM}/lstm.ban+l.0",
}


def die_at_change(at: int) -> list[str]:
    """Kill this process before it renames or deletes the file number ``at``.

    Returns the list of the names so far.
    """
    seen: list[str] = []

    def watched(change: Callable[..., Any]) -> Callable[..., Any]:
        def called(self: Path, *given: Any, **options: Any) -> Any:
            if change is not unlink or self.exists():
                if len(seen) == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                seen.append(self.name)
            return change(self, *given, **options)

        return called

    unlink = Path.unlink
    for name in ("replace", "unlink"):
        setattr(Path, name, watched(getattr(Path, name)))
    return seen


@pytest.mark.parametrize("name", WRITING)
def test_a_run_killed_before_any_file_is_renamed_ends_with_the_same_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = tiny_plan(**{**KEYS, "checkpoint": {"epochs": 1, "seconds": 1e6}})
    run, folder = plan.run(WRITING[name]), plan.folder(plan.run(WRITING[name]))
    for member in run.lineage:
        train(plan, member)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", Path.replace)
        patch.setattr(Path, "unlink", Path.unlink)
        changes = die_at_change(-1)
        train(plan, run)
    undisturbed = contents(plan, run.id)
    # Two or three checkpoints, each after the one before was renamed; then the results.
    assert changes.count(folder_names.CHECKPOINT) >= len(changes) // 6
    assert len(changes) >= 10
    for at in range(len(changes)):
        shutil.rmtree(folder)

        def work(at: int = at) -> None:
            die_at_change(at)
            train(plan, run)

        assert status(fork(work)) == -signal.SIGKILL, changes[at]
        train(plan, run)
        assert contents(plan, run.id) == undisturbed, changes[at]
        left = {path.name for path in folder.iterdir() if path.is_file()}
        wanted = {
            *RESULTS,
            CONFIDENCE_WEIGHTS,
            RECORD,
            CONFIG,
            CARD,
            "teacher_logits.18-views.safetensors",
        }
        assert left <= wanted, changes[at]
