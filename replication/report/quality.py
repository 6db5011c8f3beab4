"""Builds the table of likelihood, calibration and agreement beside the six tables."""

import pandas as pd

from replication import files
from replication.analysis.quality import measure_quality, summarise_quality
from replication.plan.plan import Plan
from replication.report.layout import quality_layout
from replication.report.rendering import render_layout
from replication.report.tables import note

REMARKS = (
    "NLL: negative log-likelihood of the labels. ECE: expected calibration error, 15 bins. Lower is"
    " better. Agreement and KL, of the teacher from the student, are with the direct teacher; those"
    " of an ensemble with generation 0.",
    "Mean ± half-width of the 95 % t-interval over the seeds; beneath it the paired difference to"
    " generation 0 of the lineage, bold where its interval excludes zero (not corrected for the"
    " number of cells).",
)


def build_quality(plan: Plan) -> pd.DataFrame:
    """Write ``quality.csv``, ``reliability.csv`` and ``tables/quality.{csv,md,html,tex}``.

    Returns the last as a frame: one line per cell and metric. The other formats have a block for
    each table of the scale with image networks, Table 2 first.

    Raises:
        InputError: as `measure_quality`.
    """
    summary = summarise_quality(measure_quality(plan)[0])
    texts = {"csv": summary.to_csv(index=False), "md": "", "html": "", "tex": ""}
    for name, frame in summary.groupby("table", sort=False):
        title = f"Predictions of {name.replace('table', 'Table ')}: {plan.tables[name].title}"
        remarks = [*(() if texts["md"] else REMARKS), note(plan, name)]
        rendered = render_layout(f"quality-{name}", quality_layout(frame), title, remarks)
        for ending, text in rendered.items():
            texts[ending] += text + "\n"
    for ending, text in texts.items():
        files.write_text(plan.results / "tables" / f"quality.{ending}", text)
    return summary
