"""Writes what results determine into the documents, so that no number is typed.

A document has pairs of markers, ``<!-- begin findings -->`` and ``<!-- end findings -->``. Between
them is the text that `TEXTS` has under that name, made from the csv files of publications.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from replication.errors import InputError
from replication.files import write_atomically
from replication.report import publication_index, results_page
from replication.report.claim_pages import claim_pages
from replication.report.criteria_page import criteria_in_markdown
from replication.report.example_verdict import example_verdict
from replication.report.missing_claims import missing_claims
from replication.report.plotting import draw
from replication.report.primary_claims import check_scale_summary, findings, findings_figure
from replication.report.published_results import Publications

DOCUMENTS = (
    "README.md",
    "docs/results.md",
    "docs/explanation/reading-a-verdict.md",
    "docs/explanation/fair-test.md",
    "published/README.md",
)
"""The documents that have markers."""

FIGURE = "docs/images/findings.svg"
"""The figure of the README."""

TEXTS: dict[str, Callable[[Publications], str]] = {
    "findings": findings,
    "summary": check_scale_summary,
    "published": results_page.overview,
    "unfinished scales": results_page.unfinished_scales,
    "missing claims": missing_claims,
    "primary claims": results_page.primary_claims,
    "other decided claims": results_page.other_decided_claims,
    "controls": partial(results_page.contrasts, table="controls"),
    "other objectives": partial(results_page.levels, table="beyond"),
    "differences of other objectives": partial(results_page.contrasts, table="beyond"),
    "likelihood": results_page.likelihood,
    "example verdict": example_verdict,
    "gains": results_page.gains,
    "other readings": results_page.other_readings,
    "effects": results_page.effects,
    "criteria": lambda _: criteria_in_markdown(),
    "fair test": results_page.fair_test,
    "index": publication_index.scales_table,
    "index of claims": publication_index.primary_claims_table,
    "networks that do not fit": results_page.networks_that_do_not_fit,
}
"""The texts between the markers, by name."""

BLOCK = re.compile(r"<!-- begin ([\w ]+) -->\n(.*?)<!-- end \1 -->", re.S)


def fill_document(text: str, publications: Publications) -> str:
    """Return a document with the present numbers between its markers.

    Raises:
        InputError: a marker has a name that is not one of `TEXTS`, or a csv file is damaged.
    """

    def write_block(block: re.Match[str]) -> str:
        name = block[1]
        if name not in TEXTS:
            raise InputError(f"<!-- begin {name} -->: must be one of {', '.join(TEXTS)}")
        return f"<!-- begin {name} -->\n\n{TEXTS[name](publications)}\n\n<!-- end {name} -->"

    return BLOCK.sub(write_block, text)


def write_documents(root: Path, published: Path) -> list[Path]:
    """Write the documents, the claims' pages and the figures; return the files that have changed.

    The documents lie below ``root``, and the pages in the folder of the publications.

    Raises:
        InputError: a document or a csv file is missing or damaged.
    """
    publications = Publications(published)
    contents: dict[Path, str | bytes] = {}
    for name in DOCUMENTS:
        document = root / name
        try:
            text = document.read_text(encoding="utf-8")
        except OSError:
            raise InputError(
                f"{document}: no such file; run the command in a clone of the repository"
            ) from None
        contents[document] = fill_document(text, publications)
    contents |= claim_pages(publications)
    contents[root / FIGURE] = draw(findings_figure(publications), "svg")
    return [file for file, content in contents.items() if _write_if_changed(file, content)]


def _write_if_changed(file: Path, content: str | bytes) -> bool:
    """Write a file unless it has this content; returns whether it was written."""
    new = content.encode() if isinstance(content, str) else content
    if file.is_file() and file.read_bytes() == new:
        return False
    file.parent.mkdir(exist_ok=True)
    write_atomically(file, lambda part: part.write_bytes(new))
    return True
