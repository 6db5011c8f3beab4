"""Where the lines of the site's pages break, and what its builder needs of a list."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.plans import ROOT

from website.collect import PAGES
from website.typesetting import on_page_content

SPACE = "\N{NO-BREAK SPACE}"
CODE_BLOCK = re.compile(r"^( *)```.*?^\1```", re.S | re.M)


def typeset(html: str, source: str = "docs/faq.md") -> tuple[str, dict[str, Any]]:
    page = SimpleNamespace(file=SimpleNamespace(src_uri=source), meta={})
    return on_page_content(html, page=page, config=None, files=None), page.meta


def test_only_long_code_of_a_table_may_break_and_only_between_its_words() -> None:
    code = "test_plan.py::test_a_generation_has_the_recipe"
    html, _ = typeset(f"<td><code>short.py</code> <code>{code}</code></td><p><code>{code}</code>")
    assert "<td><code>short.py</code>" in html
    assert '<code class="long">test_<wbr>plan.<wbr>py::<wbr>test_<wbr>a_<wbr>generation' in html
    assert html.endswith(f"<p><code>{code}</code>")


def test_an_option_does_not_break_after_its_hyphens() -> None:
    html, _ = typeset("<code>make --dry-run</code>")
    assert html == '<code>make <span class="option">--dry-run</span></code>'


def test_a_number_stays_with_its_unit_and_an_interval_on_its_line_but_code_is_left_alone() -> None:
    html, _ = typeset("<p>−0.89 [−1.08, −0.70], 95 % and 36.5 k of 3 kinds</p>")
    assert html == f"<p>−0.89 [−1.08,{SPACE}−0.70], 95{SPACE}% and 36.5{SPACE}k of 3 kinds</p>"
    copied = "<pre><code><span>seeds: [0, 1, 2]</span> 5 %</code></pre><code>[0, 1]</code>"
    assert typeset(copied)[0] == copied


def test_pages_of_wide_tables_have_no_list_of_headings_beside_them() -> None:
    for source in ("published/cifar/tables.md", "published/digits/notebooks/claims.ipynb"):
        assert typeset("", source)[1] == {"hide": ["toc"]}
    assert typeset("", "published/cifar/README.md")[1] == {}


@pytest.mark.parametrize(
    "page",
    [
        *(ROOT / name for name in PAGES),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "published").rglob("*.md")),
    ],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_a_block_within_a_list_is_indented_by_four_spaces(page: Path) -> None:
    """With three, as GitHub allows, the builder of the site ends the list."""
    text = CODE_BLOCK.sub(r"\1code", page.read_text("utf-8"))
    assert re.findall(r"\n\n {1,3}\S.*", text) == []
