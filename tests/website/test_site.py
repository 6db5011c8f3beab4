"""The site: every link and image leads somewhere, nothing comes from outside, phones can read."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from playwright.sync_api import Page, sync_playwright
from support.browser import launch_chromium
from support.plans import ROOT

from replication.report.primary_claims import CLAIM_WORDS, CONTROL, page_file
from website.collect import LINK, collect_sources

PHONE = {"width": 390, "height": 844}
LINKS = "[...document.querySelectorAll('a[href]')].map(link => link.href)"
BROKEN_IMAGES = """[...document.images].filter(image => !image.complete || !image.naturalWidth)
    .map(image => image.src)"""
ANCHORS = "[...document.querySelectorAll('[id]')].map(element => element.id)"


class Quiet(SimpleHTTPRequestHandler):
    """A server that does not print its requests."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "website", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    """A page of a browser; an error, a request that fails or one that leaves fails the test."""
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        page = browser.new_page()
        page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
        page.on("request", lambda request: problems.extend(_outside(request.url, address)))
        page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
        page.on("console", lambda line: problems.extend(_errors(page.url, line.type, line.text)))
        yield page
        browser.close()
    assert problems == []


def _outside(url: str, address: str) -> list[str]:
    return [] if url.startswith((address, "data:", "blob:")) else [f"outside: {url}"]


def _errors(url: str, kind: str, text: str) -> list[str]:
    return [f"{url}: {text}"] if kind == "error" else []


@pytest.mark.long
def test_every_link_and_image_leads_somewhere_and_every_page_fits_a_phone(
    site: Path, address: str, page: Page
) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    anchors: dict[str, set[str]] = {}
    links: set[str] = set()
    for file in sorted(site.rglob("*.html")):
        if "tables" in file.parent.name or file.name == "404.html":
            continue
        url = address + file.relative_to(site).as_posix()
        page.goto(url)
        # Pictures below the fold are loaded when they are seen.
        page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
        page.wait_for_function("[...document.images].every(image => image.complete)")
        assert page.evaluate(BROKEN_IMAGES) == [], url
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"] + 1, f"{url} is {width} pixels wide"
        anchors[url] = {*page.evaluate(ANCHORS)}
        links |= {link for link in page.evaluate(LINKS) if link.startswith(address)}
    assert len(anchors) > 40
    broken = [link for link in sorted(links) if not _leads_somewhere(link, site, address, anchors)]
    assert broken == []


def _leads_somewhere(link: str, site: Path, address: str, anchors: dict[str, set[str]]) -> bool:
    place, fragment = urldefrag(link)
    file = site / unquote(urlparse(place).path).lstrip("/")
    if file.is_dir():
        place, file = f"{place.rstrip('/')}/index.html", file / "index.html"
    return file.is_file() and (not fragment or unquote(fragment) in anchors.get(place, set()))


@pytest.mark.long
def test_the_search_finds_a_claim_without_a_network(address: str, page: Page) -> None:
    page.goto(address)
    page.locator("input.md-search__input").fill("confidence weighting")
    page.wait_for_selector(".md-search-result__link", state="attached")
    assert page.locator(".md-search-result__link").count() > 0


@pytest.mark.long
def test_the_site_shows_claims_tables_figures_and_notebooks_of_every_scale(site: Path) -> None:
    for claim in CLAIM_WORDS:
        if claim != CONTROL:
            assert (site / "published" / page_file(claim)).with_suffix(".html").is_file()
    for scale in ("digits", "fashion"):
        folder = site / "published" / scale
        assert "DenseNet-112-33" in (folder / "tables.html").read_text("utf-8")
        assert (folder / "figures.html").read_text("utf-8").count("<img") >= 12
        assert "Likelihood and calibration" in (folder / "notebooks/calibration.html").read_text(
            "utf-8"
        )


def test_every_page_of_the_repository_is_collected_with_what_it_links_to(tmp_path: Path) -> None:
    navigation = collect_sources(ROOT, tmp_path)
    text = str(navigation)
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.relative_to(ROOT).as_posix() in text
    assert "published/claims/ban-all.md" in text
    assert (tmp_path / "published/claims/ban-all.png").is_file()
    assert (tmp_path / "LICENSE").is_file()


def test_every_relative_link_of_a_collected_page_leads_to_a_collected_file(tmp_path: Path) -> None:
    """The builder refuses a link that leads nowhere; this finds it without building the site."""
    collect_sources(ROOT, tmp_path)
    links = [
        (page, unquote(target.partition("#")[0]))
        for page in sorted(tmp_path.rglob("*.md"))
        for target in LINK.findall(page.read_text("utf-8"))
        if "://" not in target and not target.startswith("#")
    ]
    assert len(links) > 200
    broken = [(page.name, link) for page, link in links if not (page.parent / link).exists()]
    assert broken == []


def test_a_link_to_one_table_leads_to_its_place_on_the_page_of_all_tables(tmp_path: Path) -> None:
    collect_sources(ROOT, tmp_path)
    text = (tmp_path / "docs/results.md").read_text("utf-8")
    assert "(../published/cifar/tables.md#table2)" in text
    assert 'id="table2"' in (tmp_path / "published/cifar/tables.md").read_text("utf-8")


def test_the_tutorial_is_a_page_whose_links_lead_to_pages(tmp_path: Path) -> None:
    assert "notebooks/tutorial.ipynb" in str(collect_sources(ROOT, tmp_path))
    text = (tmp_path / "notebooks/tutorial.ipynb").read_text("utf-8")
    assert "(../index.html#use-your-own-data)" in text
    assert "(../docs/explanation/reading-a-verdict.html)" in text
    assert ".md)" not in text


def test_a_section_opens_with_its_first_page(tmp_path: Path) -> None:
    """The builder takes a README for the first page of its section, wherever it stands."""

    def check(pages: list[Any]) -> None:
        assert not [page for page in pages[1:] if str(page).endswith("README.md")]
        for section in pages:
            for children in section.values() if isinstance(section, dict) else ():
                check(children if isinstance(children, list) else [children])

    navigation = collect_sources(ROOT, tmp_path)
    check(navigation)
    titles = {title: pages for section in navigation for title, pages in section.items()}
    assert titles["Results"][0] == "docs/results.md"
    assert titles["Reference"][0] == "docs/reference/claims.md"
