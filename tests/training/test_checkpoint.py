"""Trainings that are killed, stopped, doubled or damaged: they come back to the same bytes."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from support.plans import ROOT, TINY, tiny_plan

from replication.config.scale import CheckpointSchedule
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.runs import folder as folder_names
from replication.runs import record as runs
from replication.runtime import lock
from replication.runtime.signals import EXIT_RESUMABLE, Interrupted
from replication.training.checkpoint import Checkpointer
from replication.training.run import train

WIDE = "digits/wide_resnet_28_1.label.0"
LABEL = "two_digit_numbers/densenet_90_60.label.0"
LSTM = "python_reference/lstm.label.0"
RESULTS = (runs.MODEL, runs.PREDICTIONS, runs.HISTORY)
# Everything that draws random numbers draws some, and a state is saved at every step.
KEYS: dict[str, Any] = {
    "networks": {"wide_resnet": {"dropout": 0.3}},
    "images": {"epochs": 3, "crop_padding": 1, "flip": True, "evaluate_every": 1},
    "language": {"lstm": {"epochs": 2}, "cnn_lstm": {"epochs": 2}},
    "datasets": {"ptb": {"train": 6000}},
    "checkpoint": {"epochs": 1, "seconds": 1e-9},
}


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.chdir(tmp_path)
    return tiny_plan(**KEYS)


def contents(plan: Plan, run_id: str) -> dict[str, bytes]:
    folder = plan.folder(plan.run(run_id))
    return {name: (folder / name).read_bytes() for name in RESULTS}


def fork(work: Callable[[], object]) -> int:
    """A process of its own that does the work; its exit status is 0, 75, or 1."""
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except Interrupted:
            status = EXIT_RESUMABLE
        finally:
            os._exit(status)
    return pid


def status(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


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
KILLS = 2


@pytest.mark.parametrize("name", KILLED)
def test_a_run_that_is_killed_at_random_moments_ends_with_the_same_bytes(
    plan: Plan, name: str
) -> None:
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
    # The last kill leaves a state: one after the run is whole leaves none to go on from.
    while kills < KILLS or not resumable:
        pid = fork(lambda: train(plan, run))
        time.sleep(moment.uniform(0.2, 0.9) * seconds)
        os.kill(pid, signal.SIGKILL)
        if status(pid) == 0:
            # It was faster than the kill.
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
    assert not (folder / lock.LOCK).exists()


# Of a teacher, which leaves answers; of students, by images and by words.
WRITING = {
    "label": LABEL,
    "ban": f"{LABEL}/densenet_90_60.ban.0",
    "words, ban+l": f"{LSTM}/lstm.ban+l.0",
}


def at_each_change_of_names(at: int) -> list[str]:
    """From now on a file's renaming or deletion is noted, and before the one at ``at`` comes death.

    Returns the names so far; this process is to end soon.
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
def test_a_run_that_is_killed_before_any_renaming_of_files_ends_with_the_same_bytes(
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
        changes = at_each_change_of_names(-1)
        train(plan, run)
    undisturbed = contents(plan, run.id)
    # Three saves or two, the last ones after the one before has stepped aside; then the results.
    assert changes.count(folder_names.CHECKPOINT) >= len(changes) // 6
    assert len(changes) >= 10
    for at in range(len(changes)):
        shutil.rmtree(folder)

        def work(at: int = at) -> None:
            at_each_change_of_names(at)
            train(plan, run)

        assert status(fork(work)) == -signal.SIGKILL, changes[at]
        train(plan, run)
        assert contents(plan, run.id) == undisturbed, changes[at]
        left = {path.name for path in folder.iterdir() if path.is_file()}
        wanted = {*RESULTS, runs.RECORD, runs.CONFIG, "teacher_logits.18-views.safetensors"}
        assert left <= wanted, changes[at]


def stop_after(epochs: int, number: int) -> Callable[..., None]:
    """Replaces `after_step`: sends this process a signal after so many epochs."""
    save = Checkpointer.after_step

    def after_step(self: Checkpointer, training: Any) -> None:
        if len(training.history) >= epochs and self.attempts == 1:
            os.kill(os.getpid(), number)
        save(self, training)

    return after_step


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_saves_the_state_and_asks_to_be_run_again(
    plan: Plan, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan.run(WIDE)
    train(plan, run)
    undisturbed = contents(plan, WIDE)
    folder = plan.folder(run)
    shutil.rmtree(folder)
    # Nothing but the signal saves.
    plan = tiny_plan(**{**KEYS, "checkpoint": {"epochs": 0, "seconds": 1e6}})
    monkeypatch.setattr(Checkpointer, "after_step", stop_after(1, number))
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]
    with pytest.raises(Interrupted, match=f"stopped by {number.name} after 1 of 3 epochs"):
        train(plan, run)
    assert {path.name for path in folder.iterdir()} == {folder_names.CHECKPOINT}
    assert before == [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]
    assert train(plan, run)["attempts"] == 2
    assert contents(plan, WIDE) == undisturbed


def test_the_command_exits_with_75_within_seconds_of_a_signal(tmp_path: Path) -> None:
    (tmp_path / "tables").symlink_to(ROOT / "tables")
    long = {**TINY, "images": {"epochs": 100_000, "milestones": [1]}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(long), encoding="utf-8")
    files = ["--configfile", str(ROOT / "config/digits.yaml"), "--configfile", "tiny.yaml"]
    command = [sys.executable, "-m", "replication", "train", WIDE, *files]
    said: list[str] = []
    for _ in range(2):
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as training:
            assert training.stderr
            said = []
            while not said or not said[-1].startswith("epoch "):
                said.append(training.stderr.readline())
                assert training.poll() is None
            training.send_signal(signal.SIGTERM)
            said += training.communicate(timeout=30)[1].splitlines()
        assert training.returncode == 75
        assert said[-1].startswith("stopped by SIGTERM after ")
        assert said[-1].endswith("a checkpoint is saved, and the same command resumes from it")
    assert any(line.startswith("resumed from results/tiny/runs/") for line in said)


def test_a_signal_before_there_is_anything_to_save_stops_at_once(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*args: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr("replication.training.run.load_data", load)
    with pytest.raises(Interrupted):
        train(plan, plan.run(WIDE))
    assert list(plan.folder(plan.run(WIDE)).iterdir()) == []


@pytest.fixture
def stopped(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run that was stopped in its third epoch, with two states."""
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


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        largest = archive.read(max(archive.infolist(), key=lambda entry: entry.file_size))
    # Within a tensor: what lies between two entries has no checksum and no meaning.
    content[content.index(largest) + len(largest) // 2] ^= 1
    file.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "a flipped bit": flip_a_bit,
    "text": lambda file: file.write_text("nothing", encoding="utf-8"),
    "another archive": lambda file: torch.save({"a": 1}, file),
    "missing": lambda file: file.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_named_and_the_one_before_is_used(
    plan: Plan, stopped: Path, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    DAMAGE[damage](stopped / folder_names.CHECKPOINT)
    capfd.readouterr()
    assert train(plan, plan.run(WIDE))["attempts"] == 2
    said = capfd.readouterr().err
    assert damage == "missing" or f"{stopped / folder_names.CHECKPOINT}: damaged (" in said
    assert f"resumed from {stopped / folder_names.PREVIOUS_CHECKPOINT} after epoch 1/3" in said or (
        f"resumed from {stopped / folder_names.PREVIOUS_CHECKPOINT} after epoch 2/3" in said
    )
    resumed = contents(plan, WIDE)
    train(plan, plan.run(WIDE))
    assert contents(plan, WIDE) == resumed


def test_a_damaged_state_does_not_take_the_place_of_the_whole_one(
    plan: Plan, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (stopped / folder_names.PREVIOUS_CHECKPOINT).read_bytes()
    flip_a_bit(stopped / folder_names.CHECKPOINT)
    after_step = Checkpointer.after_step

    def stop(self: Checkpointer, training: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        after_step(self, training)

    monkeypatch.setattr(Checkpointer, "after_step", stop)
    with pytest.raises(Interrupted):
        train(plan, plan.run(WIDE))
    assert (stopped / folder_names.PREVIOUS_CHECKPOINT).read_bytes() == whole


def test_a_run_that_goes_on_under_other_conditions_says_so(
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
    assert "checkpoint.pt: saved with other threads (2; now 1)" in said
    assert "checkpoint.pt: saved with other versions" in said


def test_a_run_that_goes_on_under_the_same_conditions_has_no_others(
    plan: Plan, stopped: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train(plan, plan.run(WIDE))["earlier"] == []
    assert "saved with other" not in capfd.readouterr().err


def test_without_a_whole_state_the_run_starts_anew(
    plan: Plan, stopped: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in (folder_names.CHECKPOINT, folder_names.PREVIOUS_CHECKPOINT):
        flip_a_bit(stopped / name)
    assert train(plan, plan.run(WIDE))["attempts"] == 1
    said = capfd.readouterr().err
    assert said.count("skipped") == 2
    assert "resumed" not in said


def test_a_state_of_another_recipe_is_refused_and_kept(stopped: Path) -> None:
    changed = tiny_plan(**{**KEYS, "images": {**KEYS["images"], "learning_rate": 0.05}})
    before = (stopped / folder_names.CHECKPOINT).read_bytes()
    with pytest.raises(InputError, match=r"checkpoint.pt: belongs to another recipe; delete it"):
        train(changed, changed.run(WIDE))
    assert (stopped / folder_names.CHECKPOINT).read_bytes() == before


def test_a_state_of_another_teacher_is_refused(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    student = plan.run(f"{WIDE}/wide_resnet_28_1.ban.0")
    train(plan, plan.run(WIDE))
    with monkeypatch.context() as patch:
        patch.setattr(Checkpointer, "after_step", stop_after(1, signal.SIGTERM))
        with pytest.raises(Interrupted):
            train(plan, student)
    # The same teacher with other weights: its record vouches for them.
    folder = plan.folder(plan.run(WIDE))
    other = tiny_plan(**{**KEYS, "seeds": [1]})
    train(other, other.run(WIDE.replace("label.0", "label.1")))
    theirs = other.folder(other.run(WIDE.replace("label.0", "label.1")))
    for name in (runs.MODEL, "teacher_logits.18-views.safetensors"):
        shutil.copy(theirs / name, folder / name)
    record = runs.read_record(folder)
    record["checksums"] = runs.read_record(theirs)["checksums"]
    (folder / runs.RECORD).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match=r"checkpoint.pt: belongs to another teacher"):
        train(plan, student)


def test_states_come_at_epoch_ends_and_at_the_chosen_interval(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
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


@pytest.fixture
def lease(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(lock, "LEASE", 1.0)
    return lock.LEASE


def hold(folder: Path, host: str | None = None, seconds: float = 60) -> int:
    """A process that holds a folder, on this machine or as if on another."""

    def work() -> None:
        if host:
            socket.gethostname = lambda: host  # type: ignore[assignment]
        with lock.acquire(folder):
            (folder / "held").touch()
            time.sleep(seconds)
            os._exit(0)  # without giving the folder back

    pid = fork(work)
    while not (folder / "held").exists():
        time.sleep(0.01)
    return pid


@pytest.mark.parametrize("host", [None, "elsewhere"])
def test_a_run_that_is_being_trained_is_left_alone(
    plan: Plan, host: str | None, lease: float
) -> None:
    folder = plan.folder(plan.run(WIDE))
    holder = hold(folder, host)
    place = host or socket.gethostname()
    try:
        with pytest.raises(
            lock.RunLockedError, match=f"process {holder} on {place}.* is training this"
        ):
            train(plan, plan.run(WIDE))
        assert {path.name for path in folder.iterdir()} == {lock.LOCK, "held"}
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)


@pytest.mark.parametrize("host", [None, "elsewhere"])
def test_the_lock_of_a_dead_process_is_taken_over(
    plan: Plan, host: str | None, lease: float
) -> None:
    folder = plan.folder(plan.run(WIDE))
    status(hold(folder, host, seconds=0))
    assert (folder / lock.LOCK).exists()
    train(plan, plan.run(WIDE))
    assert not (folder / lock.LOCK).exists()


def test_a_process_that_wakes_after_its_successor_writes_nothing(
    plan: Plan, lease: float, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_what_a_killed_process_had_half_written_is_deleted(plan: Plan) -> None:
    folder = plan.folder(plan.run(WIDE))
    folder.mkdir(parents=True)
    (folder / f".{folder_names.CHECKPOINT}.4711.part").write_bytes(b"half")
    train(plan, plan.run(WIDE))
    assert not list(folder.glob(".*"))


def test_a_process_that_lost_its_folder_writes_nothing_more(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LEASE", 0.15)
    plan = tiny_plan(**{**KEYS, "images": {"epochs": 100_000, "milestones": [1]}})
    folder = plan.folder(plan.run(WIDE))
    after_epoch = Checkpointer.after_epoch

    def lose(self: Checkpointer, training: Any) -> None:
        (folder / lock.LOCK).unlink(missing_ok=True)
        after_epoch(self, training)

    monkeypatch.setattr(Checkpointer, "after_epoch", lose)
    with pytest.raises(lock.RunLockedError, match=r"was suspended and lost train\.lock"):
        train(plan, plan.run(WIDE))
    assert not {path.name for path in folder.iterdir()} & {runs.RECORD, runs.FAILURE}
