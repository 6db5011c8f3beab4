"""A table of results as Markdown, HTML and LaTeX, in the paper's layout with its numbers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape
from typing import Any

import pandas as pd
from great_tables import GT, html

from replication.report.layout import (
    GT_STYLE,
    VERDICT_COLOURS,
    Layout,
    RenderedCell,
    layout,
    notes,
)

LATEX_MARKS = {
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "○": r"$\circ$",
    "✓": r"$\surd$",
    "✗": r"$\times$",
}
DASH = "–"

CSS = (
    ".gt_table td, .gt_table th { white-space: nowrap; font-variant-numeric: tabular-nums; }",
    # Jupyter stripes every table, also between the two lines of a cell.
    ".gt_table tr { background: none; }",
    ".note { white-space: normal; width: 0; min-width: max(100%, 38em); }",
    # The same after our value and the paper's, so that the two are aligned.
    ".spread { display: inline-block; text-align: left; }",
    ".interval { font-size: 75%; color: #4b5563; font-weight: normal; }",
    ".paper { font-size: 90%; color: #6b7280; }",
    *(f".{verdict} {{ color: {colour}; }}" for verdict, colour in VERDICT_COLOURS.items()),
)

LATEX = r"""%% needs the packages booktabs and graphicx
\begin{table}
\centering
\caption{%(caption)s}
\label{tab:%(label)s}
\smallskip
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%%
\begin{tabular}{l%(alignment)s}
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
Write = Callable[[RenderedCell], str]


def _grid(
    table: Layout, bold: str, cell: Write, params: Write
) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the table; the first entry of a line is the row's name, not escaped."""
    head = ["params (M)"] * bool(table.params) + table.columns
    lines = []
    for row in table.rows:
        sizes = [params(table.params[row])] if table.params else []
        shown = [table.cells.get((row, column)) for column in table.columns]
        texts = [cell(one.emphasised(bold)) if one else DASH for one in shown]
        lines.append([row, *sizes, *texts])
    return head, lines


def _heading(name: str, title: str) -> str:
    return f"Table {name[5:]}: {title}" if name.startswith("table") else title


def to_markdown(name: str, table: Layout, title: str, remarks: Sequence[str]) -> str:
    """Render a table as a GitHub pipe table with its heading and notes."""

    def cell(texts: RenderedCell) -> str:
        interval = f" ± {texts.interval}" if texts.interval else ""
        mark = f" {texts.mark}" if texts.mark else ""
        reported = f"<br><sub>{texts.reported}</sub>" if texts.reported else ""
        return f"{texts.mean}{interval}{mark}{reported}"

    def escaped(*texts: str) -> list[str]:
        return [text.translate(MARKDOWN_ESCAPES) for text in texts]

    head, lines = _grid(table, "**%s**", cell, cell)
    pipe = [["", *escaped(*head)], [":--", *["--:"] * len(head)]]
    pipe += [[*escaped(row), *cells] for row, *cells in lines]
    body = "\n".join(f"| {' | '.join(line)} |" for line in pipe)
    heading, *below = escaped(_heading(name, title), *remarks)
    return "\n\n".join([f"**{heading}**", body, *below]) + "\n"


def _scoped(rule: str, name: str) -> str:
    """Limit a rule to one table: a page may contain several fragments."""
    selectors, block = rule.split("{")
    return ", ".join(f"#{name} {each.strip()}" for each in selectors.split(",")) + " {" + block


