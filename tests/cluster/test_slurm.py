"""Sweeps with `profiles/slurm` on a real Slurm: lost jobs are resubmitted and resume."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support import slurm
from support.checks import wait_until
from support.plans import ROOT, TINY
from support.workplace import PATH, Workplace

pytestmark = pytest.mark.long

RUN = "digits/wide_resnet_28_1.label.0"
# A training of some seconds that saves a checkpoint only when it is told to stop.
LONG: dict[str, Any] = {
    **TINY,
    "tables": ["table1"],
    "datasets": {"cifar10": {"name": "digits", "train": 200, "test": 100}},
    "images": {"epochs": 150, "milestones": [1], "evaluate_every": 1000},
    "checkpoint": {"epochs": 0, "seconds": 1e6},
}
WORDS = {"lstm": {"epochs": 60}, "cnn_lstm": {"epochs": 20}}
SECONDS = 330


@dataclass(frozen=True)
class Job:
    """A job as Slurm lists it: limits as printed, and the generic resources it asked for."""

    id: str
    state: str
    minutes: str
    memory: str
    asked: str
    comment: str


class Sweep(Workplace):
    """A workplace whose Snakemake submits to Slurm."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        super().__init__(folder)
        self.prefix = folder.name
        self.log = folder / "snakemake.log"
        self.started: list[subprocess.Popen[bytes]] = []
        self.processes = "", "", ""

    def command(self, *arguments: str) -> list[str]:
        profile = ["snakemake", "--profile", "profiles/slurm"]
        return [*profile, "--slurm-jobname-prefix", self.prefix, *arguments]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        files = ["--configfile", "config/digits.yaml", "mine.yaml"]
        with self.log.open("ab") as log:
            self.started.append(
                subprocess.Popen(
                    self.command(*arguments, *files),
                    cwd=self.folder,
                    env={**os.environ, "PATH": PATH},
                    stdout=log,
                    stderr=log,
                )
            )
        return self.started[-1]

    def finish(self, *arguments: str) -> None:
        """Call Snakemake, or wait for the running one; it has to succeed."""
        process = self.start(*arguments) if arguments else self.started[-1]
        assert process.wait(SECONDS) == 0, self.log.read_text(encoding="utf-8")[-6000:]

    def jobs(self) -> list[Job]:
        """Every job that this workplace has submitted, in order."""
        names = ("JobID", "State", "TimeLimit", "MinMemory", "tres-per-job", "Comment", "WorkDir")
        wanted = ",".join(f"{name}:300" for name in names)
        lines = ask("squeue", "--states=all", f"--Format={wanted}").splitlines()
        fields = [line.split() for line in lines]
        submitted_jobs = [Job(*each[:-1]) for each in fields if each[-1] == str(self.folder)]
        return sorted(submitted_jobs, key=lambda job: int(job.id))

    def training_log(self, run: str) -> str:
        file = self.folder / "results/tiny/runs" / run / "train.log"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def trainer(self, run: str) -> tuple[str, str]:
        """The id of the process that trains a run, and its parent's command line."""
        lock = self.folder / "results/tiny/runs" / run / "train.lock"
        pid_match = re.search(r"^pid=(\d+)$", lock.read_text(encoding="utf-8"), re.M)
        assert pid_match
        parent = process_status(pid_match[1], "PPid")
        return pid_match[1], Path(f"/proc/{parent}/cmdline").read_text(encoding="utf-8")

    def record(self, run: str) -> dict[str, Any]:
        text = (self.folder / "results/tiny/runs" / run / "run.json").read_text(encoding="utf-8")
        contents: dict[str, Any] = json.loads(text)
        return contents

    def stop_at_epoch(self, run: str, epoch: int) -> Job:
        """Stop a training that has reached an epoch, lest it end first; returns its job.

        What ends the job continues it: Slurm sends SIGCONT before SIGTERM.
        """

        def there() -> bool:
            assert self.started[-1].poll() is None, self.log.read_text(encoding="utf-8")[-6000:]
            return f"epoch {epoch}/" in self.training_log(run)

        wait_until(there, SECONDS)
        trainer, _ = self.trainer(run)
        os.kill(int(trainer), signal.SIGSTOP)
        environment = Path(f"/proc/{trainer}/environ").read_text(encoding="utf-8").split("\0")
        job, *later = (job for job in self.jobs() if job.comment.endswith(run.replace("/", "_")))
        # A job that has failed before would be taken for this one.
        assert not later, self.log.read_text(encoding="utf-8")[-6000:]
        assert f"SLURM_JOB_ID={job.id}" in environment
        return job


