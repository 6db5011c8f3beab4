"""One training in several processes: the result of one process, and nothing left behind."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import timm
import torch
import yaml
from conftest import ROOT, TINY, tiny_plan
from safetensors.torch import load_file
from test_security import listening

from replication import launch, runs
from replication.errors import InputError
from replication.interruption import AGAIN
from replication.jobs import Jobs
from replication.objectives import OBJECTIVES
from replication.plan import Plan
from replication.schema import merge
from replication.training import checks, lock
from replication.training.ingredients import load_data
from replication.training.parallel import ALONE, Group, joined
from replication.training.precision import find_device
from replication.training.replica import synchronise
from replication.training.run import train

WIDE = "digits/wide_resnet_28_1.label.0"
DENSE = "two_digit_numbers/densenet_90_60"
LABEL = f"{DENSE}.label.0"
CPU = torch.device("cpu")
LIMIT = 300
TWO = {"training_takes": {"processes": 2}, "network_takes": {"lstm": {}, "cnn_lstm": {}}}
# The last batch of 200 images has 5. At such a rate rounding stays small.
SMOOTH: dict[str, Any] = {
    "images": {"batch_size": 65, "learning_rate": 0.002, "crop_padding": 1, "flip": True},
    "networks": {"densenet": {"width_ratio": "1/8", "depth_ratio": "1/14"}},
}


class Place:
    """A folder in which trainings are called."""

    def __init__(self, folder: Path, *keys: dict[str, Any]) -> None:
        self.folder = folder
        self.config = merge(TINY, TWO)
        for more in keys:
            self.config = merge(self.config, more)
        (folder / "tables").symlink_to(ROOT / "tables")
        (folder / "tiny.yaml").write_text(yaml.safe_dump(self.config), encoding="utf-8")

    def run(self, run_id: str) -> Path:
        return self.folder / "results/tiny/runs" / run_id

    def start(self, run_id: str, *by: str) -> "Call":
        files = ["--configfile", str(ROOT / "config/digits.yaml"), "--configfile", "tiny.yaml"]
        return Call(
            [sys.executable, *by, "-m", "replication", "train", run_id, *files],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, run_id: str, *by: str) -> tuple[int, str]:
        """Exit status, and what was said."""
        with self.start(run_id, *by) as call:
            said = call.communicate(timeout=LIMIT)[1]
            return call.returncode, said


class Call(subprocess.Popen[str]):
    """The process that has launched the others."""

    def wait_for_epoch(self, number: int | str = "") -> list[str]:
        """What it says until the end of an epoch, by its number or whichever comes first."""
        assert self.stderr
        said: list[str] = []
        end = f"epoch {number}/" if number else "epoch "
        while not said or not said[-1].startswith(end):
            said.append(self.stderr.readline())
            assert self.poll() is None, said
        return said

    def workers(self) -> list[int]:
        return [
            int(pid)
            for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        ]


def wait_until_gone(*pids: int) -> None:
    limit = time.monotonic() + LIMIT
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < limit, "still running"
        time.sleep(0.05)


def plan_of(place: Place) -> Plan:
    return tiny_plan(**{key: value for key, value in place.config.items() if key != "scale"})


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
TOGETHER: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "label": (LABEL, (), {}),
    "ban of a live teacher": (f"{LABEL}/densenet_90_60.ban.0", (), {"answers_limit_gib": 0.0}),
    "cwtm, by torchrun": (f"{LABEL}/densenet_90_60.cwtm.0", TORCHRUN, {}),
    "dkpp": (f"{LABEL}/densenet_90_60.dkpp.0", (), {}),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_two_processes_train_as_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, by, keys = TOGETHER[name]
    place = Place(tmp_path, SMOOTH, keys)
    monkeypatch.chdir(tmp_path)
    plan = plan_of(place)
    run, folder = plan.run(run_id), place.run(run_id)
    for member in run.lineage:
        train(plan, member)
    status, said = place.call(run_id, *by)
    assert status == 0, said
    assert said.count("epoch 2/2") == 1
    together = {file.name: file for file in (shutil.copytree(folder, tmp_path / "two")).iterdir()}
    assert runs.read_record(folder)["processes"] == 2
    timm.create_model(f"local-dir:{folder}", pretrained=True)
    shutil.rmtree(folder)
    assert train(plan, run)["processes"] == 1
    alone = {file.name: file for file in folder.iterdir()}
    assert set(together) == set(alone)
    found, wanted = (pd.read_csv(files[runs.HISTORY]) for files in (together, alone))
    errors = ["train_error", "test_error"]
    # One image more or less may be at its limit.
    pd.testing.assert_frame_equal(found[errors], wanted[errors], rtol=0, atol=1.01)
    found, wanted = found.drop(columns=errors), wanted.drop(columns=errors)
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-4, atol=1e-4)
    for file in (runs.MODEL, runs.PREDICTIONS):
        tensors, wanted_tensors = load_file(together[file]), load_file(alone[file])
        assert list(tensors) == list(wanted_tensors)
        for key, tensor in wanted_tensors.items():
            torch.testing.assert_close(tensors[key], tensor, rtol=1e-3, atol=1e-4, msg=key)
    assert any("running_var" in key for key in load_file(alone[runs.MODEL]))


def test_a_step_of_two_processes_has_the_gradients_and_statistics_of_one(tmp_path: Path) -> None:
    own = dict(zip(launch.PLACE, "0202", strict=True)) | {launch.MEETING: str(tmp_path / "meeting")}
    command = [sys.executable, str(ROOT / "tests/sharing.py"), "2"]
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    env={**os.environ, **own, "RANK": rank, "LOCAL_RANK": rank},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for rank in "01"
        ]
        for worker in workers:
            assert worker.stdout
            lines = [line.split("\t") for line in worker.stdout.read().splitlines()]
            assert worker.wait(LIMIT) == 0
            assert {line[2] for line in lines} == set(OBJECTIVES)
            assert all(int(count) > 40 and float(off) < 1e-12 for *_, count, off in lines)


def test_a_training_goes_on_after_whatever_has_ended_it(tmp_path: Path) -> None:
    # Drop-out draws, and a state is saved at every step.
    place = Place(
        tmp_path,
        {"networks": {"wide_resnet": {"dropout": 0.3}}, "save": {"seconds": 1e-9}},
        {"images": {"epochs": 9, "milestones": [5], "crop_padding": 1, "flip": True}},
    )
    folder, results = place.run(WIDE), (runs.MODEL, runs.PREDICTIONS, runs.HISTORY)
    with place.start(WIDE) as call:
        call.wait_for_epoch(1)
        workers = call.workers()
        ports = [port for pid in (call.pid, *workers) for port in listening(pid)]
        # 127.0.0.1, as the kernel writes it.
        assert ports
        assert all(port.startswith("tcp 0100007F:") for port in ports)
        assert call.wait(LIMIT) == 0
    undisturbed = {name: (folder / name).read_bytes() for name in results}
    shutil.rmtree(folder)
    with place.start(WIDE) as call:
        call.wait_for_epoch(2)
        first, second = call.workers()
        os.kill(second, signal.SIGKILL)
        said = call.communicate(timeout=LIMIT)[1].splitlines()
    assert call.returncode == 1
    assert [line for line in said if not line.startswith("epoch ")] == [
        "error: process 1 of the training was ended by SIGKILL; the same command goes on from the"
        " last saved state"
    ]
    wait_until_gone(first, second)
    with place.start(WIDE) as call:
        said = call.wait_for_epoch()
        assert any(line.startswith("goes on from ") for line in said)
        workers = call.workers()
        call.kill()
    wait_until_gone(*workers)
    with place.start(WIDE) as call:
        call.wait_for_epoch()
        call.send_signal(signal.SIGTERM)
        said = call.communicate(timeout=LIMIT)[1].splitlines()
    assert call.returncode == AGAIN
    assert said[-1].startswith("stopped by SIGTERM after ")
    assert sum(line.startswith("stopped by ") for line in said) == 1
    left = {path.name for path in folder.iterdir()}
    assert "state.pt" in left
    assert not left & {lock.LOCK, runs.FAILURE, runs.RECORD}
    assert place.call(WIDE)[0] == 0
    # The one whose launcher was killed may have been too quick to save.
    assert runs.read_record(folder)["attempts"] in (3, 4)
    assert {name: (folder / name).read_bytes() for name in results} == undisturbed


def test_a_failing_training_says_so_in_one_line(tmp_path: Path) -> None:
    place = Place(tmp_path, {"images": {"learning_rate": 1e30}})
    status, said = place.call(WIDE)
    reason = f"{WIDE}: the loss is not finite in epoch 1; lower `learning_rate` in the scale"
    assert status == 1
    assert said.splitlines()[1:] == [f"error: {reason}"]
    assert json.loads((place.run(WIDE) / runs.FAILURE).read_text()) == {"reason": reason}
    assert {path.name for path in place.run(WIDE).iterdir()} == {runs.FAILURE, "failed.pt"}


# What the processes of a training do, by their ranks; the status and the words of the whole.
SAY, LOST, STOP = "echo error: $RANK >&2; exit 1", f"exit {launch.LOST}", f"exit {AGAIN}"
HANG = "while :; do sleep 0.05; done"
ENDS: dict[str, tuple[str, str, int, str]] = {
    "both are done": ("exit 0", "exit 0", 0, ""),
    "both find the same error": (SAY, SAY, 1, "error: 0\n"),
    "the first finds an error": (SAY, LOST, 1, "error: 0\n"),
    "the other finds an error": (LOST, SAY, 1, "error: 1\n"),
    "the other finds an error and the first hangs": (HANG, SAY, 1, "error: 1\n"),
    "the first finds an error and the other hangs": (SAY, HANG, 1, "error: 0\n"),
    "both stop": (STOP, STOP, AGAIN, ""),
    "one stops, and the other cannot go on": (STOP, LOST, AGAIN, ""),
    "the first stops when the other is done": (STOP, "exit 0", AGAIN, ""),
    "an error while the other stops": (SAY, STOP, 1, "error: 0\n"),
    "one is killed": (
        "kill -9 $$",
        LOST,
        1,
        "error: process 0 of the training was ended by SIGKILL; the same command goes on from the"
        " last saved state\n",
    ),
}


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a shell script in the place of Python."""

    def write(script: str) -> None:
        file = tmp_path / "python"
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
        monkeypatch.setattr(launch, "sys", SimpleNamespace(executable=str(file), stderr=sys.stderr))

    monkeypatch.setattr(launch, "GRACE", 0.5)
    return write


