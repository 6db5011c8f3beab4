"""The criteria of a fair test (`sweep.criteria`) as people read them."""

import pandas as pd
from great_tables import GT, loc, style
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from replication.report.layout import GT_STYLE

CRITERIA = {
    "capacity": "parameters relative to DenseNet-90-60’s are within a factor of two of the paper’s"
    " (with ten classes), and in the paper’s order",
    "fit": "generation 0 errs on less than 1 % of its training images in the last epoch",
    "error": "generation 0 errs on 8 to 35 % of the test images",
    "schedule": "the divergence of BAN’s students from their teachers (nats per training image)"
    " changes by less than 10 % from the last tenth but one of the epochs to the last",
}
MARKS = {"met": "✓", "not met": "✗", "exception": "(✗)"}
COLOURS = {"met": "#00735c", "not met": "#b34700", "exception": "#6b7280"}


def readable(criteria: pd.DataFrame) -> pd.DataFrame:
    """The lines of ``criteria.csv`` as texts, the number of a criterion with its mark."""

    def texts(column: str, form: str, criterion: str | None = None) -> list[str]:
        marks = criteria[criterion].map(MARKS) if criterion else [""] * len(criteria)
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
    for name, meaning in CRITERIA.items():
        counts = criteria[name].value_counts()
        found = f"{counts.get('met', 0)} of {counts.sum()} lines"
        if excepted := counts.get("exception", 0):
            found += f", {excepted} are exceptions"
        sentences.append(f"{name}: {meaning}: {found if counts.sum() else 'not measured yet'}.")
    return sentences


def exceptions(criteria: pd.DataFrame) -> list[str]:
    """The networks whose capacity is not the paper's, each with the reason."""
    found = criteria[criteria["capacity"] != "met"].drop_duplicates("network")
    return [f"{line.capacity}: {line.network}: {line.reason}" for line in found.itertuples()]


def render_criteria(criteria: pd.DataFrame) -> RenderableType:
    """The same for a terminal."""
    parts: list[RenderableType] = []
    for data, lines in readable(criteria).groupby("data", sort=False):
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        table.add_column("network", min_width=30)
        for name in lines.columns[2:]:
            table.add_column(name, justify="right")
        for _, *texts in lines.itertuples(index=False):
            table.add_row(*(Text(text, style=_terminal_style(text)) for text in texts))
        parts += [Text(str(data), style="bold"), table, Text()]
    return Group(*parts, *map(Text, [*count_met(criteria), *exceptions(criteria)]))


def _terminal_style(text: str) -> str:
    styles = {"✓": "green", "(✗)": "yellow", "✗": "red"}
    return next((style for mark, style in styles.items() if text.endswith(mark)), "")


def criteria_table(criteria: pd.DataFrame) -> GT:
    """Show ``criteria.csv`` by data set, what the criteria are, and the exceptions."""
    shown = readable(criteria)
    numbers = list(shown.columns[2:])
    table = GT(shown, id="criteria", groupname_col="data", rowname_col="network").tab_options(
        **GT_STYLE
    )
    table = table.cols_align("right", columns=numbers)
    columns = {"ratio": "capacity", "train %": "fit", "test %": "error"}
    for column, criterion in {**columns, "change": "schedule"}.items():
        for verdict, colour in COLOURS.items():
            if rows := list(shown.index[criteria[criterion] == verdict]):
                table = table.tab_style(style.text(color=colour), loc.body(column, rows))
    for sentence in (*count_met(criteria), *exceptions(criteria)):
        table = table.tab_source_note(sentence)
    return table