def process_status(process: str, field: str) -> str:
    """A field of what Linux says of a process."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    match = re.search(rf"^{field}:\s*(\S+)$", status, re.M)
    assert match
    return match[1]


def told_to_end(process: str) -> bool:
    """Whether SIGTERM waits for a stopped process, or has ended it already."""
    try:
        waiting = int(process_status(process, "ShdPnd"), 16)
    except (FileNotFoundError, ProcessLookupError):
        return True
    return bool(waiting >> (signal.SIGTERM - 1) & 1)


def ask(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, f"{' '.join(command)}: {answer.stderr}"
    return answer.stdout


def to_tables(sweep: Sweep) -> None:
    sweep.configure({**TINY, "tables": ["table6"]})
    sweep.finish("tables")


def cancelled(sweep: Sweep) -> None:
    sweep.configure({**LONG, "device": "auto"})
    sweep.start(f"results/tiny/runs/{RUN}/run.json")
    job = sweep.stop_at_epoch(RUN, 5)
    sweep.processes = *sweep.trainer(RUN), ask("scontrol", "listpids", job.id)
    ask("scancel", job.id)
    sweep.finish()


def over_time(sweep: Sweep) -> None:
    sweep.configure(LONG)
    sweep.start(f"results/tiny/runs/{RUN}/run.json")
    # Slurm counts in minutes, and checks every half minute.
    job = sweep.stop_at_epoch(RUN, 5)
    trainer, _ = sweep.trainer(RUN)
    ask("scontrol", "update", f"JobId={job.id}", "TimeLimit=1")
    wait_until(lambda: told_to_end(trainer), SECONDS)
    with suppress(ProcessLookupError):
        os.kill(int(trainer), signal.SIGCONT)
    sweep.finish()


def over_memory(sweep: Sweep) -> None:
    sweep.configure(TINY)
    run = f"results/tiny/runs/{RUN}/run.json"
    sweep.finish(run, "--set-resources", "train:mem_mb=150*attempt**5")


def killed(sweep: Sweep) -> None:
    sweep.configure({**LONG, "tables": ["table6"], "language": WORDS})
    snakemake = sweep.start("tables")
    for network in WORDS:
        sweep.stop_at_epoch(f"python_reference/{network}.label.0", 1)
    snakemake.send_signal(signal.SIGKILL)
    snakemake.wait()
    # The commands of docs/how-to/slurm.md, with this workplace's prefix, profile and files.
    page = (ROOT / "docs/how-to/slurm.md").read_text(encoding="utf-8")
    command_block = re.search(r"```sh\n(.*scancel)\n(.*--unlock)\n(.*)\n```", page)
    assert command_block
    cancel, unlock, again = command_block.groups()
    ask("bash", "-c", cancel.replace("born-again", sweep.prefix))
    assert unlock == f"{again} --unlock"
    sweep.finish("--unlock")
    sweep.finish("tables")


SCENARIOS: list[Callable[[Sweep], None]] = [over_time, killed, to_tables, cancelled, over_memory]


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Sweep]]]:
    """The result of each scenario; all run at the same time in one Slurm."""
    folder = tmp_path_factory.mktemp("slurm")
    places = [Sweep(folder / scenario.__name__) for scenario in SCENARIOS]

    def run(scenario: Callable[[Sweep], None], sweep: Sweep) -> Sweep:
        scenario(sweep)
        return sweep

    try:
        with slurm.cluster(folder / "cluster"), ThreadPoolExecutor() as pool:
            try:
                yield {
                    scenario.__name__: pool.submit(run, scenario, sweep)
                    for scenario, sweep in zip(SCENARIOS, places, strict=True)
                }
            finally:
                for process in (process for sweep in places for process in sweep.started):
                    process.kill()
    except slurm.Unavailable as reason:
        pytest.skip(f"no Slurm: {reason}")


Sweeps = dict[str, Future[Sweep]]


def test_a_sweep_ends_in_finished_tables(sweeps: Sweeps) -> None:
    sweep = sweeps["to_tables"].result()
    table = pd.read_csv(sweep.folder / "results/tiny/tables/table6.csv")
    assert (table["n"] == 1).all()
    assert (sweep.folder / "results/tiny/claims.csv").exists()
    # Slurm runs the trainings; everything else runs beside Snakemake.
    assert [job.state for job in sweep.jobs()] == ["COMPLETED"] * 6
    assert {job.comment.startswith("rule_train_") for job in sweep.jobs()} == {True}
    assert {job.asked for job in sweep.jobs()} == {"N/A"}


def test_a_training_is_a_process_of_its_job(sweeps: Sweeps) -> None:
    # A child of Snakemake would escape the job's memory limit and accounting.
    trainer, parent, processes = sweeps["cancelled"].result().processes
    # No shell in between, which a signal to both would end, and with it the job.
    assert "-m\0snakemake" in parent
    assert trainer in {line.split()[0] for line in processes.splitlines()[1:]}


def test_a_cancelled_job_is_resubmitted_and_resumes(sweeps: Sweeps) -> None:
    sweep = sweeps["cancelled"].result()
    assert_resumed(sweep)
    first, second = sweep.jobs()
    assert (first.state, second.state) == ("CANCELLED", "COMPLETED")
    assert first.asked == second.asked == "gres:gpu:1"
    # The second attempt gets more.
    assert minutes(second) > minutes(first)
    assert int(second.memory.rstrip("M")) > int(first.memory.rstrip("M"))


def test_a_job_near_its_time_limit_saves_and_resumes_in_another(sweeps: Sweeps) -> None:
    sweep = sweeps["over_time"].result()
    assert_resumed(sweep)
    first, second = sweep.jobs()
    # Its own exit status, where it came before Slurm's end.
    assert first.state in ("FAILED", "TIMEOUT")
    assert second.state == "COMPLETED"


def test_a_job_over_its_memory_gets_more(sweeps: Sweeps) -> None:
    sweep = sweeps["over_memory"].result()
    assert [job.state for job in sweep.jobs()] == ["FAILED", "COMPLETED"]
    log, *others = (sweep.folder / ".snakemake/slurm_logs").rglob("*.log")
    assert "exceeded memory limit" in log.read_text(encoding="utf-8")
    # Slurm's logs of jobs that succeeded are deleted.
    assert not others


def test_a_killed_snakemake_is_recovered_as_documented(sweeps: Sweeps) -> None:
    sweep = sweeps["killed"].result()
    done = [job.comment for job in sweep.jobs() if job.state == "COMPLETED"]
    assert len(done) == len(set(done)) == 6
    for network, recipe in WORDS.items():
        run = f"python_reference/{network}.label.0"
        history = sweep.folder / "results/tiny/runs" / run / "history.csv"
        assert len(pd.read_csv(history)) == recipe["epochs"]
        assert sweep.record(run)["attempts"] == 2
    assert (pd.read_csv(sweep.folder / "results/tiny/tables/table6.csv")["n"] == 1).all()


def assert_resumed(sweep: Sweep) -> None:
    assert sweep.record(RUN)["attempts"] == 2
    assert sweep.training_log(RUN).count("resumed from") == 1


def minutes(job: Job) -> int:
    """A limit that Slurm prints as [[days-]hours:]minutes:seconds, in minutes."""
    days, _, rest = job.minutes.rpartition("-")
    hours, minutes, _ = ("0:" + rest).split(":")[-3:]
    return int(days or 0) * 1440 + int(hours) * 60 + int(minutes)
