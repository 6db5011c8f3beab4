"""Where the lines of a page may break: called by the builder of the site for every page."""

import re
from typing import Any

SKIPPED = re.compile(
    r"(<(?:pre|code|script|style|svg)\b.*?</(?:pre|code|script|style|svg)>|<[^>]*>)", re.S
)
"""Tags, and elements whose text is copied or drawn as it is."""
UNBROKEN = re.compile(
    r"(?<=\d) (?=%)"  # 95 %
    r"|(?<=\d) (?=[kM]\b)"  # 36.5 k
    r"|(?<=\d,) (?=[+−]?[\d.]+\])"  # [−1.08, −0.70]
)
"""Spaces within a number with its unit, and within an interval."""
CELL = re.compile(r"<td\b.*?</td>", re.S)
CODE = re.compile(r"<code>([^<]+)</code>")
LONG = 28
"""Characters of code up to which it stays on one line of a table."""
BREAKS = re.compile(r"(::|[/_:.,])(?=\w)")
"""Where longer code may break."""
OPTION = re.compile(r"(?<![\w-])--[\w-]+")
WIDE_PAGES = re.compile(r"published/\w[\w-]*/(tables\.md|notebooks/)")
"""Pages whose tables need the room of the list of headings."""


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Return the HTML of a page with breaks where they help, and without those that hurt."""
    if WIDE_PAGES.match(page.file.src_uri):
        page.meta["hide"] = ["toc"]
    html = CELL.sub(lambda cell: CODE.sub(_breakable, cell[0]), html)
    html = CODE.sub(_unbroken_options, html)
    parts = SKIPPED.split(html)
    parts[::2] = [UNBROKEN.sub("\N{NO-BREAK SPACE}", text) for text in parts[::2]]
    return "".join(parts)


def _breakable(code: re.Match[str]) -> str:
    """Long code in a table, which would otherwise push the text beside it together."""
    if len(code[1]) <= LONG:
        return code[0]
    text = BREAKS.sub(r"\1<wbr>", code[1])
    return f'<code class="long">{text}</code>'


def _unbroken_options(code: re.Match[str]) -> str:
    """Code whose options do not break after their hyphens."""
    return OPTION.sub(r'<span class="option">\g<0></span>', code[0])
