"""What the rules of the workflow ask of a plan: files, threads and resources by wildcards.

Snakemake loads this at every start, so neither torch nor pandas is imported.
"""

import hashlib
import math
import os
import shlex
import sys
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Literal

from snakemake.exceptions import WorkflowError
from snakemake.io import ancient
from snakemake.settings.types import DeploymentMethod

from replication.config.job_settings import Resources
from replication.errors import InputError
from replication.plan.claim_part import part_of_claim
from replication.plan.plan import RESULTS, Plan
from replication.plan.run import Run
from replication.report.notebook_catalogue import shown_notebooks
from replication.results.csv_files import csv_path
from replication.results.run_folder import CONFIDENCE_WEIGHTS, HISTORY, MODEL, PREDICTIONS, RECORD
from replication.results.run_status import Measured, state_of
from replication.runtime.allocator import keep_freed_memory
from replication.sweep.costs import network_of
from replication.workflow.needed_data import is_finished, needed_again
from replication.workflow.preflight import check_before_training

# At least these multiples of the median of the finished runs.
MEMORY_MARGIN, TIME_MARGIN = 1.5, 3
MB_PER_MIB = 2**20 / 1e6
LONG_AGO = (1, 1)
"""Times of access and change, in seconds, of a file that has to be older than its inputs."""
Wildcards = Any
"""Snakemake's, with the attributes scale, run or table."""


def read_rules(workflow: Any) -> "Rules":
    """Plan the scale of a Snakemake workflow and check it before anything is trained.

    Its jobs inherit the allocator's settings, even on a cluster's nodes, where Snakemake loads the
    workflow again.

    Raises:
        WorkflowError: something is wrong with the scale, its tables, data or files, in one line;
            Snakemake prints it without a traceback.
    """
    keep_freed_memory(os.environ)
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        raise WorkflowError(
            "create the environment once with `conda env create` and activate it before you run"
            " snakemake; leave out --software-deployment-method conda"
        )
    if workflow.config_settings.config:
        raise WorkflowError(
            "--config does not reach the jobs: write the keys into a file and name it after"
            " --configfile"
        )
    folder = RESULTS if RESULTS.exists() else Path()
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise WorkflowError(f"{RESULTS}: not a writable folder; move it or change its permissions")
    files = tuple(map(Path, workflow.config_settings.configfiles))
    try:
        rules = Rules(Plan.read(files), ConfigFiles(files))
        if workflow.is_main_process:
            check_before_training(rules.plan, rules.configfiles.options)
        return rules
    except InputError as error:
        raise WorkflowError(str(error)) from None


@dataclass(frozen=True)
class ConfigFiles:
    """Scale files; their text is the options of a shell command that pass them on.

    As an object and not as text, because Snakemake compares the text of params: a run depends on
    its recipe, and not on the names of the files that describe it.
    """

    files: tuple[Path, ...] = ()

    @property
    def options(self) -> list[str]:
        """The options of a command that name the files."""
        return [part for file in self.files for part in ("--configfile", str(file))]

    def __str__(self) -> str:
        return shlex.join(self.options)


@dataclass(frozen=True)
class ReportOpening:
    """A plan; its text is what the report opens with, written when the report is."""

    plan: Plan

    def __str__(self) -> str:
        from replication.report.first_pages import describe_in_rst

        return describe_in_rst(self.plan)


