"""The report: one file that opens in a browser without a network, with everything in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Workplace
from playwright.sync_api import Page, sync_playwright

from replication.notebooks import NOTEBOOKS

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FIGURES = [name for notebook in NOTEBOOKS.values() for name in notebook.figures]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no browser: install Debian's package chromium"
)


@pytest.fixture(scope="module")
def report(built: Workplace) -> Path:
    done = built.call("--report", "results/tiny/report.html")
    assert done.returncode == 0, done.stdout + done.stderr
    return built.folder / "results/tiny/report.html"


@pytest.fixture
def page(report: Path) -> Iterator[Page]:
    """The opened report; every request that fails, or leaves the file, fails the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking"] if os.geteuid() == 0 else [],
        )
        context = browser.new_context(offline=True)
        page = context.new_page()
        problems: list[str] = []
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url[:200]}"))
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("request", lambda request: _leaves(request.url) and problems.append(request.url))
        page.goto(report.as_uri())
        yield page
        assert problems == []
        browser.close()


def _leaves(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:"))


def test_every_table_and_figure_is_in_the_report(page: Page) -> None:
    pass
