"""GPUs of one machine: each training claims a device, and small ones share it."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from replication.config.job_settings import GPU_SLOTS
from replication.errors import InputError
from replication.runtime import gpu_slots as devices
from replication.runtime.gpu_slots import acquire_gpu, acquire_slots

TWO = ["GPU-a", "GPU-b"]


class NoRoomError(Exception):
    """Somebody has to wait."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(seconds: float) -> None:
        raise NoRoomError

    monkeypatch.setattr(devices.time, "sleep", wait)


def test_small_trainings_fill_a_device_before_they_begin_another(tmp_path: Path) -> None:
    with ExitStack() as held:
        indices = [held.enter_context(acquire_slots(TWO, 3, folder=tmp_path)) for _ in range(4)]
        assert indices == [0, 0, 1, 1]
        # Two slots are left on each, and nowhere three.
        with pytest.raises(NoRoomError), acquire_slots(TWO, 3, folder=tmp_path):
            pass
        assert held.enter_context(acquire_slots(TWO, 2, folder=tmp_path)) == 0


def test_a_training_that_takes_a_whole_device_has_it_to_itself(tmp_path: Path) -> None:
    with (
        acquire_slots(TWO, 1, folder=tmp_path) as small,
        acquire_slots(TWO, GPU_SLOTS, folder=tmp_path) as whole,
    ):
        assert (small, whole) == (0, 1)
        with acquire_slots(TWO, 1, folder=tmp_path) as another:
            assert another == 0
        with pytest.raises(NoRoomError), acquire_slots(TWO, GPU_SLOTS, folder=tmp_path):
            pass
    with acquire_slots(TWO, GPU_SLOTS, folder=tmp_path) as whole:
        assert whole == 0


def test_one_that_waits_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ExitStack()
    first.enter_context(acquire_slots(["GPU-a"], 5, folder=tmp_path))
    pauses: list[float] = []

    def end_the_first(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            first.close()

    monkeypatch.setattr(devices.time, "sleep", end_the_first)
    with acquire_slots(["GPU-a"], 4, folder=tmp_path) as index:
        assert index == 0
    assert len(pauses) == 3
    assert capsys.readouterr().err == "waiting for 4 of 8 slots of a GPU\n"


def test_a_killed_training_holds_nothing(tmp_path: Path) -> None:
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with acquire_slots(["GPU-a"], GPU_SLOTS, folder=tmp_path):
            os.write(tell, b"1")
            signal.pause()
    os.read(ready, 1)
    with pytest.raises(NoRoomError), acquire_slots(["GPU-a"], 1, folder=tmp_path):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with acquire_slots(["GPU-a"], GPU_SLOTS, folder=tmp_path) as index:
        assert index == 0


def test_a_device_is_known_by_its_uuid_whatever_its_number(tmp_path: Path) -> None:
    with (
        acquire_slots(["GPU-b"], GPU_SLOTS, folder=tmp_path) as alone,
        acquire_slots(TWO, GPU_SLOTS, folder=tmp_path) as among_two,
    ):
        assert (alone, among_two) == (0, 0)
        with pytest.raises(NoRoomError), acquire_slots(["GPU-b"], 1, folder=tmp_path):
            pass


def test_locks_that_cannot_be_made_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file", encoding="utf-8")
    with (
        pytest.raises(InputError, match="locks: cannot hold the lock files of GPUs"),
        acquire_slots(TWO, 1, folder=tmp_path / "locks"),
    ):
        pass


def test_each_cuda_training_gets_the_number_of_the_device_that_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Properties:
        def __init__(self, number: int) -> None:
            self.uuid = f"GPU-{number}"

    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", Properties)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    with acquire_gpu(GPU_SLOTS) as first, acquire_gpu(GPU_SLOTS) as second:
        assert [first, second] == [torch.device("cuda", 0), torch.device("cuda", 1)]
        assert chosen == [0, 1]
