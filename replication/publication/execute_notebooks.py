"""Executes the notebooks on a folder of results, which leaves their figures there."""

import tempfile
from pathlib import Path

from replication import files
from replication.errors import InputError
from replication.plan.plan import Plan
from replication.publication.clean_notebooks import clean_notebook
from replication.report.notebook_catalogue import NOTEBOOKS_FOLDER, shown_notebooks
from replication.results.csv_files import csv_path


def execute_notebooks(plan: Plan) -> list[str]:
    """Execute the notebooks that can be shown, and write their figures and cleaned copies.

    A notebook whose frames are not there is left out, because frames need the folders of the runs.
    Returns the names of those that were executed.

    Raises:
        InputError: a notebook is not in the current directory's ``notebooks/``, or has failed.
    """
    executed = []
    for name, spec in shown_notebooks(plan.tables).items():
        if not all(csv_path(plan.results, frame).is_file() for frame in spec.frames):
            continue
        source = NOTEBOOKS_FOLDER / f"{name}.ipynb"
        if not source.is_file():
            raise InputError(
                f"{source}: no such file; run this from the root of the repository, or with"
                " --no-notebooks"
            )
        text = _execute(plan, source)
        files.write_text(plan.results / "notebooks" / f"{name}.ipynb", text)
        executed.append(name)
    return executed


def _execute(plan: Plan, source: Path) -> str:
    """Execute a notebook on the plan's results; returns the cleaned copy as text."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    scale = plan.scale.scale
    with tempfile.TemporaryDirectory() as folder:
        # A notebook finds results by the name of their scale, which the folder may not have.
        place = Path(folder, scale)
        place.symlink_to(plan.results.resolve(), target_is_directory=True)
        copy = Path(folder, source.name)
        try:
            papermill.execute_notebook(
                str(source),
                str(copy),
                parameters={"scale": scale, "results_folder": folder},
                progress_bar=False,
                # A kernel's warnings about its own connection do not help the caller.
                extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
            )
        except PapermillExecutionError as problem:
            raise InputError(
                f"{source}: failed on {plan.results} ({problem.ename}: {problem.evalue}); leave"
                " the notebooks out with --no-notebooks"
            ) from None
        return clean_notebook(copy, scale)
