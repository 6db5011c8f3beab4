"""The small results, finished and published once, and what forgers do to a publication."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.plans import ROOT
from support.small_results import copy_small_results, small_plan_of, train_small_results

from replication import files
from replication.analysis.criteria import measure_criteria
from replication.plan.plan import Plan
from replication.publication.publish import publish
from replication.report.criteria_page import write_criteria
from replication.report.notebook_catalogue import NOTEBOOKS
from replication.verify.check_publication import CRATE

SOURCES = ("Snakefile", "rules", "CITATION.cff")
TIME = "2026-11-25T04:42:50.623799Z"


def executed_notebook(path: str = "/home/somebody/born-again", scale: str = "digits") -> Any:
    """A notebook as papermill and Snakemake leave it, executed in this folder."""
    times = {"execution": {"iopub.execute_input": TIME}, "papermill": {"start_time": TIME}}
    output = {"data": {"text/plain": ["3"]}, "metadata": {}, "output_type": "execute_result"}
    warning = {"name": "stderr", "output_type": "stream", "text": [f"{path}/x.py: a warning"]}

    def cell(number: int, source: str, *outputs: Any, tags: tuple[str, ...] = ()) -> Any:
        return {
            "cell_type": "code",
            "id": f"cell-{number}",
            "execution_count": number,
            "metadata": {**times, "tags": [*tags]},
            "source": [source],
            "outputs": [*outputs],
        }

    injected = f"import sys;sys.path.extend(['{path}'])"
    return {
        "cells": [
            cell(1, injected, tags=("snakemake-job-properties",)),
            {"cell_type": "markdown", "id": "m", "metadata": times, "source": ["# Title"]},
            cell(2, f'scale = "{scale}"\nresults = "results"', tags=("parameters",)),
            cell(3, '# Parameters\nscale = "fashion"', tags=("injected-parameters",)),
            cell(4, "1 + 2", warning, {**output, "execution_count": 4}),
        ],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "version": "3.11.7"},
            "papermill": {"input_path": f"{path}/.snakemake/x.ipynb", "start_time": TIME},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def finish(plan: Plan) -> None:
    """Leave what a publication needs besides tables, quality and claims."""
    write_criteria(plan, measure_criteria(plan))
    for name, spec in NOTEBOOKS.items():
        if not spec.tables:
            text = json.dumps(executed_notebook())
            files.write_text(plan.results / f"notebooks/{name}.ipynb", text)
            for figure in spec.figures:
                files.write_text(plan.results / f"figures/{figure}.svg", "<svg/>")
                files.write_text(plan.results / f"figures/{figure}.png", "pixels")
    for name in SOURCES:
        Path(name).symlink_to(ROOT / name)


def finished_copy(trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """As `copy_small_results`, with everything that a publication needs."""
    plan = copy_small_results(trained, folder, monkeypatch)
    finish(plan)
    return plan


def publish_small_results(factory: pytest.TempPathFactory) -> Path:
    """A folder with the small results, finished, and published in `published/`; made once."""
    folder = factory.getbasetemp() / "published_results"
    if not folder.exists():
        trained = train_small_results(factory)
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            publish(finished_copy(trained, folder, patch).results)
    return folder


def copy_published(made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of the results of which a copy lies in `published/tiny` of the current directory."""
    for name in ("published", "tables"):
        shutil.copytree(made / name, folder / name)
    for name in SOURCES:
        (folder / name).symlink_to(ROOT / name)
    monkeypatch.chdir(folder)
    return small_plan_of()


def renew_checksums(published: Path) -> None:
    """Have the crate list the files as they are now, as a forger would."""
    file = published / CRATE
    crate = json.loads(file.read_text(encoding="utf-8"))
    for entity in crate["@graph"]:
        if "sha256" in entity:
            path = published / entity["@id"]
            entity |= {"sha256": files.checksum(path), "contentSize": str(path.stat().st_size)}
    file.write_text(json.dumps(crate), encoding="utf-8")


def change_lines(file: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change a csv file whose texts stay texts."""
    change(pd.read_csv(file)).to_csv(file, index=False)
