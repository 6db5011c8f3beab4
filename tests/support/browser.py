"""Chromium for the tests that look at pages as a reader does."""

import os
import shutil

import pytest
from playwright.sync_api import Browser, Playwright


def launch_chromium(playwright: Playwright) -> Browser:
    """Launch the machine's Chromium.

    Without one the test is skipped, or fails where ``REQUIRE_CHROMIUM`` is set, as in ``.ci/run``.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "no browser to open pages in: install Debian's package chromium"
        if os.environ.get("REQUIRE_CHROMIUM"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    arguments = ["--disable-background-networking"]
    return playwright.chromium.launch(
        executable_path=chromium,
        args=[*arguments, "--no-sandbox"] if os.geteuid() == 0 else arguments,
    )
