"""A real Slurm on this machine for the tests, removed without a trace.

``cluster(folder)`` starts this file as a process, which runs both daemons on loopback only. It ends
them when its standard input is closed, so that failed and killed tests leave neither daemons nor a
configuration. The configuration has to be in ``/etc/slurm``, where Snakemake's jobs look for it; a
configuration that the tests have not written is never touched.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CONFIG = Path("/etc/slurm/slurm.conf")
GPUS = Path("/etc/slurm/gres.conf")
OURS = "# Of the tests of born-again-networks, while they run.\n"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
PACKAGES = ("slurmctld", "slurmd", "slurm-client")
PARTS = {"cpu": "Default=YES", "gpu": ""}


class Unavailable(Exception):  # noqa: N818
    """Slurm cannot run on this machine; the message says why."""


def install() -> None:
    """Install Slurm's programs from the distribution's packages, if they are missing.

    Raises:
        Unavailable: they cannot be installed, or this machine has a Slurm of its own.
    """
    if os.geteuid():
        raise Unavailable("Slurm's daemons need root to start jobs")
    _check_ours()
    if missing():
        if not shutil.which("apt-get"):
            raise Unavailable(f"no {', '.join(missing())} and no apt-get to install them by")
        apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60"]
        for command in (
            [*apt, "update"],
            [*apt, "install", "-y", "--no-install-recommends", *PACKAGES],
        ):
            subprocess.run(
                command,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                check=False,
            )
    if missing():
        raise Unavailable(f"apt-get could not install {', '.join(missing())}")


def missing() -> list[str]:
    """The programs of Slurm that this machine lacks."""
    return [name for name in PROGRAMS if not shutil.which(name)]


def _check_ours() -> None:
    for file in (CONFIG, GPUS):
        if file.exists() and not file.read_text(encoding="utf-8").startswith(OURS):
            raise Unavailable(f"{file} belongs to a Slurm that the tests did not start")


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """A cluster of one node that claims 8 CPUs and 2 GPUs, until the block ends.

    Its state and the daemons' logs are in ``folder``.

    Raises:
        Unavailable: it does not start; the message quotes its logs.
    """
    install()
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    with process:
        try:
            answer = process.stdout.readline().strip()
            if answer != "up":
                raise Unavailable(answer)
            yield
        finally:
            process.stdin.close()
            process.wait(60)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _configuration(folder: Path) -> str:
    host = socket.gethostname().split(".")[0]
    controller, node = _free_ports(2)
    settings = {
        "ClusterName": "tests",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmctldPort": controller,
        "SlurmdPort": node,
        # Without authentication, so reachable from this machine only.
        "AuthType": "auth/none",
        "CredType": "cred/none",
        "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
        "SlurmUser": "root",
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "slurmd.log",
        "SlurmdParameters": "config_overrides",
        "ProctrackType": "proctrack/pgid",
        "TaskPlugin": "task/none",
        "JobAcctGatherType": "jobacct_gather/linux",
        "JobAcctGatherParams": "OverMemoryKill",
        "JobAcctGatherFrequency": "task=1",
        "AccountingStorageType": "accounting_storage/none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU_Memory",
        "GresTypes": "gpu",
        "ReturnToService": 2,
        "MinJobAge": 300,
        "KillWait": 5,
        "SchedulerParameters": "sched_interval=1,batch_sched_delay=0",
    }
    lines = [f"{name}={value}" for name, value in settings.items()]
    lines.append(f"NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=32000 Gres=gpu:2")
    lines += [f"PartitionName={name} Nodes=ALL {more}" for name, more in PARTS.items()]
    return OURS + "\n".join(lines) + "\n"


def _prepare(folder: Path) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    devices = [folder / f"gpu{number}" for number in range(2)]
    for device in devices:
        # Slurm wants device files; /dev/null is one that every machine has.
        os.mknod(device, 0o20666, os.makedev(1, 3))
    _check_ours()
    CONFIG.write_text(_configuration(folder), encoding="utf-8")
    files = ",".join(map(str, devices))
    GPUS.write_text(f"{OURS}Name=gpu File={files}\n", encoding="utf-8")


def _ask(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=15, check=False
    ).stdout.strip()


def _wait(until: str, command: list[str], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while (answer := _ask(*command)) != until:
        if time.monotonic() > limit:
            print(f"{' '.join(command)}: {answer!r}, not {until!r}", flush=True)
            return False
        time.sleep(0.1)
    return True


def run(folder: Path) -> None:
    """Run the daemons until standard input is closed or a signal says to stop; stop their jobs."""
    # The `finally` below cleans up, whatever ends this process.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        _prepare(folder)
        for command in (["slurmctld", "-D", "-c"], ["slurmd", "-D", "-c"]):
            output = (folder / f"{command[0]}.out").open("wb")
            daemons.append(subprocess.Popen(command, stdout=output, stderr=output))
        if _wait("idle", ["sinfo", "--noheader", "--partition=cpu", "--format=%T"], 30):
            print("up", flush=True)
            select.select([sys.stdin], [], [])
    finally:
        if daemons:
            _ask("scancel", "--user=root")
            _wait("", ["squeue", "--noheader"], 20)
        for daemon in daemons:
            daemon.terminate()
        for daemon in daemons:
            daemon.wait(20)
        for file in (CONFIG, GPUS):
            file.unlink(missing_ok=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
