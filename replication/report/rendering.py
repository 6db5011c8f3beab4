"""A table of results as Markdown, HTML and LaTeX, in the paper's layout with its numbers."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import pandas as pd
from great_tables import GT, html

from replication.config.paper_names import paper_name, table_name, table_number
from replication.report.layout import (
    GT_STYLE,
    OURS,
    PARAMETERS,
    VERDICT_COLOURS,
    Entry,
    Layout,
    PrintedDifferences,
    layout,
    notes,
)
from replication.wording import markdown_table

LATEX_MARKS = {
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "○": r"$\circ$",
    "✓": r"$\surd$",
    "✗": r"$\times$",
}
DASH = "–"
HEADERS = re.compile(r' headers="[^"]*"')

CSS = (
    ".gt_table td, .gt_table th { white-space: nowrap; font-variant-numeric: tabular-nums; }",
    # Jupyter stripes every table, also between the lines of a row.
    ".gt_table tr { background: none; }",
    ".gt_table td, .gt_table .gt_stub { border-top-style: none; border-bottom-style: none; }",
    ".gt_table tr:has(.gt_stub:not(:empty)) > * { border-top: 1px solid #d3d3d3; }",
    ".note { white-space: normal; width: 0; min-width: max(100%, 38em); }",
    ".interval { font-size: 85%; color: #4b5563; font-weight: normal; }",
    # Below its difference, so that a table of ten columns fits a page.
    ".between { display: block; }",
    *(f".{verdict} {{ color: {colour}; }}" for verdict, colour in VERDICT_COLOURS.items()),
)

LATEX = r"""%% needs the packages booktabs and graphicx
\begin{table}
\centering
\caption{%(caption)s}
\label{tab:%(label)s}
\smallskip
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%%
\begin{tabular}{ll%(alignment)s}
\toprule
%(head)s
\midrule
%(body)s
\bottomrule
\end{tabular}}
\end{table}
"""

LATEX_ESCAPES = str.maketrans(
    {character: rf"\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"±": r"$\pm$", "−": r"$-$", "×": r"$\times$", "–": "--", "’": "'"}
    | LATEX_MARKS
)
MARKDOWN_ESCAPES = str.maketrans({c: rf"\{c}" for c in r"\`*_|"} | {"<": "&lt;", ">": "&gt;"})
Write = Callable[[Entry], str]


def _head(table: Layout) -> list[str]:
    return [PARAMETERS] * bool(table.sizes) + [paper_name(column) for column in table.columns]


def _blocks(table: Layout, write: Write) -> Iterator[list[list[str]]]:
    """For each row its lines: the row's name in the first one, the line's label, the entries.

    The names are not escaped. A column in which a row has nothing has a dash in its first line.
    """
    for row in table.rows:
        cells = [table.sizes.get(row, {})] * bool(table.sizes)
        cells += [table.cells.get((row, column), {}) for column in table.columns]
        seeds = table.seeds_of(row)
        block = []
        for number, line in enumerate(table.lines_of(row)):
            label = f"{line}, n = {seeds}" if line == OURS and seeds else line
            texts = [paper_name(row) if number == 0 else "", label]
            for cell in cells:
                entry = cell.get(line)
                if entry is None:
                    texts.append(DASH if not cell and number == 0 else "")
                else:
                    texts.append(write(entry if seeds is None else entry._replace(n=None)))
            block.append(texts)
        yield block


def _heading(name: str, title: str) -> str:
    return f"{table_name(name)}: {title}" if table_number(name) else title


def to_markdown(name: str, table: Layout, title: str, remarks: Sequence[str]) -> str:
    """Render a table as a GitHub pipe table with its heading and notes."""

    def entry_text(entry: Entry) -> str:
        value = f"**{entry.value}**" if entry.bold else entry.value
        n = f"(n = {entry.n})" if entry.n else ""
        return " ".join(filter(None, (value, entry.interval, n, entry.mark)))

    def escaped(*texts: str) -> list[str]:
        return [text.translate(MARKDOWN_ESCAPES) for text in texts]

    head = ["", "", *escaped(*_head(table))]
    rows = [
        [*escaped(row), label, *cells]
        for block in _blocks(table, entry_text)
        for row, label, *cells in block
    ]
    body = markdown_table(head, rows, [":--", ":--", *["--:"] * (len(head) - 2)])
    heading, *below = escaped(_heading(name, title), *remarks)
    return "\n\n".join([f"**{heading}**", body, *below]) + "\n"


def _scoped(rule: str, name: str) -> str:
    """Limit a rule to one table: a page may contain several fragments."""
    selectors, block = rule.split("{")
    return ", ".join(f"#{name} {each.strip()}" for each in selectors.split(",")) + " {" + block


def to_html(name: str, table: Layout, title: str, remarks: Sequence[str]) -> str:
    """Render a table as a self-contained HTML fragment.

    The mark of a verdict has its p-value as its tooltip.
    """

    def entry_text(entry: Entry) -> str:
        value = f"<b>{entry.value}</b>" if entry.bold else entry.value
        interval = entry.interval + (f" (n = {entry.n})" if entry.n else "")
        below = " between" if interval.startswith("[") else ""
        shown = f' <span class="interval{below}">{interval}</span>' if interval else ""
        attributes = f'class="{entry.verdict}" title="{entry.verdict}: {entry.p_value}"'
        mark = f"&thinsp;<span {attributes}>{entry.mark}</span>" if entry.verdict else ""
        return value + mark + shown

    def note_of_table_width(sentence: str) -> Any:
        return html(f'<div class="note">{escape(sentence)}</div>')

    head = _head(table)
    blocks = list(_blocks(table, entry_text))
    lines = [[row, label, *texts] for block in blocks for row, label, *texts in block]
    shown = (
        GT(pd.DataFrame(lines, columns=["row", "line", *head]), rowname_col="row", id=name)
        .tab_header(note_of_table_width(_heading(name, title)))
        .cols_label({"line": ""})
        .fmt_passthrough(columns=head, escape=False)
        .cols_align("right", columns=head)
        .cols_align("left", columns="line")
        .tab_options(
            **GT_STYLE,
            heading_align="left",
            heading_title_font_size="14px",
            source_notes_font_size="11px",
            column_labels_padding_horizontal="6px",
            data_row_padding_horizontal="6px",
        )
        .opt_css("\n".join(_scoped(rule, name) for rule in CSS))
    )
    for sentence in remarks:
        shown = shown.tab_source_note(note_of_table_width(sentence))
    return compact_html(str(shown.as_raw_html())) + "\n"


def compact_html(text: str) -> str:
    """A table without the attribute that repeats its headers in each cell: they have scopes."""
    return HEADERS.sub("", text)


def to_latex(name: str, table: Layout, title: str, remarks: Sequence[str]) -> str:
    """Render a table as a `booktabs` float."""

    def entry_text(entry: Entry) -> str:
        value = rf"\textbf{{{entry.value}}}" if entry.bold else entry.value
        interval = entry.interval + (f" (n = {entry.n})" if entry.n else "")
        small = rf"{{\scriptsize {interval}}}" if interval else ""
        mark = "".join(LATEX_MARKS[mark] for mark in entry.mark)
        parts = [value, mark] if interval.startswith("[") else [value, small, mark]
        text = r"\,".join(filter(None, parts))
        return rf"\shortstack[r]{{{text}\\ {small}}}" if interval.startswith("[") else text

    head, body = _head(table), []
    for block in _blocks(table, entry_text):
        lines = []
        for row, label, *texts in block:
            names = [row.translate(LATEX_ESCAPES), rf"\footnotesize {label}"]
            lines.append(" & ".join([*names, *texts]) + r" \\")
        body.append("\n".join(lines))
    text = "\n\\addlinespace\n".join(body)
    for character, command in {"−": "$-$", "±": r"$\pm$", DASH: "--"}.items():
        text = text.replace(character, command)
    caption = " ".join([f"{title}.", *remarks])
    return LATEX % {
        "caption": caption.translate(LATEX_ESCAPES),
        "label": name,
        "alignment": "r" * len(head),
        "head": " & ".join(["", "", *(name.translate(LATEX_ESCAPES) for name in head)]) + r" \\",
        "body": text,
    }


def render(
    frame: pd.DataFrame,
    title: str,
    note: str,
    columns: Sequence[str] | None = None,
    transposed: bool = False,
    printed: PrintedDifferences | None = None,
) -> dict[str, str]:
    """Render one table's tidy frame in every format, by file ending: `md`, `html` and `tex`.

    `frame` is `results/<scale>/tables/<name>.csv`; `note` describes the scale's data; `columns`
    are those that are shown, in this order; `transposed` shows rows as columns; `printed` has the
    paper's differences from the teacher.
    """
    shown = frame if columns is None else frame[frame["column"].isin(columns)]
    table = layout(shown, printed)
    if columns is not None:
        table = replace(table, columns=[name for name in columns if name in table.columns])
    name = str(frame["table"].iloc[0])
    remarks = notes(shown, note)
    return render_layout(name, table.transposed() if transposed else table, title, remarks)


def render_layout(name: str, table: Layout, title: str, remarks: Sequence[str]) -> dict[str, str]:
    """Render a table in every format, by file ending; `name` is its id, `remarks` are below."""
    formats = {"md": to_markdown, "html": to_html, "tex": to_latex}
    return {ending: write(name, table, title, remarks) for ending, write in formats.items()}
