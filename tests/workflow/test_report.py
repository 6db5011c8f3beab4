"""The report: one file that opens in a browser without a network, with everything in it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright
from support.browser import launch_chromium
from support.plans import tiny_plan
from support.workplace import Workplace

from replication.report.notebook_catalogue import NOTEBOOKS

pytestmark = pytest.mark.long

TABLES = [f"table{number}" for number in range(1, 7)]
FIGURES = [name for notebook in NOTEBOOKS.values() for name in notebook.figures]


@pytest.fixture(scope="module")
def report(built: Workplace) -> Path:
    done = built.call("--report", "results/tiny/report.html")
    assert done.returncode == 0, done.stdout + done.stderr
    return built.folder / "results/tiny/report.html"


@pytest.fixture
def page(report: Path) -> Iterator[Page]:
    """The opened report; a request that fails or leaves the file fails the test."""
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        page = browser.new_context(offline=True).new_page()
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url[:200]}"))
        page.on("request", lambda request: problems.extend(_outside(request.url)))
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.goto(report.as_uri())
        yield page
        browser.close()
    assert problems == []


def _outside(url: str) -> list[str]:
    return [] if url.startswith(("file:", "data:", "blob:")) else [f"outside: {url[:200]}"]


def contents(page: Page, category: str) -> dict[str, str | tuple[int, int]]:
    """What each entry of a category shows: the text of a page, or a picture's size."""
    page.get_by_text(category, exact=True).first.click()
    rows = page.locator("tbody tr").filter(has=page.locator("a[iconname=eye]"))
    shown: dict[str, str | tuple[int, int]] = {}
    for row in rows.all():
        name = row.locator("td").first.inner_text()
        row.locator("a[iconname=eye]").click()
        page.wait_for_timeout(300)
        if category == "Figures":
            picture = page.locator("img[src^=data]").last
            shown[name] = picture.evaluate("i => [i.naturalWidth, i.naturalHeight]")
        else:
            shown[name] = page.frames[-1].locator("body").inner_text()
    return shown


def test_the_report_opens_with_its_scale_and_the_primary_claims(page: Page) -> None:
    text = page.locator("body").inner_text()
    assert "Born-Again Neural Networks at scale tiny" in text
    assert "sizes of networks in the paper's proportions" in text
    assert "On CIFAR-100, BAN lowers the error on average over the four DenseNets." in text


def test_every_table_is_in_the_report(page: Page) -> None:
    shown = contents(page, "Tables")
    plan = tiny_plan()
    assert str(shown.pop("quality")).startswith("Predictions of Table 2")
    assert sorted(shown) == sorted(name.removeprefix("table") for name in plan.tables)
    for name, spec in plan.tables.items():
        number = name.removeprefix("table")
        before = f"Table {number}: " if number.isdigit() else ""
        assert str(shown[number]).startswith(before + spec.title)
        assert "teacher" in str(shown[number]) or "baseline" in str(shown[number])


def test_every_figure_is_in_the_report(page: Page) -> None:
    shown = contents(page, "Figures")
    sentences = [s for notebook in NOTEBOOKS.values() for s in notebook.figures.values()]
    assert sorted(shown) == sorted(sentences)
    assert all(min(size) > 100 for size in shown.values() if not isinstance(size, str))


def test_every_notebook_is_in_the_report(page: Page) -> None:
    shown = contents(page, "Notebooks")
    assert sorted(shown) == sorted(NOTEBOOKS)
    assert "# " not in str(shown["tables"])[:20]
    assert "The six tables" in str(shown["tables"])


def test_the_criteria_of_a_fair_test_are_in_the_report(page: Page) -> None:
    (text,) = contents(page, "Criteria").values()
    assert "two_digit_numbers: 100 test images" in str(text)
    assert "generation 0 has a test error of at least 8 %" in str(text)


def test_run_statistics_and_provenance_are_in_the_report(page: Page) -> None:
    page.get_by_text("Statistics", exact=True).first.click()
    page.wait_for_timeout(500)
    assert page.locator("canvas, svg.marks").count() > 0
    page.get_by_text("About", exact=True).first.click()
    assert re.search(r"snakemake", page.inner_text("body"), re.I)