@dataclass(frozen=True)
class Rules:
    """A plan as the rules of the workflow use it."""

    plan: Plan
    configfiles: ConfigFiles = ConfigFiles()

    @property
    def description(self) -> ReportOpening:
        """What the report opens with."""
        return ReportOpening(self.plan)

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """The names of the data sets that the runs are trained on."""
        return tuple(dict.fromkeys(run.dataset.name for run in self.plan.runs.values()))

    @cached_property
    def _source_states(self) -> dict[str, str]:
        """The states of the files that data sets are prepared from, by name; listed once."""
        root = self.plan.scale.data_root
        datasets = {run.dataset.name: run.dataset for run in self.plan.runs.values()}
        try:
            return {name: dataset.state(root) for name, dataset in datasets.items()}
        except InputError as error:
            raise WorkflowError(str(error)) from None

    def source_state(self, wildcards: Wildcards) -> str:
        """The state of the files of a data set: it is prepared again when they have changed.

        It is also prepared again when what was prepared is gone, and some run needs it.
        """
        name = wildcards.dataset
        return self._source_states[name] + (" lost" if name in self._needed_again else "")

    @cached_property
    def _needed_again(self) -> set[str]:
        return needed_again(self.plan)

    def run(self, wildcards: Wildcards) -> Run:
        """The run that a job of the rule `train` trains."""
        return self.plan.run(wildcards.run)

    def data(self, wildcards: Wildcards) -> list[str]:
        """The description of a run's prepared data set.

        A finished run is not trained again when its data are prepared again: it has no such input
        where it came without the description, or where the data are only prepared for other runs.
        A run that has yet to be trained needs the data as they will be. Snakemake would forget it
        if the description were ancient and written in the same call.
        """
        run = self.run(wildcards)
        file, name = self.plan.prepared_data_file(run.dataset.name), run.dataset.name
        if name in self._needed_again:
            return [] if is_finished(self.plan, run) else [str(file)]
        if not (self.plan.folder(run) / RECORD).exists():
            return [str(file)]
        return [ancient(str(file))] if file.exists() else []

    def pages(self) -> list[str]:
        """The pages of the notebooks whose tables this scale has."""
        folder = self.plan.results / "notebooks"
        return [str(folder / f"{name}.html") for name in shown_notebooks(self.plan.tables)]

    def teacher_model(self, wildcards: Wildcards) -> list[str]:
        """The weights of a run's teacher: one file, or none."""
        teacher = self.run(wildcards).teacher
        return [str(self.plan.folder(teacher) / MODEL)] if teacher else []

    def threads(self, wildcards: Wildcards) -> int:
        """CPU threads of a run."""
        return self._resources(wildcards).threads

    def gpu_slots(self, wildcards: Wildcards) -> int:
        """GPU slots of a run, where several runs share a GPU."""
        return self._resources(wildcards).gpu_slots if self.gpus(wildcards) else 0

    def gpus(self, wildcards: Wildcards) -> int:
        """GPUs of a run, where a scheduler assigns whole GPUs."""
        return 0 if self.plan.scale.device == "cpu" else 1

    def _resources(self, wildcards: Wildcards) -> Resources:
        return self.plan.scale.resources(self.run(wildcards).network)

    def mem_mb(self, wildcards: Wildcards, attempt: int) -> int:
        """Main memory in MB of a training: the scale's or, if more, that of finished runs.

        Each attempt doubles it, and the minutes.
        """
        least = math.ceil(MEMORY_MARGIN * MB_PER_MIB * self._median(wildcards, "memory_mib"))
        return max(self._resources(wildcards).memory_mb, least) << (attempt - 1)

    def runtime(self, wildcards: Wildcards, attempt: int) -> int:
        """Time limit of a training in minutes; see `memory`."""
        least = math.ceil(TIME_MARGIN / 60 * self._median(wildcards, "seconds"))
        return max(self._resources(wildcards).minutes, least) << (attempt - 1)

    def _median(self, wildcards: Wildcards, what: Literal["memory_mib", "seconds"]) -> float:
        run = self.run(wildcards)
        finished = self._measured[network_of(run)]
        values = [getattr(measured, what) for measured in finished]
        return float(median([value for value in values if value is not None] or [0]))

    @cached_property
    def _measured(self) -> defaultdict[Hashable, list[Measured]]:
        """The finished runs of each network; read once, at the first call."""
        finished = defaultdict[Hashable, list[Measured]](list)
        for run in self.plan.runs.values():
            if not run.weights and (measured := state_of(self.plan, run).measured):
                finished[network_of(run)].append(measured)
        return finished

    def recipe(self, wildcards: Wildcards) -> str:
        """The recipe's hash: a changed recipe reruns what depends on it and nothing else."""
        return self.plan.recipe_hash(self.run(wildcards))

    def table_labels(self, wildcards: Wildcards) -> dict[str, str]:
        """The labels of a table in the report."""
        number = wildcards.table.removeprefix("table")
        return {"table": number, "title": self.plan.tables[wildcards.table].title}

    def table_runs(self, wildcards: Wildcards) -> list[str]:
        """The run.json and predictions of every run that a table shows."""
        return self.run_files(wildcards.table, RECORD, PREDICTIONS)

    def table_file(self, wildcards: Wildcards) -> str:
        """The file of a table: the suite's, or a study's."""
        return str(self.plan.files[wildcards.table])

    def table_hash(self, wildcards: Wildcards) -> str:
        """A hash of a table's cells: other seeds, runs or ensembles measure the table again."""
        cells = repr(self.plan.table_cells(wildcards.table))
        return hashlib.sha256(cells.encode()).hexdigest()[:16]

    @property
    def scale_hash(self) -> str:
        """A hash of what ``scale.json`` holds, which is written again when that changes."""
        return hashlib.sha256(self.plan.scale_text.encode()).hexdigest()[:16]

    def records(self, *tables: str) -> list[str]:
        """The run.json of every run that these tables need."""
        needed = {name: run for table in tables for name, run in self.plan.needed(table).items()}
        return [str(self.plan.folder(run) / RECORD) for run in needed.values()]

    def frame_inputs(self) -> list[str]:
        """The files of the runs of Table 2 that its frames are computed from.

        Named as inputs so that a run which has lost one of them is trained again.
        """
        return self.run_files("table2", HISTORY, CONFIDENCE_WEIGHTS)

    def claim_runs(self, wildcards: Wildcards) -> list[str]:
        """The run.json and predictions of every run that a claim is measured on."""
        try:
            part = part_of_claim(self.plan, wildcards.claim)
        except InputError as error:
            raise WorkflowError(str(error)) from None
        folders = [self.plan.folder(run) for run in part.runs.values()]
        return [str(folder / name) for folder in folders for name in (RECORD, PREDICTIONS)]

    def run_files(self, table: str, *names: str) -> list[str]:
        """These files of every run that a table shows; none where the scale lacks the table."""
        if table not in self.plan.tables:
            return []
        cells = self.plan.table_cells(table)
        folders = {run.id: self.plan.folder(run) for cell in cells for run in cell.runs()}
        return [str(folder / name) for folder in folders.values() for name in names]

    def write_partial_tables(self) -> None:
        """Write the tables, their cells and the claims after a sweep in which runs have failed.

        The cells of failed runs stay empty, and their tables say why. The cells of an incomplete
        table are dated back before its runs, so that Snakemake builds it again next time.
        """
        from replication.analysis.claims import build_claims
        from replication.analysis.collect import collect
        from replication.report.quality_table import build_quality
        from replication.report.table_files import build_tables
        from replication.results.scale_file import write_scale

        try:
            for name, empty_cells in build_tables(self.plan, self.plan.tables).items():
                if empty_cells:
                    os.utime(csv_path(self.plan.results, "table_cells", name), LONG_AGO)
            collect(self.plan)
            build_quality(self.plan)
            build_claims(self.plan)
            write_scale(self.plan)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
