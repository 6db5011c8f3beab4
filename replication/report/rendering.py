"""A table of results as Markdown, HTML and LaTeX, in the paper's layout with its numbers."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd
from great_tables import GT, html

from replication.report.layout import MARKS, VERDICT_COLOURS, RenderedCell, layout, notes

LATEX_MARKS = {"replicated": r"$\surd$", "contradicted": r"$\times$", "inconclusive": r"$\circ$"}
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
    | {mark: LATEX_MARKS[verdict] for verdict, mark in MARKS.items()}
)
MARKDOWN_ESCAPES = str.maketrans({c: rf"\{c}" for c in r"\`*_|"} | {"<": "&lt;", ">": "&gt;"})


def _grid(
    frame: pd.DataFrame,
    cell: Callable[[RenderedCell], str],
    params: Callable[[tuple[str, str]], str],
) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the table; the first entry of a line is the row's name, not escaped."""
    table = layout(frame)
    head = [*(["params (M)"] if table.params else []), *table.columns]
    lines = [
        [
            row,
            *([params(table.params[row])] if table.params else []),
            *(
                cell(table.cells[row, column]) if (row, column) in table.cells else DASH
                for column in table.columns
            ),
        ]
        for row in table.rows
    ]
    return head, lines


def _heading(frame: pd.DataFrame, title: str) -> str:
    name = str(frame["table"].iloc[0])
    return f"Table {name[5:]}: {title}" if name.startswith("table") else title


def to_markdown(frame: pd.DataFrame, title: str, note: str) -> str:
    """Render one table's tidy frame as a GitHub pipe table with its heading and notes."""

    def cell(it: RenderedCell) -> str:
        measured = f"**{it.mean}**" if it.best else it.mean
        interval = f" ± {it.interval}" if it.interval else ""
        mark = f" {MARKS[it.verdict]}" if it.verdict else ""
        reported = f"**{it.reported}**" if it.reported_best else it.reported
        return f"{measured}{interval}{mark}" + (f"<br><sub>{reported}</sub>" if reported else "")

    def params(it: tuple[str, str]) -> str:
        return it[0] + (f"<br><sub>{it[1]}</sub>" if it[1] else "")

    head, lines = _grid(frame, cell, params)
    pipe = [
        ["", *(name.translate(MARKDOWN_ESCAPES) for name in head)],
        [":--", *("--:" for _ in head)],
        *([row.translate(MARKDOWN_ESCAPES), *cells] for row, *cells in lines),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in pipe)
    heading = f"**{_heading(frame, title).translate(MARKDOWN_ESCAPES)}**"
    remarks = (sentence.translate(MARKDOWN_ESCAPES) for sentence in notes(frame, note))
    return "\n\n".join([heading, table, *remarks]) + "\n"


def _scoped(rule: str, name: str) -> str:
    """Limit a rule to one table: a page may contain several fragments."""
    selectors, block = rule.split("{")
    return ", ".join(f"#{name} {each.strip()}" for each in selectors.split(",")) + " {" + block


def to_html(frame: pd.DataFrame, title: str, note: str) -> str:
    """Render one table's tidy frame as a self-contained HTML fragment.

    The mark of a verdict has the difference to the teacher as its tooltip.
    """

    def cell(it: RenderedCell) -> str:
        measured = f"<b>{it.mean}</b>" if it.best else it.mean
        interval = f'<span class="interval">±{it.interval}</span>' if it.interval else ""
        mark = (
            f'&thinsp;<span class="{it.verdict}" title="{it.difference}">{MARKS[it.verdict]}</span>'
            if it.verdict
            else ""
        )
        reported = f"<b>{it.reported}</b>" if it.reported_best else it.reported
        paper = f'<span class="paper">{reported}</span>{spread}</span>'
        return f"{measured}{spread}&thinsp;{interval}{mark}</span><br>{paper}"

    def params(it: tuple[str, str]) -> str:
        return f'{it[0]}<br><span class="paper">{it[1]}</span>'

    def note_of_table_width(sentence: str) -> Any:
        return html(f'<div class="note">{escape(sentence)}</div>')

    name = frame["table"].iloc[0]
    widest = max(len(it.interval) for it in layout(frame).cells.values())
    spread = f'<span class="spread" style="width: calc({0.75 * (widest + 1)}ch + 1.3em)">'
    head, lines = _grid(frame, cell, params)
    table = (
        GT(pd.DataFrame(lines, columns=["row", *head]), rowname_col="row", id=name)
        .tab_header(note_of_table_width(_heading(frame, title)))
        .fmt_passthrough(columns=head, escape=False)
        .cols_align("right", columns=head)
        .tab_options(
            table_font_size="12px",
            heading_align="left",
            heading_title_font_size="14px",
            source_notes_font_size="11px",
            column_labels_font_weight="bold",
            column_labels_padding_horizontal="4px",
            data_row_padding="3px",
            data_row_padding_horizontal="4px",
            table_margin_left="0px",
        )
        .opt_css("\n".join(_scoped(rule, name) for rule in CSS))
    )
    for sentence in notes(frame, note):
        table = table.tab_source_note(note_of_table_width(sentence))
    return str(table.as_raw_html()) + "\n"


def to_latex(frame: pd.DataFrame, title: str, note: str) -> str:
    """Render one table's tidy frame as a `booktabs` float, the paper's values on own lines."""

    def bold(text: str, best: bool) -> str:
        return rf"\textbf{{{text}}}" if best else text

    def measured(it: RenderedCell) -> str:
        interval = rf"\,{{\scriptsize$\pm${it.interval}}}" if it.interval else ""
        mark = f" {LATEX_MARKS[it.verdict]}" if it.verdict else ""
        return f"{bold(it.mean, it.best)}{interval}{mark}"

    def reported(it: RenderedCell) -> str:
        return (
            rf"\footnotesize\itshape {bold(it.reported, it.reported_best)}" if it.reported else ""
        )

    head, ours = _grid(frame, measured, lambda it: it[0])
    _, papers = _grid(frame, reported, lambda it: rf"\footnotesize\itshape {it[1]}")
    body = [
        " & ".join([first.translate(LATEX_ESCAPES), *(value.replace(DASH, "--") for value in our)])
        + " \\\\\n"
        + " & ".join(["", *(value.replace(DASH, "") for value in paper)])
        + r" \\"
        for (first, *our), (_, *paper) in zip(ours, papers, strict=True)
    ]
    caption = " ".join([f"{title}.", *notes(frame, note)])
    return LATEX % {
        "caption": caption.translate(LATEX_ESCAPES),
        "label": frame["table"].iloc[0],
        "alignment": "r" * len(head),
        "head": " & ".join(["", *(name.translate(LATEX_ESCAPES) for name in head)]) + r" \\",
        "body": "\n\\addlinespace\n".join(body),
    }


def render(frame: pd.DataFrame, title: str, note: str) -> dict[str, str]:
    """Render one table's tidy frame in every format, by file ending: `md`, `html` and `tex`.

    `frame` is `results/<scale>/tables/table<k>.csv`; `note` describes the scale's data.
    """
    formats = {"md": to_markdown, "html": to_html, "tex": to_latex}
    return {ending: write(frame, title, note) for ending, write in formats.items()}
