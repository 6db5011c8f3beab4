"""Shows the criteria of a fair test: on a terminal, as a page, and as a section of the docs."""

import pandas as pd
from great_tables import GT, loc, style
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from replication import files
from replication.analysis.fair_test import EXCEPTION, FAIR_TEST, MET, NOT_MET
from replication.plan.plan import Plan
from replication.report.layout import GT_STYLE
from replication.results.csv_files import write_csv_file
from replication.wording import markdown_table

CRITERION_MARKS = {MET: "✓", NOT_MET: "✗", EXCEPTION: "(✗)"}
CRITERION_COLOURS = {MET: "#00735c", NOT_MET: "#b34700", EXCEPTION: "#6b7280"}
TERMINAL_STYLES = {"✓": "green", "(✗)": "yellow", "✗": "red"}
"""The colour of a text in a terminal, by the mark at its end."""
JUDGED_COLUMNS = {"ratio": "capacity", "train %": "fit", "test %": "error", "change": "schedule"}
"""The columns of the page with a mark, and the criterion that the mark is about."""


def write_criteria(plan: Plan, criteria: pd.DataFrame) -> None:
    """Write the frame of `measure_criteria` as ``criteria.csv`` and ``criteria.html``.

    Raises:
        InputError: a file cannot be written.
    """
    write_csv_file(plan.results, "criteria", criteria)
    files.write_text(plan.results / "criteria.html", criteria_html(criteria))


def criteria_html(criteria: pd.DataFrame) -> str:
    """The page ``criteria.html``, from the lines of ``criteria.csv``."""
    return str(criteria_table(criteria).as_raw_html()) + "\n"


def criteria_in_markdown() -> str:
    """What makes a scale a fair test, as a Markdown table: a line for each criterion."""
    rows = [[one.name, one.sentence, one.reason] for one in FAIR_TEST]
    return markdown_table(["criterion", "it is met if", "because"], rows)


def readable(criteria: pd.DataFrame) -> pd.DataFrame:
    """The lines of ``criteria.csv`` as texts, the number of a criterion with its mark."""

    def texts(column: str, form: str, criterion: str | None = None) -> list[str]:
        marks = criteria[criterion].map(CRITERION_MARKS) if criterion else [""] * len(criteria)
        return [
            "" if pd.isna(value) else f"{format(value, form)} {mark}".strip()
            for value, mark in zip(criteria[column], marks, strict=True)
        ]

    images = criteria["test_images"].map("{:,} test images".format)
    pairs = criteria["test_items"].map(" of {:,} items".format)
    return pd.DataFrame(
        {
            "data": criteria["dataset"]
            + ": "
            + images
            + pairs.where(criteria["test_items"] < criteria["test_images"], ""),
            "network": criteria["network"],
            "params": texts("parameters", ",.0f"),
            "ratio": texts("ratio", ".2f", "capacity"),
            "paper’s": texts("paper_ratio", ".2f"),
            "seeds": texts("seeds", "d"),
            "train %": texts("train_error", ".1f", "fit"),
            "test %": texts("test_error", ".1f", "error"),
            "divergence": texts("divergence", ".3f"),
            "change": texts("divergence_change", "+.1%", "schedule"),
        }
    )


def count_met(criteria: pd.DataFrame) -> list[str]:
    """One sentence for each criterion: what it is, and how many networks meet it."""
    sentences = []
    for criterion in FAIR_TEST:
        counts = criteria[criterion.name].value_counts()
        result = f"{counts.get(MET, 0)} of {counts.sum()} networks"
        if exceptions := counts.get(EXCEPTION, 0):
            result += f", and {exceptions} are exceptions"
        met = f"met by {result}" if counts.sum() else "not measured yet"
        sentences.append(f"{criterion.name}: {criterion.sentence}: {met}.")
    return sentences


def list_exceptions(criteria: pd.DataFrame) -> list[str]:
    """The networks whose capacity is not the paper's, each with the reason."""
    judged = criteria.dropna(subset="capacity")
    unlike = judged[judged["capacity"] != MET].drop_duplicates("network")
    return [f"{line.capacity}: {line.network}: {line.reason}" for line in unlike.itertuples()]


def render_criteria(criteria: pd.DataFrame) -> RenderableType:
    """Show the criteria on a terminal: a table for each data set, then what the criteria are."""
    parts: list[RenderableType] = []
    for data, lines in readable(criteria).groupby("data", sort=False):
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        table.add_column("network", min_width=30)
        for name in lines.columns[2:]:
            table.add_column(name, justify="right")
        for _, *texts in lines.itertuples(index=False):
            table.add_row(*(Text(text, style=_terminal_style(text)) for text in texts))
        parts += [Text(str(data), style="bold"), table, Text()]
    return Group(*parts, *map(Text, [*count_met(criteria), *list_exceptions(criteria)]))


def _terminal_style(text: str) -> str:
    return next((style for mark, style in TERMINAL_STYLES.items() if text.endswith(mark)), "")


def criteria_table(criteria: pd.DataFrame) -> GT:
    """Show ``criteria.csv`` by data set, what the criteria are, and the exceptions."""
    shown = readable(criteria)
    numbers = list(shown.columns[2:])
    table = GT(shown, id="criteria", groupname_col="data", rowname_col="network").tab_options(
        **GT_STYLE
    )
    table = table.cols_align("right", columns=numbers)
    for column, criterion in JUDGED_COLUMNS.items():
        for verdict, colour in CRITERION_COLOURS.items():
            if rows := list(shown.index[criteria[criterion] == verdict]):
                table = table.tab_style(style.text(color=colour), loc.body(column, rows))
    for sentence in (*count_met(criteria), *list_exceptions(criteria)):
        table = table.tab_source_note(sentence)
    return table