@pytest.mark.parametrize("name", ENDS)
def test_the_first_process_speaks_for_all(
    name: str, pretend: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    first, other, status, said = ENDS[name]
    pretend(f"if [ $RANK = 0 ]; then {first}; else {other}; fi")
    assert launch.launch([], 2) == status
    assert capfd.readouterr().err == said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_stops_processes_that_have_not_begun(number: int, pretend: Any) -> None:
    before = signal.getsignal(number)
    pretend(f"kill -{int(number)} $PPID; {HANG}")
    assert launch.launch([], 2) == AGAIN
    assert signal.getsignal(number) == before


def test_processes_share_threads_and_take_a_gpu_each() -> None:
    takes = {"processes": 2, "threads": 6, "gpu_slots": 8}
    plan = tiny_plan(device="auto", network_takes={"densenet_90_60": takes})
    of = SimpleNamespace(run=LABEL, table="")
    jobs = Jobs(plan)
    assert (jobs.gpus(of), jobs.gpu_slots(of), jobs.threads(of)) == (2, 16, 6)
    other = SimpleNamespace(run=WIDE, table="")
    assert (jobs.gpus(other), jobs.gpu_slots(other), jobs.threads(other)) == (1, 8, 1)
    few = Jobs(tiny_plan(network_takes={"densenet_90_60": {"processes": 2}}))
    assert (few.gpus(of), few.threads(of)) == (0, 2)
    assert plan.recipe(plan.run(LABEL)) == tiny_plan(device="auto").recipe(plan.run(LABEL))


def test_shares_are_alike_and_whole() -> None:
    for n, size in ((7, 3), (8, 4), (3, 3), (128, 5)):
        shares = [range(n)[Group(rank, size).share(n)] for rank in range(size)]
        assert [i for share in shares for i in share] == list(range(n))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1 <= min(map(len, shares))


def test_a_batch_that_is_too_small_to_share_is_refused() -> None:
    plan = tiny_plan(images={"batch_size": 66})
    data = load_data(plan, plan.run(WIDE), CPU)
    checks.fits(plan.scale.images, data, 2)
    with pytest.raises(InputError, match=r"batch_size`: a batch of 2 is too small for 3 `proc"):
        checks.fits(plan.scale.images, data, 3)


def test_statistics_of_a_gpus_network_are_torchs_and_keep_their_names() -> None:
    network = timm.create_model("densenet_90_60", width_ratio="1/10", depth_ratio="1/14").eval()
    images = torch.randn(2, 3, 8, 8)
    names, logits = list(network.state_dict()), network(images)
    parameters = list(network.parameters())
    synchronise(network, torch.device("cuda"))
    layers = [module for module in network.modules() if hasattr(module, "running_var")]
    assert len(layers) == 10
    assert all(isinstance(layer, torch.nn.SyncBatchNorm) for layer in layers)
    assert list(network.state_dict()) == names
    assert all(a is b for a, b in zip(network.parameters(), parameters, strict=True))
    torch.testing.assert_close(network(images), logits)


def test_fewer_gpus_than_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    scale = tiny_plan(device="auto").scale
    assert find_device(scale, Group(3, 4, local_rank=1, local_size=2)) == torch.device("cuda")
    with pytest.raises(InputError, match="`processes`: 3 take a GPU each, and PyTorch finds 2"):
        find_device(scale, Group(0, 3, local_rank=0, local_size=3))
    assert find_device(scale, ALONE) == torch.device("cuda")


def test_a_place_among_others_has_to_be_whole_and_the_scales(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scale = tiny_plan().scale
    with joined(scale, "densenet_90_60") as group:
        assert group == ALONE
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match="RANK is set"), joined(scale, "densenet_90_60"):
        pass
    for name, value in zip(launch.PLACE, "0202", strict=True):
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(InputError, match="`processes`: 1 for densenet_90_60 in the scale, and"),
        joined(scale, "densenet_90_60"),
    ):
        pass
