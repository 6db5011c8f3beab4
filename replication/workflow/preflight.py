"""What is checked before the first training, even by a dry run: claims, notebooks and runs."""

import json
import subprocess
import sys
from collections.abc import Sequence

from replication.config.paper_claims import read_claims
from replication.config.paper_tables import TABLES
from replication.errors import InputError
from replication.files import JSON_ERRORS
from replication.plan.plan import Plan
from replication.plan.run import Run
from replication.plan.uncertain_runs import needs_check
from replication.report.notebook_catalogue import NOTEBOOKS_FOLDER, shown_notebooks
from replication.results.run_status import state_of


def check_before_training(plan: Plan, options: Sequence[str] | None) -> None:
    """Check whatever follows a training and can be checked without one.

    The runs are checked by a process of their own, because this one does without torch, and only if
    there are runs left to train that have something of one's own. ``options`` name the scale for
    that process; with None the runs are not checked.

    Raises:
        InputError: a path has braces, a claim does not fit the tables, a notebook cannot be
            executed, or as `training.own_parts.check_parts`.
    """
    for file in (*plan.files.values(), plan.claims_file):
        if {"{", "}"} & {*str(file)}:
            raise InputError(
                f"{file}: its path has braces, which Snakemake takes for wildcards; rename the"
                " folder"
            )
    # A table alone needs no claims.
    if plan.claims_file.exists():
        read_claims(TABLES, plan.scale.study)
    check_notebooks(plan)
    if options is not None and runs_to_check(plan):
        command = [sys.executable, "-m", "replication", "check", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["stopped without a reason"]
            raise InputError(lines[-1].removeprefix("error: "))


def runs_to_check(plan: Plan) -> list[Run]:
    """The runs that are still to be trained and have something of one's own."""
    return [
        run
        for run in plan.runs.values()
        if needs_check(plan, run) and state_of(plan, run).name != "done"
    ]


def check_notebooks(plan: Plan) -> None:
    """Check that the notebooks whose tables the scale has are there, and that their kernels are.

    Raises:
        InputError: a notebook is missing or damaged, or its kernel is not installed.
    """
    # A tenth of a second that jobs do without.
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    for name in shown_notebooks(plan.tables):
        file = NOTEBOOKS_FOLDER / f"{name}.ipynb"
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            kernel = content["metadata"]["kernelspec"]["name"]
            KernelSpecManager().get_kernel_spec(kernel)
        except FileNotFoundError:
            raise InputError(
                f"{file}: no such file; run snakemake from the root of the repository"
            ) from None
        except NoSuchKernel:
            raise InputError(
                f"{file}: Jupyter has no kernel `{kernel}`; install one with: python -m ipykernel"
                f" install --sys-prefix --name {kernel}"
            ) from None
        except JSON_ERRORS as error:
            raise InputError(f"{file}: not a notebook ({error!r}); restore it") from None
