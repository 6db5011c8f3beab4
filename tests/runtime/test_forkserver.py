"""The fork server: same results, exit statuses and signals, and it ends with its owner."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.checks import wait_until
from support.plans import ROOT, TINY
from support.sockets import listening

from replication.runtime import forkserver
from replication.runtime.conditions import code
from replication.runtime.forkserver import ForkServer, make_socket_path

RUN = "digits/wide_resnet_28_1.label.0"
FILES = ["--configfile", str(ROOT / "config/digits.yaml"), "--configfile", "tiny.yaml"]
ENDLESS = {**TINY, "images": {"epochs": 100_000, "milestones": [1]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").symlink_to(ROOT / "tables")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
    return tmp_path


class Owner:
    """A process that starts a server and lives until it is ended."""

    CODE = (
        "import sys; from replication.runtime.forkserver import ForkServer; server = ForkServer();"
        "server.start(); print(server.socket, flush=True); sys.stdin.read()"
    )

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.socket = Path(self.process.stdout.readline().strip())
        wait_until(self.socket.exists)

    def trainings(self) -> list[int]:
        """Processes that the server has forked."""
        (server,) = children(self.process.pid)
        return children(server)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def children(pid: int) -> list[int]:
    pgrep = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in pgrep.stdout.split()]


@pytest.fixture(scope="module")
def owner() -> Iterator[Owner]:
    owner = Owner()
    yield owner
    owner.end()
    # The server ends with its owner, and leaves nothing.
    wait_until(lambda: not owner.socket.parent.exists())


def command(server: Path, run: str = RUN) -> list[str]:
    return [sys.executable, "-m", "replication", "--worker", str(server), "train", run, *FILES]


def call(folder: Path, run: str, server: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command(server, run), *more], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_forked_run_gives_the_bytes_of_one_without_a_server(folder: Path, owner: Owner) -> None:
    weights = folder / "results/tiny/runs" / RUN / "model.safetensors"
    contents = []
    for server in (folder / "no-such-socket", owner.socket):
        done = call(folder, RUN, server)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{RUN}: test error (%)")
        assert "epoch 2/2" in done.stderr
        contents.append(weights.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.long
def test_trainings_do_not_ask_git_for_the_commit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, git = tmp_path / "asked", shutil.which("git")
    fake = tmp_path / "path/git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho asked >> "{asked}"\nexec "{git}" "$@"\n', encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    owner = Owner()
    try:
        for width in (1, 2):
            done = call(folder, f"digits/wide_resnet_28_{width}.label.0", owner.socket)
            assert done.returncode == 0, done.stderr
    finally:
        owner.end()
    assert asked.read_text(encoding="utf-8").count("asked") == 1
    for record in (folder / "results/tiny/runs/digits").glob("*/run.json"):
        commit = json.loads(record.read_text(encoding="utf-8"))["code"]["commit"]
        assert commit == code()["commit"]


def test_exit_status_and_message_come_back(folder: Path, owner: Owner) -> None:
    done = call(folder, "digits/nothing.label.0", owner.socket)
    assert done.returncode == 1
    assert done.stderr.startswith("error: digits/nothing.label.0: no such run at scale tiny")
    assert done.stderr.count("\n") == 1
    assert call(folder, RUN, owner.socket, "--threads", "0").returncode == 2


def test_a_signal_reaches_a_training_that_listens_on_no_network(folder: Path, owner: Owner) -> None:
    (folder / "tiny.yaml").write_text(yaml.safe_dump(ENDLESS), encoding="utf-8")
    for number in (signal.SIGTERM, signal.SIGKILL):
        with subprocess.Popen(
            command(owner.socket), cwd=folder, stderr=subprocess.PIPE, text=True
        ) as client:
            assert client.stderr
            while not client.stderr.readline().startswith("epoch "):
                assert client.poll() is None
            (training,) = owner.trainings()
            for pid in (client.pid, training, *children(owner.process.pid)):
                assert listening(pid) == []
            client.send_signal(number)
            assert client.wait(60) == (75 if number == signal.SIGTERM else -signal.SIGKILL)
        wait_until(lambda: not owner.trainings())


def test_a_listening_socket_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        assert len(listening("self")) == 1
    assert listening("self") == []


def test_the_server_survives_a_training_that_cannot_write_its_log(
    folder: Path, owner: Owner
) -> None:
    with open("/dev/full", "wb") as full:
        subprocess.run(command(owner.socket), cwd=folder, stdout=full, check=False)
    wait_until(lambda: not owner.trainings())
    assert owner.socket.is_socket()
    assert call(folder, "nothing", owner.socket).returncode == 1


def test_the_server_is_its_users_alone(owner: Owner) -> None:
    folder = owner.socket.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_uid == os.getuid()


@pytest.mark.parametrize("length", [10, 90, 150, 240])
def test_a_long_folder_of_temporary_files_gets_a_socket_elsewhere(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * length)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    path = make_socket_path()
    assert path is not None
    assert len(str(path)) <= 100
    assert path.parent.stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    shutil.rmtree(path.parent)
    assert not list(long.iterdir()) or path.is_relative_to(long)


@pytest.mark.long
def test_a_server_with_a_long_folder_serves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = folder / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    owner = Owner()
    try:
        done = subprocess.run(
            command(owner.socket), cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert RUN in done.stdout
    finally:
        owner.end()


def test_without_any_folder_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(forkserver, "make_socket_path", lambda: None)
    server = ForkServer()
    server.start()
    assert str(server) == ""
    assert "set TMPDIR to a writable folder with a short path" in capfd.readouterr().err
