"""Executed notebooks without what differs between two executions on the same results."""

import json
import re
from pathlib import Path
from typing import Any

from replication.errors import InputError
from replication.files import JSON_ERRORS
from replication.report.notebook_catalogue import NOTEBOOKS
from replication.report.rendering import compact_html
from replication.results.csv_files import BUILD

INJECTED = {"injected-parameters", "snakemake-job-properties"}
"""Tags of the cells that papermill and Snakemake add: other parameters, the job, its paths."""
SCALE = re.compile(r'^scale = ".*?"', re.M)
FIGURES = {caption: name for spec in NOTEBOOKS.values() for name, caption in spec.figures.items()}
"""The names of the figures by their captions, which are the images' alternative texts."""


def clean_notebook(file: Path, scale: str) -> str:
    """The text of an executed notebook with its outputs, but without times, paths and warnings.

    Injected cells are left out, and the notebook's own parameters name the scale that is shown,
    which an injected cell has overridden. A figure that is also saved in ``figures/`` is linked
    there and not stored a second time.

    Raises:
        InputError: the file is not a notebook, or has a cell that has failed.
    """
    fix = f"delete it and {BUILD}"
    try:
        notebook = json.loads(file.read_text(encoding="utf-8"))
        cells = [_clean(cell, scale) for cell in notebook["cells"] if not INJECTED & {*_tags(cell)}]
        kernel = notebook["metadata"]["kernelspec"]
        version = {key: notebook[key] for key in ("nbformat", "nbformat_minor")}
    except JSON_ERRORS as error:
        raise InputError(f"{file}: not an executed notebook ({error!r}); {fix}") from None
    number = 0
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        number += 1
        results = [out for out in cell["outputs"] if out["output_type"] == "execute_result"]
        for numbered in [cell, *results]:
            numbered["execution_count"] = number
        if any(output["output_type"] == "error" for output in cell["outputs"]):
            raise InputError(f"{file}: cell {number} has failed; {fix}")
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    cleaned = {"cells": cells, "metadata": metadata, **version}
    return json.dumps(cleaned, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags") or []


def _clean(cell: dict[str, Any], scale: str) -> dict[str, Any]:
    tags = _tags(cell)
    cleaned = {**cell, "metadata": {"tags": tags} if tags else {}}
    if "parameters" in tags:
        cleaned["source"] = SCALE.sub(f'scale = "{scale}"', "".join(cell["source"]))
    if cell["cell_type"] == "code":
        # What a library warns of depends on the machine, and names its files.
        outputs = [output for output in cell["outputs"] if output.get("name") != "stderr"]
        cleaned["outputs"] = [_compact_tables(_link_figure(output)) for output in outputs]
    return cleaned


def _compact_tables(output: dict[str, Any]) -> dict[str, Any]:
    """An output whose tables are as small as they can be.

    A table's plain text is left out: it can hold addresses in memory, which differ at each call.
    """
    shown = output.get("data", {})
    if "text/html" not in shown:
        return output
    html = compact_html("".join(shown["text/html"])).splitlines(keepends=True)
    others = {kind: data for kind, data in shown.items() if kind != "text/plain"}
    return {**output, "data": {**others, "text/html": html}}


def _link_figure(output: dict[str, Any]) -> dict[str, Any]:
    """An output without the image of a figure that is in ``figures/``, which it links to."""
    caption = output.get("metadata", {}).get("image/png", {}).get("alt")
    if caption not in FIGURES:
        return output
    link = f"![{caption}](../figures/{FIGURES[caption]}.svg)"
    return {**output, "data": {"text/markdown": [link]}, "metadata": {}}
