"""Collects what the site shows: the repository's pages in their folders, and what they link to."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from replication.errors import InputError
from replication.report.notebook_catalogue import NOTEBOOKS
from replication.report.primary_claims import CLAIM_WORDS, page_file
from replication.report.published_results import TESTED_ON

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md")
"""Pages outside ``docs`` and ``published``."""
SECTIONS = {
    "How to": "how-to",
    "Reference": "reference",
    "Explanation": "explanation",
    "Appendices": "appendix",
}
"""Titles of the folders of ``docs``."""
TUTORIAL = "notebooks/tutorial.ipynb"
"""The notebook that is committed with its outputs, to which the page of the tutorial links."""
LINK = re.compile(r"\]\(([^)\s]+)\)")
LINK_TO_TABLE = re.compile(r"(\]\((?!https?:)[^)\s]*)tables/(\w+)\.md\)")
"""A link to the Markdown file of one table of a publication."""
TABLES = ("table1", "table2", "table3", "table4", "table5", "table6", "controls")
"""The tables that a page shows first, in this order."""

Navigation = list[dict[str, Any]]


def collect_sources(root: Path, to: Path) -> Navigation:
    """Copy all pages, figures and linked files of a repository; return the site's navigation.

    Args:
        root: the repository.
        to: an empty folder.

    Raises:
        InputError: a page of the repository is missing.
    """
    pages = [root / name for name in PAGES]
    pages += sorted((root / "docs").rglob("*.md")) + sorted((root / "published").rglob("*.md"))
    pages = [page for page in pages if "tables" not in page.parent.name]
    for page in pages:
        if not page.is_file():
            raise InputError(f"{page}: no such page; build the site in a clone of the repository")
        place = to / page.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        text = page.read_text(encoding="utf-8")
        # The site has all tables of a scale on one page.
        text = LINK_TO_TABLE.sub(r"\1tables.md#\2)", text)
        # Markdown within this element is otherwise left as it is.
        place.write_text(text.replace("<details>", '<details markdown="1">'), encoding="utf-8")
        for linked in _linked_files(page, text):
            copy = to / linked.resolve().relative_to(root.resolve())
            _copy(linked, copy)
            if linked.suffix == ".ipynb":
                copy.write_text(_with_links_to_html(copy.read_text("utf-8")), encoding="utf-8")
    scales = [name for name in TESTED_ON if (root / "published" / name / "README.md").is_file()]
    for scale in scales:
        _collect_scale(root / "published" / scale, to / "published" / scale)
    _copy(Path(__file__).with_name("extra.css"), to / "assets" / "extra.css")
    return _navigation(to, scales)


def _linked_files(page: Path, text: str) -> Iterator[Path]:
    """The files that a page links to or shows, except other pages."""
    for target in LINK.findall(text):
        file = page.parent / unquote(target.partition("#")[0])
        if "://" not in target and file.is_file() and file.suffix != ".md":
            yield file


def _with_links_to_html(notebook: str) -> str:
    """A notebook whose links lead to the pages that are made of Markdown files.

    In Markdown pages the builder of the site does this, in notebooks it does not.
    """
    indexes = re.sub(r"(\]\((?!https?:)[^)\s]*)README\.md", r"\1index.html", notebook)
    return re.sub(r"(\]\((?!https?:)[^)\s#]*)\.md", r"\1.html", indexes)


def _copy(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)


def _collect_scale(published: Path, to: Path) -> None:
    """Copy figures and notebooks of a publication, and make pages of its tables and figures."""
    for folder, pattern in (("figures", "*.svg"), ("notebooks", "*.ipynb"), ("tables", "*.csv")):
        for file in sorted((published / folder).glob(pattern)):
            _copy(file, to / folder / file.name)
    table_pages = sorted((published / "tables").glob("*.html"), key=_place_of_table)
    fragments = [file.read_text(encoding="utf-8") for file in table_pages]
    downloads = [f"[{file.stem}.csv](tables/{file.stem}.csv)" for file in table_pages]
    blocks = [f'<div class="results">\n{_without_blank_lines(text)}\n</div>' for text in fragments]
    title = f"# Tables at scale {published.name}"
    (to / "tables.md").write_text(
        "\n\n".join([title, ", ".join(downloads), *blocks]) + "\n", encoding="utf-8"
    )
    captions = {name: text for spec in NOTEBOOKS.values() for name, text in spec.figures.items()}
    shown = [name for name in captions if (to / "figures" / f"{name}.svg").is_file()]
    images = [
        f"## {captions[name].rstrip('.')}\n\n![{captions[name]}](figures/{name}.svg)"
        for name in shown
    ]
    title = f"# Figures at scale {published.name}"
    (to / "figures.md").write_text("\n\n".join([title, *images]) + "\n", encoding="utf-8")


def _place_of_table(file: Path) -> tuple[int, str]:
    known = file.stem in TABLES
    return (TABLES.index(file.stem) if known else len(TABLES), file.stem)


def _without_blank_lines(text: str) -> str:
    """HTML that Markdown leaves as it is: a blank line would end it."""
    return "\n".join(line for line in text.splitlines() if line.strip())


def _navigation(to: Path, scales: list[str]) -> Navigation:
    claims = [page_file(claim) for claim in CLAIM_WORDS]
    claims = [f"published/{file}" for file in claims if (to / "published" / file).is_file()]
    published: list[Any] = ["published/README.md"]
    for scale in scales:
        folder = f"published/{scale}"
        notebooks = [f"{folder}/notebooks/{name}.ipynb" for name in NOTEBOOKS]
        shown = [file for file in notebooks if (to / file).is_file()]
        pages = [f"{folder}/README.md", f"{folder}/tables.md", f"{folder}/figures.md", *shown]
        published.append({scale: pages})
    # A page README.md becomes the first page of its section, whatever stands before it.
    results: list[Any] = ["docs/results.md", {"Claims": claims}, {"Published results": published}]
    navigation: Navigation = [{"Born-Again Networks": "README.md"}, {"Results": results}]
    guide: list[Any] = ["docs/README.md"]
    tutorials = sorted((to / "docs" / "tutorial").glob("*.md"))
    guide += [f"docs/tutorial/{file.name}" for file in tutorials]
    guide += [{"The tutorial with its pictures": TUTORIAL}] * (to / TUTORIAL).is_file()
    guide.append("docs/faq.md")
    navigation.append({"Start": guide})
    for title, folder in SECTIONS.items():
        files = sorted((to / "docs" / folder).glob("*.md"))
        section: list[Any] = [f"docs/{folder}/{file.name}" for file in files]
        if folder == "reference":
            section.append({"Keys of a scale": ["config/README.md"]})
        navigation.append({title: section})
    navigation.append({"Project": ["CONTRIBUTING.md", "CHANGELOG.md"]})
    return navigation
