"""What the rules of the workflow ask of a plan: files, threads and resources by their wildcards.

Pure Python: Snakemake loads this at every start, so neither torch nor pandas is imported.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

from replication.config.scale import read_config
from replication.errors import InputError
from replication.plan.plan import RESULTS, Plan
from replication.plan.run import Run
from replication.report.notebooks import NOTEBOOKS
from replication.runs.folder import MODEL, PREDICTIONS, RECORD
from replication.sweep.job_resources import JobResources


class Wildcards(Protocol):
    """Snakemake's wildcards, as far as the rules' helpers read them."""

    run: str
    table: str


@dataclass(frozen=True)
class Jobs:
    """The workflow of a plan, seen from its rules.

    Where results are ``stored`` elsewhere, a job finds here what its rule names and nothing else.
    """

    plan: Plan
    stored: bool = False

    @classmethod
    def find(cls, config: dict[str, Any], files: Sequence[str], stored: bool = False) -> Self:
        """Plan the scale of a Snakemake workflow, whose jobs will read ``files`` again.

        Raises:
            InputError: as ``Plan.read``; results cannot be written; or ``config`` has more than the
                files: what stands on Snakemake's command line does not reach the jobs.
        """
        if not os.access(RESULTS if RESULTS.exists() else ".", os.W_OK | os.X_OK) or (
            RESULTS.exists() and not RESULTS.is_dir()
        ):
            raise InputError(
                f"{RESULTS}: no folder that can be written; move it or give permission"
            )
        paths = [Path(file) for file in files]
        if config != read_config(paths):
            raise InputError(
                "--config does not reach the runs: write the keys into a file and name it behind"
                " --configfile"
            )
        return cls(Plan.read(paths), stored)

    def run(self, wildcards: Wildcards) -> Run:
        """The run that a job of the rule `train` is about."""
        return self.plan.run(wildcards.run)

    def outputs(self, pattern: str) -> list[str]:
        """A pattern filled with the scale and each of its tables, each result once."""
        scale = self.plan.scale.scale
        filled = [pattern.format(scale=scale, table=table) for table in self.plan.tables]
        return list(dict.fromkeys(filled))

    def pages(self) -> list[str]:
        """The pages of the notebooks whose tables this scale has.

        None where results are stored elsewhere: notebooks read more than their rules can name.
        """
        if self.stored:
            return []
        planned = set(self.plan.tables)
        return [
            f"{self.plan.results}/notebooks/{name}.html"
            for name, notebook in NOTEBOOKS.items()
            if planned >= set(notebook.tables)
        ]

    def teacher_model(self, wildcards: Wildcards) -> list[str]:
        """The weights that a run learns from: one file, or none."""
        teacher = self.run(wildcards).teacher
        return [str(self.plan.folder(teacher) / MODEL)] if teacher else []

    def teacher_record(self, wildcards: Wildcards) -> list[str]:
        """The teacher's run.json, where it does not lie beside the weights anyway."""
        teacher = self.run(wildcards).teacher
        return [str(self.plan.folder(teacher) / RECORD)] if teacher and self.stored else []

    def threads(self, wildcards: Wildcards) -> int:
        """Threads of the CPU that a run takes."""
        return self.plan.scale.resources(self.run(wildcards).network).threads

    def gpu_slots(self, wildcards: Wildcards) -> int:
        """Slots of a GPU that a run takes, of those that Snakemake is given for all."""
        if self.plan.scale.device == "cpu":
            return 0
        return self.plan.scale.resources(self.run(wildcards).network).gpu_slots

    def gpus(self, wildcards: Wildcards) -> int:
        """GPUs that a run takes, where GPUs are handed out one by one."""
        return 0 if self.plan.scale.device == "cpu" else 1

    @cached_property
    def job_resources(self) -> JobResources:
        """Memory and time of the trainings, from the scale and the runs finished so far."""
        return JobResources(self.plan)

    def mem_mb(self, wildcards: Wildcards, attempt: int) -> int:
        """Main memory in MB that a training is given; each attempt doubles it."""
        return self.job_resources.memory_mb(self.run(wildcards), attempt)

    def runtime(self, wildcards: Wildcards, attempt: int) -> int:
        """Minutes that a training is given; each attempt doubles them."""
        return self.job_resources.minutes(self.run(wildcards), attempt)

    def recipe(self, wildcards: Wildcards) -> str:
        """The recipe's hash: a changed recipe reruns what depends on it and nothing else."""
        return self.plan.recipe_hash(self.run(wildcards))

    def table_labels(self, wildcards: Wildcards) -> dict[str, str]:
        """How a table is named in the report."""
        number = wildcards.table.removeprefix("table")
        return {"table": number, "title": self.plan.tables[wildcards.table].title}

    def table_runs(self, wildcards: Wildcards) -> list[str]:
        """The run.json and predictions of every run that a table shows.

        Also the run.json of their teachers, where they do not lie above them anyway.
        """
        cells = self.plan.table_cells(wildcards.table)
        ids = {run.id: run for cell in cells for run in cell.runs()}
        shown = [
            str(self.plan.folder(run) / name)
            for run in ids.values()
            for name in (RECORD, PREDICTIONS)
        ]
        lineages = self.records(wildcards.table) if self.stored else []
        return list(dict.fromkeys([*shown, *lineages]))

    def records(self, *tables: str) -> list[str]:
        """The run.json of every run that these tables need."""
        needed = {name: run for table in tables for name, run in self.plan.needed(table).items()}
        return [str(self.plan.folder(run) / RECORD) for run in needed.values()]
