"""A stopped or killed training resumes from its checkpoint and ends with the same bytes."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.plans import ROOT, TINY, tiny_plan
from support.project import flip_tensor_bit
from support.trainings import KEYS, LABEL, LSTM, WIDE, contents, fork, status

from replication.config.job_settings import CheckpointSchedule
from replication.errors import STOPPING_SIGNALS, InputError, Interrupted
from replication.plan.plan import Plan
from replication.results import run_folder as folder_names
from replication.results.run_folder import FAILURE, MODEL, RECORD
from replication.results.run_record import read_record
from replication.runtime import session
from replication.training.checkpoint import Checkpointer
from replication.training.loop import (
    generator_state,
    global_generator_states,
    make_generator,
    restore_generator,
    restore_global_generators,
)
from replication.training.train_run import train


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return tiny_plan(**KEYS)


def kill_after(epochs: int) -> Callable[..., None]:
    """Replaces `after_epoch`: kills this process when so many epochs are saved."""
    save = Checkpointer.after_epoch

    def after_epoch(self: Checkpointer, training: Any) -> None:
        save(self, training)
        if len(training.history) == epochs and self.attempts == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    return after_epoch


@pytest.mark.parametrize(
    "run_id",
    [WIDE, f"{LABEL}/densenet_90_60.dkpp.0", f"{LSTM}/lstm.ban+l.0"],
    ids=["label", "dkpp", "language"],
)
def test_a_killed_run_resumes_to_the_same_bytes(
    run_id: str, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan.run(run_id)
    for member in (*run.lineage, run):
        train(plan, member)
    undisturbed = contents(plan, run_id)
    shutil.rmtree(plan.folder(run))
    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "after_epoch", kill_after(1))
        assert status(fork(lambda: train(plan, run))) == -signal.SIGKILL
    assert train(plan, run)["attempts"] == 2
    assert contents(plan, run_id) == undisturbed
    assert not list(plan.folder(run).glob("checkpoint*"))


def stop_after(epochs: int, number: int) -> Callable[..., None]:
    """Replaces `after_step`: sends this process a signal after so many epochs."""
    save = Checkpointer.after_step

    def after_step(self: Checkpointer, training: Any) -> None:
        if len(training.history) >= epochs and self.attempts == 1:
            os.kill(os.getpid(), number)
        save(self, training)

    return after_step


@pytest.mark.parametrize("number", STOPPING_SIGNALS)
def test_a_signal_saves_a_checkpoint_and_the_run_resumes(
    plan: Plan, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan.run(WIDE)
    train(plan, run)
    undisturbed = contents(plan, WIDE)
    folder = plan.folder(run)
    shutil.rmtree(folder)
    # Only the signal saves.
    plan = tiny_plan(**{**KEYS, "checkpoint": {"epochs": 0, "seconds": 1e6}})
    monkeypatch.setattr(Checkpointer, "after_step", stop_after(1, number))
    before = [signal.getsignal(each) for each in STOPPING_SIGNALS]
    with pytest.raises(Interrupted, match=f"stopped by {number.name} after 1 of 3 epochs"):
        train(plan, run)
    assert {path.name for path in folder.iterdir()} == {folder_names.CHECKPOINT}
    assert before == [signal.getsignal(each) for each in STOPPING_SIGNALS]
    assert train(plan, run)["attempts"] == 2
    assert contents(plan, WIDE) == undisturbed


FILES = ["--configfile", str(ROOT / "config/digits.yaml"), "--configfile", "tiny.yaml"]
ENDLESS = [sys.executable, "-m", "replication", "train", WIDE, *FILES]
"""The command of a training that does not end by itself."""


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """The folder to call `ENDLESS` in."""
    (tmp_path / "tables").symlink_to(ROOT / "tables")
    long = {**TINY, "images": {"epochs": 100_000, "milestones": [1]}}
    # Only signals save.
    long |= {"checkpoint": {"epochs": 0, "seconds": 1e6}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(long), encoding="utf-8")
    return tmp_path


def wait_for_an_epoch(training: "subprocess.Popen[str]") -> None:
    assert training.stderr
    while not training.stderr.readline().startswith("epoch "):
        assert training.poll() is None


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_command_exits_with_75_within_seconds_of_a_signal(
    endless: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(ENDLESS, cwd=endless, stderr=subprocess.PIPE, text=True) as training:
        wait_for_an_epoch(training)
        training.send_signal(number)
        lines = training.communicate(timeout=60)[1].splitlines()
    assert training.returncode == 75
    assert lines[-1].startswith(f"stopped by {number.name} after ")
    assert lines[-1].endswith("a checkpoint was saved, and the same command resumes from it")
    assert (endless / "results/tiny/runs" / WIDE / folder_names.CHECKPOINT).exists()


@pytest.mark.long
def test_under_nohup_a_training_goes_on_when_the_terminal_is_closed(endless: Path) -> None:
    command = ["nohup", *ENDLESS]
    with subprocess.Popen(command, cwd=endless, stderr=subprocess.PIPE, text=True) as training:
        wait_for_an_epoch(training)
        training.send_signal(signal.SIGHUP)
        for _ in range(3):
            wait_for_an_epoch(training)
        training.send_signal(signal.SIGTERM)
        lines = training.communicate(timeout=60)[1].splitlines()
    assert training.returncode == 75
    assert lines[-1].startswith("stopped by SIGTERM after ")


def test_a_training_whose_terminal_is_closed_saves_a_checkpoint(endless: Path) -> None:
    # A process of its own session with a terminal, which takes no more lines once it is closed.
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(endless)
        os.execv(ENDLESS[0], ENDLESS)  # noqa: S606 - the terminal is that of this process
    shown = b""
    while b"\nepoch " not in shown:
        shown += os.read(terminal, 1000)
    os.close(terminal)
    assert status(pid) == 75
    folder = endless / "results/tiny/runs" / WIDE
    assert {path.name for path in folder.iterdir()} == {folder_names.CHECKPOINT}
    content = torch.load(folder / folder_names.CHECKPOINT, weights_only=True)
    assert len(content["trainer"]["history"]) >= 1


def test_a_signal_before_the_training_starts_stops_at_once(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*args: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr("replication.training.train_run.load_data", load)
    with pytest.raises(Interrupted):
        train(plan, plan.run(WIDE))
    assert list(plan.folder(plan.run(WIDE)).iterdir()) == []


@pytest.fixture
def stopped(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that was stopped in its third epoch, with two checkpoints."""
    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "after_step", stop_after(2, signal.SIGTERM))
        with pytest.raises(Interrupted):
            train(plan, plan.run(WIDE))
    folder = plan.folder(plan.run(WIDE))
    assert {path.name for path in folder.iterdir()} == {
        folder_names.CHECKPOINT,
        folder_names.PREVIOUS_CHECKPOINT,
    }
    return folder