def to_html(name: str, table: Layout, title: str, remarks: Sequence[str]) -> str:
    """Render a table as a self-contained HTML fragment.

    The mark of a verdict has the difference to the teacher as its tooltip.
    """

    def cell(texts: RenderedCell) -> str:
        interval = f'<span class="interval">±{texts.interval}</span>' if texts.interval else ""
        mark = ""
        if texts.verdict:
            attributes = f'class="{texts.verdict}" title="{texts.difference}"'
            mark = f"&thinsp;<span {attributes}>{texts.mark}</span>"
        paper = f'<span class="paper">{texts.reported}</span>{spread}</span>'
        return f"{texts.mean}{spread}&thinsp;{interval}{mark}</span><br>{paper}"

    def params(texts: RenderedCell) -> str:
        return f'{texts.mean}<br><span class="paper">{texts.reported}</span>'

    def note_of_table_width(sentence: str) -> Any:
        return html(f'<div class="note">{escape(sentence)}</div>')

    widest = max(len(texts.interval) for texts in table.cells.values())
    marks = 0.3 + max(1, *(len(texts.mark) for texts in table.cells.values()))
    spread = f'<span class="spread" style="width: calc({0.75 * (widest + 1)}ch + {marks}em)">'
    head, lines = _grid(table, "<b>%s</b>", cell, params)
    shown = (
        GT(pd.DataFrame(lines, columns=["row", *head]), rowname_col="row", id=name)
        .tab_header(note_of_table_width(_heading(name, title)))
        .fmt_passthrough(columns=head, escape=False)
        .cols_align("right", columns=head)
        .tab_options(
            **GT_STYLE,
            heading_align="left",
            heading_title_font_size="14px",
            source_notes_font_size="11px",
            column_labels_padding_horizontal="4px",
            data_row_padding_horizontal="4px",
        )
        .opt_css("\n".join(_scoped(rule, name) for rule in CSS))
    )
    for sentence in remarks:
        shown = shown.tab_source_note(note_of_table_width(sentence))
    return str(shown.as_raw_html()) + "\n"


def to_latex(name: str, table: Layout, title: str, remarks: Sequence[str]) -> str:
    """Render a table as a `booktabs` float, the paper's values on own lines."""

    def measured(texts: RenderedCell) -> str:
        interval = rf"\,{{\scriptsize$\pm${texts.interval}}}" if texts.interval else ""
        mark = " " + "".join(LATEX_MARKS[mark] for mark in texts.mark) if texts.mark else ""
        return f"{texts.mean}{interval}{mark}"

    def reported(texts: RenderedCell) -> str:
        return rf"\footnotesize\itshape {texts.reported}" if texts.reported else ""

    def reported_params(texts: RenderedCell) -> str:
        return rf"\footnotesize\itshape {texts.reported}"

    head, ours = _grid(table, r"\textbf{%s}", measured, measured)
    _, papers = _grid(table, r"\textbf{%s}", reported, reported_params)
    body = []
    for (row, *our), (_, *paper) in zip(ours, papers, strict=True):
        line = [row.translate(LATEX_ESCAPES), *(value.replace(DASH, "--") for value in our)]
        below = ["", *(value.replace(DASH, "") for value in paper)]
        body.append(" & ".join(line) + " \\\\\n" + " & ".join(below) + r" \\")
    caption = " ".join([f"{title}.", *remarks])
    return LATEX % {
        "caption": caption.translate(LATEX_ESCAPES),
        "label": name,
        "alignment": "r" * len(head),
        "head": " & ".join(["", *(name.translate(LATEX_ESCAPES) for name in head)]) + r" \\",
        "body": "\n\\addlinespace\n".join(body).replace("−", "$-$").replace("±", r"$\pm$"),
    }


def render(
    frame: pd.DataFrame,
    title: str,
    note: str,
    columns: Sequence[str] | None = None,
    transposed: bool = False,
) -> dict[str, str]:
    """Render one table's tidy frame in every format, by file ending: `md`, `html` and `tex`.

    `frame` is `results/<scale>/tables/<name>.csv`; `note` describes the scale's data; `columns`
    are those that are shown, in this order; `transposed` shows rows as columns.
    """
    shown = frame if columns is None else frame[frame["column"].isin(columns)]
    table = layout(shown)
    if columns is not None:
        table = replace(table, columns=[name for name in columns if name in table.columns])
    name = str(frame["table"].iloc[0])
    remarks = notes(shown, note, transposed)
    return render_layout(name, table.transposed() if transposed else table, title, remarks)


def render_layout(name: str, table: Layout, title: str, remarks: Sequence[str]) -> dict[str, str]:
    """Render a table in every format, by file ending; `name` is its id, `remarks` stand below."""
    formats = {"md": to_markdown, "html": to_html, "tex": to_latex}
    return {ending: write(name, table, title, remarks) for ending, write in formats.items()}
