"""The process that stands by: same results, exit status, signals, and its end."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.checks import wait_until
from support.plans import ROOT, TINY

RUN = "digits/wide_resnet_28_1.label.0"
FILES = ["--configfile", str(ROOT / "config/digits.yaml"), "--configfile", "tiny.yaml"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").symlink_to(ROOT / "tables")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
    return tmp_path


class Owner:
    """A process that starts a server and lives until it is told to end."""

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

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def owner() -> Iterator[Owner]:
    owner = Owner()
    yield owner
    owner.end()


def command(server: Path | None) -> list[str]:
    worker = ["--worker", str(server)] if server else []
    return [sys.executable, "-m", "replication", *worker, "train"]


Done = subprocess.CompletedProcess[str]


def call(folder: Path, run: str, server: Path | None, *more: str) -> Done:
    return subprocess.run(
        [*command(server), run, *FILES, *more], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_a_forked_run_gives_the_bytes_of_one_that_imports_for_itself(
    folder: Path, owner: Owner
) -> None:
    weights = folder / "results/tiny/runs" / RUN / "model.safetensors"
    contents = []
    for server in (None, owner.socket):
        done = call(folder, RUN, server)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{RUN}: test error (%)")
        assert "epoch 2/2" in done.stderr
        contents.append(weights.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("run", "status", "message"),
    [("digits/nothing.label.0", 1, "error: digits/nothing.label.0: no such run at scale tiny")],
)
def test_exit_status_and_message_come_back(
    folder: Path, owner: Owner, run: str, status: int, message: str
) -> None:
    done = call(folder, run, owner.socket)
    assert done.returncode == status
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert call(folder, RUN, owner.socket, "--threads", "0").returncode == 2


def test_a_signal_reaches_the_training(folder: Path, owner: Owner) -> None:
    long = {**TINY, "images": {"epochs": 100_000, "milestones": [1]}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(long), encoding="utf-8")
    for number in (signal.SIGTERM, signal.SIGKILL):
        with subprocess.Popen(
            [*command(owner.socket), RUN, *FILES],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stderr
            while "epoch 2/" not in client.stderr.readline():
                assert client.poll() is None
            trainers = children(owner)
            assert len(trainers) == 1
            client.send_signal(number)
            assert client.wait(60) == (75 if number == signal.SIGTERM else -signal.SIGKILL)
        wait_until(lambda: not children(owner))


def children(owner: Owner) -> list[str]:
    """Processes that the server has forked."""
    found = subprocess.run(
        ["pgrep", "-f", "replication.worker"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    servers = [pid for pid in found if parent(pid) == str(owner.process.pid)]
    return [pid for pid in found if parent(pid) in servers]


def parent(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]
    except OSError:
        return ""


def test_the_server_ends_with_the_process_that_started_it(owner: Owner) -> None:
    folder = owner.socket.parent
    assert folder.stat().st_mode & 0o077 == 0
    owner.end()
    wait_until(lambda: not folder.exists())


def test_without_a_server_the_command_does_the_work_itself(folder: Path) -> None:
    assert call(folder, RUN, folder / "no-such-socket").returncode == 0