def as_saved_on_a_gpu(state: dict[str, Any]) -> None:
    """Change a trainer's state to what one on a GPU saves: its generators are of another kind."""
    gpu_state = torch.zeros(16, dtype=torch.uint8)
    state["permutation"] = {"device": "cuda", "state": gpu_state}
    state["global_generators"].append({"device": "cuda", "state": gpu_state})


def test_a_checkpoint_of_another_kind_of_device_is_resumed(
    plan: Plan, stopped: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = torch.load(stopped / folder_names.CHECKPOINT, weights_only=True)
    as_saved_on_a_gpu(content["trainer"])
    content["conditions"][-1]["device"] = "a GPU"
    torch.save(content, stopped / folder_names.CHECKPOINT)
    record = train(plan, plan.run(WIDE))
    assert record["attempts"] == 2
    assert [conditions["device"] for conditions in record["earlier"]] == ["a GPU"]
    assert (
        "checkpoint.pt: saved under other conditions (device: a GPU, now " in capfd.readouterr().err
    )


def test_a_generator_continues_only_from_the_state_of_its_own_kind_of_device() -> None:
    generator = make_generator("a/run", "permutation")
    torch.rand(5, generator=generator)
    saved = generator_state(generator)
    expected = torch.rand(3, generator=generator)
    resumed = make_generator("a/run", "permutation")
    restore_generator(resumed, saved)
    assert torch.equal(torch.rand(3, generator=resumed), expected)
    # One of another kind begins its own stream.
    moved = make_generator("a/run", "permutation")
    restore_generator(moved, {"device": "cuda", "state": torch.zeros(16, dtype=torch.uint8)})
    begun = torch.rand(3, generator=make_generator("a/run", "permutation"))
    assert torch.equal(torch.rand(3, generator=moved), begun)
    # A checkpoint of a CPU has no state for CUDA's generators, which stay as they are.
    restore_global_generators(global_generator_states(torch.device("cpu")), torch.device("cuda"))


def test_a_damaged_checkpoint_does_not_replace_the_intact_one(
    plan: Plan, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (stopped / folder_names.PREVIOUS_CHECKPOINT).read_bytes()
    flip_tensor_bit(stopped / folder_names.CHECKPOINT)
    after_step = Checkpointer.after_step

    def stop(self: Checkpointer, training: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        after_step(self, training)

    monkeypatch.setattr(Checkpointer, "after_step", stop)
    with pytest.raises(Interrupted):
        train(plan, plan.run(WIDE))
    assert (stopped / folder_names.PREVIOUS_CHECKPOINT).read_bytes() == whole


def test_resuming_under_other_conditions_is_reported_and_recorded(
    plan: Plan, stopped: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = torch.load(stopped / folder_names.CHECKPOINT, weights_only=True)
    (conditions,) = content["conditions"]
    assert conditions["threads"] == 1
    earlier = {**conditions, "threads": 2, "versions": {**conditions["versions"], "torch": "1.0"}}
    torch.save({**content, "conditions": [earlier]}, stopped / folder_names.CHECKPOINT)
    record = train(plan, plan.run(WIDE))
    assert record["earlier"] == [earlier]
    assert record["threads"] == 1
    said = capfd.readouterr().err
    assert "checkpoint.pt: saved under other conditions (threads: 2, now 1)" in said
    assert "checkpoint.pt: saved under other conditions (versions: " in said


def test_resuming_under_the_same_conditions_reports_nothing(
    plan: Plan, stopped: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train(plan, plan.run(WIDE))["earlier"] == []
    assert "saved under other conditions" not in capfd.readouterr().err


def test_without_an_intact_checkpoint_the_run_starts_again(
    plan: Plan, stopped: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in (folder_names.CHECKPOINT, folder_names.PREVIOUS_CHECKPOINT):
        flip_tensor_bit(stopped / name)
    assert train(plan, plan.run(WIDE))["attempts"] == 1
    said = capfd.readouterr().err
    assert said.count("skipped") == 2
    assert "resumed" not in said


def test_a_checkpoint_of_another_recipe_is_refused_and_kept(stopped: Path) -> None:
    changed = tiny_plan(**{**KEYS, "images": {**KEYS["images"], "learning_rate": 0.05}})
    before = (stopped / folder_names.CHECKPOINT).read_bytes()
    with pytest.raises(InputError, match=r"checkpoint.pt: belongs to another recipe; delete it"):
        train(changed, changed.run(WIDE))
    assert (stopped / folder_names.CHECKPOINT).read_bytes() == before


def test_a_checkpoint_of_another_teacher_is_refused(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = plan.run(f"{WIDE}/wide_resnet_28_1.ban.0")
    train(plan, plan.run(WIDE))
    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "after_step", stop_after(1, signal.SIGTERM))
        with pytest.raises(Interrupted):
            train(plan, student)
    # The same teacher with other weights, which its record names.
    folder = plan.folder(plan.run(WIDE))
    other = tiny_plan(**{**KEYS, "seeds": [1]})
    train(other, other.run(WIDE.replace("label.0", "label.1")))
    other_folder = other.folder(other.run(WIDE.replace("label.0", "label.1")))
    for name in (MODEL, "teacher_logits.18-views.safetensors"):
        shutil.copy(other_folder / name, folder / name)
    record = read_record(folder)
    record["checksums"] = read_record(other_folder)["checksums"]
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match=r"checkpoint.pt: belongs to another teacher"):
        train(plan, student)


def test_checkpoints_follow_the_schedule(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(
        Checkpointer, "save", lambda self, training: saved.append(len(training.history))
    )
    for saving, expected in (
        ({"epochs": 1, "seconds": 1e6}, [1, 2, 3]),
        ({"epochs": 2, "seconds": 1e6}, [2]),
        ({"epochs": 0, "seconds": 1e6}, []),
    ):
        saved.clear()
        plan = tiny_plan(**{**KEYS, "checkpoint": saving})
        train(plan, plan.run(WIDE))
        assert saved == expected
    saved.clear()
    steps = -(-200 // plan.scale.images.batch_size)
    plan = tiny_plan(**{**KEYS, "checkpoint": {"epochs": 0, "seconds": 1e-9}})
    train(plan, plan.run(WIDE))
    assert len(saved) >= 3 * steps
    assert CheckpointSchedule().epochs == 1


def test_a_suspended_process_writes_nothing_after_its_successor(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LEASE", 1.0)
    run, folder = plan.run(WIDE), plan.folder(plan.run(WIDE))
    asleep = folder.parent / "asleep"

    def sleep(self: Checkpointer, training: Any) -> None:
        if len(training.history) == 2 and not asleep.exists():
            asleep.touch()
            os.kill(os.getpid(), signal.SIGSTOP)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "after_epoch", sleep)
        orphan = fork(lambda: train(plan, run))
        os.waitpid(orphan, os.WUNTRACED)
    train(plan, run)
    (folder / "successor").touch()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    os.kill(orphan, signal.SIGCONT)
    assert status(orphan) == 1
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_partial_files_of_a_killed_process_are_deleted(plan: Plan) -> None:
    folder = plan.folder(plan.run(WIDE))
    folder.mkdir(parents=True)
    (folder / f".{folder_names.CHECKPOINT}.4711.part").write_bytes(b"half")
    train(plan, plan.run(WIDE))
    assert not list(folder.glob(".*"))


def test_a_process_that_lost_its_lock_writes_nothing(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LEASE", 0.15)
    plan = tiny_plan(**{**KEYS, "images": {"epochs": 100_000, "milestones": [1]}})
    folder = plan.folder(plan.run(WIDE))
    after_epoch = Checkpointer.after_epoch

    def lose(self: Checkpointer, training: Any) -> None:
        (folder / session.LOCK).unlink(missing_ok=True)
        after_epoch(self, training)

    monkeypatch.setattr(Checkpointer, "after_epoch", lose)
    with pytest.raises(session.RunLockedError, match=r"was suspended and lost train\.lock"):
        train(plan, plan.run(WIDE))
    assert not {path.name for path in folder.iterdir()} & {RECORD, FAILURE}
