"""Writes ``scale.json``, which records the scale that the results beside it were planned with.

Verification checks results against this file. So it may change with the seeds and tables of a
scale, and be written where there is none, but it must not come to name recipes that nothing beside
it was trained with.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from replication.errors import InputError
from replication.files import JSON_ERRORS, write_text
from replication.plan.plan import SCALE_FILE, Plan
from replication.results.csv_files import csv_path
from replication.results.run_folder import RECORD


def write_scale(plan: Plan) -> Path:
    """Write the scale of a plan beside its results, and return the file.

    Raises:
        InputError: the file would change although runs beside it were trained with recipes other
            than the plan's, or it cannot be written.
    """
    file = plan.results / SCALE_FILE
    changes = file.exists() and not _holds(file, plan.scale_text)
    other_runs = list(_runs_of_other_recipes(plan)) if changes else []
    if other_runs:
        more = f" and {len(other_runs) - 1} more runs" if len(other_runs) > 1 else ""
        raise InputError(
            f"{file}: not changed, because {other_runs[0]}{more} beside it were trained with other"
            " recipes than this scale's; give the scale another name, or run snakemake, which"
            " trains them again"
        )
    write_text(file, plan.scale_text)
    return file


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def _runs_of_other_recipes(plan: Plan) -> Iterator[str]:
    """The plan's runs beside ``scale.json`` that have another recipe, by id."""
    published = _published_hashes(plan.results)
    for run in plan.runs.values():
        trained = _recorded_hash(plan.folder(run)) or published.get(run.id)
        if trained is not None and trained != plan.recipe_hash(run):
            yield run.id


def _recorded_hash(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / RECORD).read_bytes())["recipe_hash"])
    except JSON_ERRORS:
        return None


def _published_hashes(results: Path) -> dict[str, str]:
    """The recipe hashes of ``runs.csv``, which stands for the folders of published runs."""
    try:
        with csv_path(results, "runs").open(encoding="utf-8", newline="") as stream:
            return {line["run"]: line["recipe_hash"] for line in csv.DictReader(stream)}
    except (OSError, ValueError, KeyError, csv.Error):
        return {}
