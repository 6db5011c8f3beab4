"""Builds the table of likelihood, calibration and agreement beside the six tables."""

from pathlib import Path

import pandas as pd

from replication import files
from replication.analysis.quality import summarise_quality, write_quality
from replication.config.paper_names import table_name
from replication.plan.plan import Plan
from replication.report.layout import quality_layout
from replication.report.rendering import render_layout
from replication.report.table_files import note
from replication.results.csv_files import csv_text, read_runs

REMARKS = (
    "NLL: negative log-likelihood of the labels. ECE: expected calibration error, 15 bins. Lower is"
    " better. Agreement and KL, of the teacher from the student, refer to the direct teacher; those"
    " of an ensemble refer to generation 0.",
    "Ours: mean ± half-width of the 95 % t-interval over n seeds. − teacher: the paired difference"
    " from generation 0 of the lineage with its 95 % interval, bold where that excludes zero (not"
    " corrected for the number of cells).",
)


def build_quality(plan: Plan) -> None:
    """Write the files of `write_quality`, and ``tables/quality.{csv,md,html,tex}``.

    Raises:
        InputError: as `write_quality` and `read_runs`.
    """
    frame = write_quality(plan).quality
    for file, text in quality_tables(plan, frame, read_runs(plan.results)).items():
        files.write_text(file, text)


def quality_tables(plan: Plan, frame: pd.DataFrame, runs: pd.DataFrame) -> dict[Path, str]:
    """The files ``tables/quality.{csv,md,html,tex}`` with their texts.

    `frame` is ``quality.csv.gz`` and `runs` is ``runs.csv``, indexed by run.

    ``tables/quality.csv`` has a line per cell and metric. The other formats have a block for each
    table of the scale with image networks, Table 2 first.
    """
    summary = summarise_quality(frame, runs)
    texts = {"csv": csv_text("quality_table", summary), "md": "", "html": "", "tex": ""}
    for name in summary["table"].unique():
        of_table = summary[summary["table"] == name]
        title = f"Predictions of {table_name(name)}: {plan.tables[name].title}"
        remarks = [*(() if texts["md"] else REMARKS), note(plan, name, of_table["spread"])]
        rendered = render_layout(f"quality-{name}", quality_layout(of_table), title, remarks)
        for ending, text in rendered.items():
            texts[ending] += text + "\n"
    return {plan.results / f"tables/quality.{ending}": text for ending, text in texts.items()}
